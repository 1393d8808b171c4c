# A host that can keep no state is told so, and stores nothing in the clear where the store was encrypted once.
echo secret >note
recipient=$(cairn --quiet key generate mk.key)
other=$(cairn --quiet key generate other.key)
cairn init --quiet --store m --recipient "$recipient"
# The newest descriptor, changed, as the next generation: what whoever may only add objects can do.
next_generation() {
  python3 - "$@" <<'P'
import glob, hashlib, json, sys
newest = max(glob.glob("m/config/*"), key=lambda name: int(name.split("/")[-1].split("-")[0]))
d = json.load(open(newest))
d.update(json.loads(sys.argv[1]), generation=d["generation"] + 1)
text = json.dumps(d, separators=(",", ":")) + "\n"
open(f"m/config/{d['generation']}-{hashlib.sha256(text.encode()).hexdigest()}.json", "w").write(text)
P
}
shorter() { sed 's/age1[0-9a-z]*/age1.../g'; }
nowhere() { CAIRN_STATE_DIR=/proc/nowhere CAIRN_CACHE_DIR= cairn "$@" 2>&1 | shorter; echo "exit ${PIPESTATUS[0]}"; }
echo '# Encrypted, as it should be.'
nowhere snapshot --quiet --store m --series note ./note
echo '# With the recipients in its configuration nothing needs to be noted.'
printf '[stores.m]\nurl = "%s/m"\nrecipients = ["%s"]\n' "$PWD" "$recipient" >cairn.toml
nowhere snapshot --quiet --config cairn.toml --store m --series note ./note | grep -v 'no key of its own'
echo '# For others than before.'
next_generation "{\"recipients\": [\"$other\"]}"
nowhere snapshot --quiet --store m --series note ./note | grep -v 'no key of its own\|unable to note'
echo '# In the clear.'
cp -r m/packs packs.before
next_generation '{"encryption": "none", "recipients": []}'
nowhere snapshot --store m --series note ./note
next_generation '{}'
nowhere snapshot --store m --series note ./note
cairn init --quiet --store plain --no-encryption
cairn snapshot --quiet --store plain --series note ./note
nowhere push --from plain --to m
nowhere list --quiet --store m --json | sed 's/"snapshots":.*//'
diff -r packs.before m/packs && echo 'nothing was stored'
echo '# A new host with a state does not take it for right, either.'
export CAIRN_STATE_DIR=$PWD/new
cairn list --quiet --store m >/dev/null
cairn snapshot --store m --series note ./note
echo "exit $?"
echo '# It is accepted by hand, and by what it became.'
id=$(grep -oh '"store_id":"[0-9a-f]*"' m/config/1-* | cut -d'"' -f4)
cairn key accept --store m 2>&1 | shorter
cairn key accept --store m "$(printf %032d 0)" 2>&1
cairn key accept --store m "$recipient" 2>&1 | shorter
cairn key accept --store m nonsense
cairn snapshot --quiet --store m --series note ./note 2>/dev/null
echo "exit $?"
cairn key accept --store m "$id" 2>&1 | shorter
cairn snapshot --quiet --store m --series note ./note
echo "exit $?"
echo '# The id tells nothing of recipients.'
next_generation "{\"encryption\": \"age\", \"recipients\": [\"$recipient\"]}"
cairn snapshot --store m --series note ./note 2>&1 | shorter
cairn key accept --store m "$id" 2>&1 | shorter
cairn key accept --store m "$other" 2>&1 | shorter
cairn key accept --store m --json "$recipient" "$id" | shorter
cairn key accept --store m --json | shorter
cairn snapshot --quiet --store m --series note ./note
echo "exit $?"
