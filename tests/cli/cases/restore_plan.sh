. "$TESTS/fixture.sh"
make_store st
make_tree tree
cairn snapshot --quiet --store st ./tree
cairn restore --plan --store st tree out
cairn restore --plan --json --store st tree out
test ! -e out
