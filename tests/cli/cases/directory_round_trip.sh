. "$TESTS/fixture.sh"
make_store st
make_tree tree
cairn snapshot --store st ./tree --tag reason=test
cairn snapshot --store st ./tree --json
cairn list --store st --json
cairn restore --store st tree out --plan
cairn restore --store st tree out
diff -r tree out && echo same
cairn restore --store st tree part --path sub/b --json
find part | sort
cairn verify --store st --level full --json
