. "$TESTS/fixture.sh"
make_store st
cairn list --store st
cairn list --store st --json
cairn list --store st --series nothing
