# A pack is gone: the plan says so, with and without the directory of the pack in the cache, and the result counts what
# is in place and what was fetched.
. "$TESTS/fixture.sh"
make_store st
mkdir tree
head -c 300000 /dev/urandom >tree/a
head -c 300000 /dev/urandom >tree/b
ln tree/b tree/link
cairn snapshot --quiet --store st ./tree
rm "$(find st/packs -type f -size +100k)"
cairn restore --store st tree out --plan
echo "exit $?"
rm -rf "$HOME/.cache"
cairn restore --store st tree out --plan --json
echo "exit $?"
test -e out && echo "out is there"
cairn restore --store st tree out --json
echo "exit $?"
find out
