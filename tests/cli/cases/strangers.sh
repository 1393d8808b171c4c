. "$TESTS/fixture.sh"
make_store st
mkdir one two
make_tree one/app
make_tree two/app
cairn snapshot --quiet --store st one/app
cairn snapshot --store st two/app
echo "exit $?"
cairn snapshot --quiet --store st two/app --series app
