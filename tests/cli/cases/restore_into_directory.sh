# A target that ends with '/' is a directory, also for one file: what else is in it stays, and its name is the file's.
. "$TESTS/fixture.sh"
make_store st
printf 'first\n' > db.conf
cairn snapshot --quiet --store st ./db.conf --series conf
mkdir there
printf 'other\n' > there/other
cairn restore --quiet --store st conf there/
ls there
cat there/db.conf
cairn restore --quiet --store st conf new/deep/
ls new/deep
printf 'changed\n' > there/db.conf
cairn restore --quiet --store st conf there/ 2>/dev/null || echo "refused, status $?"
cairn restore --quiet --store st conf there/ --in-place
cat there/db.conf there/other
# Also with --delete: the directory is not what is restored.
cairn restore --quiet --store st conf there/ --in-place --delete
ls there
cairn restore --plan --json --store st conf there2/ > plan.json
ls there2 2>/dev/null || echo "a plan makes nothing"
# Of a tree it says nothing.
make_tree tree
cairn snapshot --quiet --store st ./tree --series tree
cairn restore --quiet --store st tree out/
ls out
