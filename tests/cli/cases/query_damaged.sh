# A pack that is damaged: no row that rests on it, and a status that says so.
. "$TESTS/fixture.sh"
make_store st
python3 -c '
import random, sqlite3
random.seed(1)
database = sqlite3.connect("app.db")
database.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, data BLOB)")
database.executemany("INSERT INTO t VALUES (?, ?)", [(i, random.randbytes(1000)) for i in range(3000)])
database.commit()'
cairn snapshot --quiet --store st ./app.db --series app
pack=$(find st/packs -type f -size +1M)
chmod 600 "$pack"
printf XXXX | dd of="$pack" bs=1 seek=1500000 conv=notrunc status=none
rm -rf "$HOME/.cache"
cairn query --store st app 'SELECT id, length(data) FROM t WHERE id = 5'
echo "exit $?"
cairn query --store st app 'SELECT sum(length(data)) FROM t'
echo "exit $?"
