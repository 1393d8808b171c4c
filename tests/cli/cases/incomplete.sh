. "$TESTS/fixture.sh"
make_store st
make_tree tree
# Encrypted, as SQLCipher does it: no magic, and a -wal beside it.
head -c 8192 /dev/zero | tr '\0' x >tree/secret
head -c 100 /dev/zero >tree/secret-wal
cairn snapshot --store st ./tree
echo "exit $?"
cairn snapshot --store st ./tree --json
