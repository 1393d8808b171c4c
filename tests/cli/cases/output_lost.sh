. "$TESTS/fixture.sh"
make_store st
cairn list --store st --json >/dev/full
echo "exit $?"
cairn --help >/dev/full
