# What became of paths, from snapshot to snapshot.
. "$TESTS/fixture.sh"
make_store st
make_tree tree
cairn snapshot --quiet --store st ./tree
cairn snapshot --quiet --store st ./tree
printf 'hello again\n' >tree/a
touch -d 2026-02-03T04:05:06Z tree/a
rm tree/sub/b
touch -d 2026-01-02T03:04:05Z tree/sub tree
cairn snapshot --quiet --store st ./tree
cp -p tree/a tree/sub/b
touch -d 2026-01-02T03:04:05Z tree/sub tree
cairn snapshot --quiet --store st ./tree
cairn snapshot --quiet --store st ./tree --series copy
ask() {
  cairn "$@" --store st
  echo "exit $?"
}
ask find '[ab]'
ask find 'sub/*' --series tree
ask find link --series copy --json
ask history a --series tree
ask history sub/b --series tree --json
ask history ./sub --series tree
ask find '[ab]' --until 1d
echo "# What is given as REF is what has it."
ref=$(cairn history a --series tree --store st --json | head -1 | grep -o '"last":{"id":"[0-9a-f]*' | cut -d'"' -f6)
cairn show "$ref" --store st --path a --content
