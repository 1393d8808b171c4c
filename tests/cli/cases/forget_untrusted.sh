# What nobody vouches for can be removed, by its id and by nothing else.
. "$TESTS/fixture.sh"
configure_stores <<<''
export CAIRN_CACHE_DIR=
for text in one two; do cairn snapshot --quiet --series old -- echo $text; done
id_of() { cairn list --json --series old | grep -o '"id":"[0-9a-f]*' | cut -c7-22 | sed -n "$1"p; }
first=$(id_of 1)
second=$(id_of 2)
cairn pin --quiet "$first"
cairn key generate --quiet --signing key >/dev/null
sed -i "/\/st\"/a trusted_keys = [{ key = \"$(sed -n 2p key.pub)\", series = \"*\" }]" "$XDG_CONFIG_HOME/cairn/cairn.toml"
export CAIRN_SIGNING_KEY=$PWD/key
cairn snapshot --quiet --series old -- echo three 2>/dev/null
# Somebody's hand in the store.
find st/packs -type f ! -newer st/snapshots/old/*"$first"* -delete
try() {
  echo "# $1" | sed "s/ [0-9a-f]\{16\}/ ID/"
  shift
  "$@" 2>&1 | grep -v '^ \|warning' | sed "s/$first/ID/; s/${first:0:12}/ID/; s/'snapshots[^']*'/MANIFEST/; s/'packs[^,]*, 'packs[^,]*,/PACKS/" | tr -s ' '
  echo "exit ${PIPESTATUS[0]}"
}
manifest=$(cd st && ls snapshots/old/*"$first"*)
try prune cairn prune --apply
try "set aside" cairn prune --set-aside "$manifest"
try "by name, it is another one" cairn forget old
try "pinned, before there was a key" cairn forget "$first" --apply
try pin cairn pin "$first"
try unpin cairn unpin "$first"
try plan cairn forget "${first:0:8}"
try forget cairn forget "$first" --apply
try prune cairn prune
try "undo, without its packs" cairn prune --undo --apply
# One that is whole goes and comes back.
cairn forget --quiet "$second" --apply
id_of 2
cairn prune --quiet --undo --apply 2>/dev/null >&2
test "$(id_of 1)" = "$second" && echo back
