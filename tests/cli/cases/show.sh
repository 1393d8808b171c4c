. "$TESTS/fixture.sh"
make_store st
make_tree tree
cairn snapshot --quiet --store st ./tree --tag a=b
cairn show latest --store st
cairn show tree --store st --json
