# A mark and a pending record that were damaged: verify finds them, and what they stop says how to go on.
. "$TESTS/fixture.sh"
make_store st
export CAIRN_CACHE_DIR=
keep="--series s --keep-last 1 --grace 0s --exclusive"
for text in one two three; do
  cairn snapshot --quiet --store st --series s -- echo $text
  cairn prune --quiet --store st $keep --apply >/dev/null
done
mark=marks/$(ls st/marks | tail -n 1)
chmod u+w "st/$mark" && : >"st/$mark"
pending=pending/00112233445566778899aabbccddeeff-1.json
mkdir -p st/pending && echo '{' >st/$pending
try() {
  "$@" 2>&1 | sed "s|$mark|MARK|; s|$pending|PENDING|; s/[0-9]* B)/SIZE)/; s/snapshots[^' ]*/MANIFEST/" | grep 'hint\|error\|^damaged\|give up\|^removed'
  echo "exit ${PIPESTATUS[0]}"
}
try cairn verify --store st
try cairn snapshot --quiet --store st --series s -- echo four
try cairn prune --store st --undo
try cairn prune --store st $keep --apply
echo "# The mark told of a removal, too."
aside="--set-aside $mark --set-aside $pending"
try cairn prune --store st $keep $aside --apply
gone=$(cairn prune --store st $keep $aside 2>&1 | grep -o "snapshots/[^']*")
try cairn prune --store st $keep $aside --set-aside "$gone" --apply
cairn verify --store st | grep -o 'no problem'
try cairn snapshot --quiet --store st --series s -- echo four
try cairn prune --store st $keep --apply
cairn verify --quiet --store st --level full && echo whole
try cairn prune --store st --set-aside "$mark"
