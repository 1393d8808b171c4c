# Whoever may only add objects takes no pin off.
. "$TESTS/fixture.sh"
exec > >(sed 's/\b[0-9a-f]\{16\}\b/ID16/') 2>&1
make_store st
for content in one two; do
  echo "$content" >note
  cairn snapshot --quiet --store st ./note
done
id=$(cairn list --store st --json | grep -o '"id":"[0-9a-f]*"' | head -1 | cut -d'"' -f4)
shows() { cairn list "$@" --store st --json | grep -o '"pinned":[a-z]*' | tr '\n' ' '; echo; }
cairn pin --store st "$id"
echo '# Of the future.'
printf '{"format":"cairn-pin","version":1,"id":"%s","pinned":false}\n' "$id" >"st/pins/$id/22620411T234715.999999999Z-unpin-0000000000000000.json"
shows
cairn show --store st "$id" | grep -c pinned
cairn pin --store st "$id"
echo "exit $?"
cairn unpin --store st "$id" && shows
cairn pin --store st "$id" && shows
echo '# Not signed, where keys are trusted.'
public=$(cairn key generate --quiet --signing sign.pem)
cairn key generate --quiet --signing stranger.pem >/dev/null
printf '[stores.st]\nurl = "%s/st"\ntrusted_keys = [{ key = "%s" }]\n' "$PWD" "$public" >cairn.toml
echo three >note
CAIRN_SIGNING_KEY=sign.pem cairn snapshot --quiet --config cairn.toml --store st ./note
newest=$(cairn list --store st --json | grep -o '"id":"[0-9a-f]*"' | tail -1 | cut -d'"' -f4)
trusting() { cairn "$@" --config cairn.toml --store st "$newest"; echo "exit $?"; }
trusting pin
cairn unpin --store st "$newest" --quiet
shows
shows --config cairn.toml
trusting pin
trusting unpin
CAIRN_SIGNING_KEY=stranger.pem trusting unpin
CAIRN_SIGNING_KEY=sign.pem trusting unpin
shows --config cairn.toml
echo '# What it signed is for minisign, too.'
python3 - "$newest" "$public" <<'P'
import glob, json, sys
record = [json.load(open(name)) for name in sorted(glob.glob(f"st/pins/{sys.argv[1]}/*unpin*"))][-1]
print(record["pinned"], [each["key"] == sys.argv[2] for each in record["signatures"]])
print(record["signatures"][0]["minisig"].split("\n")[2].replace(sys.argv[1], "ID"))
P
python3 "$TESTS/../reference/cairn_reader.py" verify st | cut -d: -f1 | sort | uniq -c | tr -s " "
