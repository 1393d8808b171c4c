. "$TESTS/fixture.sh"
make_store st
make_tree tree
cairn snapshot --quiet --store st ./tree
cairn snapshot --quiet --store st ./tree
cairn snapshot --quiet --store st ./tree
cairn snapshot --quiet --store st --series dump -- echo text
cairn prune --store st --series tree --keep-last 1 | tr -s ' '
cairn list --store st --json | grep -o '"id"' | wc -l
cairn prune --store st --series tree --keep-last 1 --apply | tail -1
cairn list --store st --json | grep -o '"id"' | wc -l
cairn prune --store st --undo | sed 's/-[0-9a-f]*-[0-9a-f]*\.json//; s/[0-9]*T[0-9.]*Z/TIME/'
cairn prune --store st --undo --apply --json
cairn list --store st --json | grep -o '"id"' | wc -l
cairn prune --store st --json
