. "$TESTS/fixture.sh"
make_store st
make_tree tree
cairn snapshot --quiet --store st ./tree
cairn snapshot --quiet --store st --series dump -- echo text
cairn forget --store st dump | tr -s ' '
cairn forget --store st dump --apply --json
cairn list --store st --json | grep -o '"series":"[a-z]*"'
cairn forget --store st dump --apply
