. "$TESTS/fixture.sh"
make_store st
make_tree tree
cairn snapshot --store st ./tree --dry-run
cairn snapshot --store st ./tree --dry-run --json
cairn list --store st --json
find st -type f -not -path 'st/recover/*' | sed 's|/.*||' | sort | uniq -c
