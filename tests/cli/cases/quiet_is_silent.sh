. "$TESTS/fixture.sh"
make_tree tree
cairn --quiet init --store st --no-encryption
cairn snapshot --quiet --store st ./tree
cairn --quiet verify --store st --level full
cairn restore --quiet --store st latest out
cairn pin --quiet --store st latest
