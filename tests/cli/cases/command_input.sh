# A command after "--" reads what the program was given; a configured one, and one on a terminal, read nothing.
. "$TESTS/fixture.sh"
make_store st
snapshot() { timeout 60 cairn --quiet snapshot --store st "$@"; }
back() { cairn restore --quiet --store st "$1" "out.$1" && cat "out.$1"; }
echo data | snapshot --series piped -- cat
back piped
snapshot --series file -- sh -c 'cat; cat' <out.piped
back file
echo "# Nothing to read, and nothing written."
snapshot --series nothing -- cat
echo "exit $?"
snapshot --series closed -- sh -c 'cat; echo end' <&-
back closed
script -qec 'timeout 60 cairn --quiet snapshot --store st --series terminal -- cat' /dev/null </dev/null | tr -d '\r'
echo "exit ${PIPESTATUS[0]}"
cat >cairn.toml <<'TOML'
[sources.configured]
type = "command"
command = ["cat"]
[sources.least]
type = "command"
command = ["cat"]
min_size = "1 B"
TOML
echo data | snapshot --config cairn.toml configured
echo data | snapshot --config cairn.toml least
echo "exit $?"
