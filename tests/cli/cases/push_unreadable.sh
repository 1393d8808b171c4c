. "$TESTS/fixture.sh"
make_store st
make_store offsite
make_tree tree
cairn snapshot --quiet --store st ./tree
echo x >st/snapshots/tree/notes.json
cairn push --from st --to offsite
echo "status $?"
cairn push --from st --to offsite
