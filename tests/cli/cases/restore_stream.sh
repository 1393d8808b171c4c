# A snapshot as a stream: nothing but content on standard output, and a status that tells how it ended.
. "$TESTS/fixture.sh"
make_store st
make_tree tree
ln tree/sub/b tree/z
head -c 300000 /dev/urandom >tree/big
cairn snapshot --quiet --store st ./tree
printf dump | cairn snapshot --quiet --store st --series dump -- cat
cairn restore --store st dump -
echo " exit $?"
cairn restore --store st tree - --path z
echo "exit $?"
for list in '' --null; do
  if [ -n "$list" ]; then printf 'a\0sub/b\0'; else printf 'a\n\nsub/b\n'; fi |
    cairn restore --store st tree - --tar --files-from - $list | tar -t
done
cairn restore --store st tree - --tar --exclude big --path '*b*' | tar -tv --numeric-owner | sed 's/.* 20/20/'
mkdir out
cairn restore --store st tree - --tar | tar -x -C out
echo "exit $?"
diff -r tree out && echo equal
cairn --json restore --store st tree - --tar
echo " exit $?"
# The reader goes away.
{ cairn restore --store st tree - --tar; echo "exit $?" >status; } | head -c 100 >head
cat status
cairn restore --store st tree - --tar >/dev/full
echo "exit $?"
# The pack with content is gone: it is known before anything is written.
rm "$(find st/packs -type f -size +100k)"
rm -rf "$HOME/.cache"
cairn restore --store st tree - --tar >part.tar
echo "exit $?"
tar -tf part.tar >/dev/null && echo complete
cairn restore --store st tree - --path big
echo "exit $?"
