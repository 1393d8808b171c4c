. "$TESTS/fixture.sh"
make_store st
cairn list --store st --json >/dev/full
echo "exit $?"
cairn --help >/dev/full
echo "# What was done is done, and is told all the same."
make_tree tree
cairn snapshot --store st ./tree >/dev/full
echo "exit $?"
cairn restore --store st tree back --json >/dev/full
echo "exit $?"
cairn snapshot --store st ./tree >&-
cairn init --store offsite --no-encryption >/dev/full
cairn push --from st --to offsite >/dev/full
cairn pin --store st latest >/dev/full
cairn forget --store offsite latest --apply >/dev/full
echo "# A list that is longer than what is kept back."
mkdir long && (cd long && seq -f "a-name-of-some-length-%g" 2000 | xargs touch)
cairn snapshot --quiet --store st ./long
cairn list --files --store st long >/dev/full
