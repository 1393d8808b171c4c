# One file of a snapshot, and what became of its lines.
. "$TESTS/fixture.sh"
make_store st
make_tree tree
seq 20 >tree/numbers
ln tree/numbers tree/hard
head -c 3000000 /dev/urandom >tree/big
printf 'a\0b' >tree/binary
printf 'bad\033[31m\n' >tree/sub/escape
cairn snapshot --quiet --store st ./tree
first=$(cairn list --store st --json | grep -o '"id":"[0-9a-f]*"' | head -1 | cut -d'"' -f4)
show() {
  cairn show --store st "$@" --content
  echo "exit $?"
}
show tree --path sub/b
show tree --path ./hard | tail -3
cairn show --store st tree --content --path big | cmp - tree/big && echo equal
cairn show --store st tree --content --path big | head -c 10 | cmp -n 10 - tree/big && echo "equal to where the reader went away"
cairn show --store st tree --content --path big >/dev/full
echo "exit $?"
sed -i 's/^7$/seven/; $d' tree/numbers
printf 'a\0c' >tree/binary
printf new >tree/new
rm tree/a
cairn snapshot --quiet --store st ./tree
compare() {
  cairn diff --store st "$first" tree --path "$@"
  echo "exit $?"
}
compare numbers
cairn show --store st "$first" --path numbers --content >old
cairn diff --store st "$first" tree --path numbers | patch -s old && cmp old tree/numbers && echo patched
for path in hard binary new a sub/b; do compare $path; done
compare binary --json
compare new --json
