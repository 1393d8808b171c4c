. "$TESTS/fixture.sh"
make_store st
make_tree tree
cairn snapshot --quiet --store st ./tree --tag a=b --tag c=d
cairn snapshot --quiet --store st --series dump -- echo text
cairn pin --store st dump
cairn pin --store st dump
# The columns are as wide as this host's name.
cairn list --store st | tr -s ' '
cairn list --store st --tag a=b --series tree | tr -s ' ' | tail -n +2
cairn unpin --store st dump --json
