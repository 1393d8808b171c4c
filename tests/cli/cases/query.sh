# A database in a snapshot, asked without being restored.
. "$TESTS/fixture.sh"
make_store st
mkdir tree
python3 -c '
import sqlite3
for name in ("app.db", "tree/in.db"):
    database = sqlite3.connect(name)
    database.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, data BLOB)")
    database.execute("INSERT INTO t VALUES (1, ?, NULL), (2, ?, ?), (9007199254740993, ?, ?)",
                     ("plain", "it\x27s\n\x1b[31m", b"\0\xff", "", b""))
    database.commit()'
ln tree/in.db tree/link
echo text >tree/text
cairn snapshot --quiet --store st ./app.db --series app
cairn snapshot --quiet --store st ./tree
ask() {
  cairn query --store st "$@"
  echo "exit $?"
}
ask app 'SELECT * FROM t'
ask app 'SELECT * FROM t' --csv
ask app 'SELECT *, 1.0 AS name FROM t' --json | sed 's/"requests":[0-9]*/"requests":N/'
ask app 'SELECT id, name FROM t WHERE id < 3' --insert lost
ask app 'SELECT id FROM t WHERE id = 5'
ask tree 'SELECT count(*) FROM t' --path in.db
ask tree 'SELECT count(*) FROM t' --path ./link
ask tree 'SELECT a.id FROM t a JOIN old.t b USING (id)' --path in.db --attach old=app
echo "# What is put back is what was there."
sqlite3 back.db 'CREATE TABLE lost(id INTEGER PRIMARY KEY, name TEXT, data BLOB)'
cairn query --store st app 'SELECT * FROM t' --insert lost | sqlite3 -bail back.db
sqlite3 back.db 'SELECT id, quote(name), quote(data) FROM lost' >back
sqlite3 app.db 'SELECT id, quote(name), quote(data) FROM t' | diff - back && echo equal
echo "# Refused."
ask app 'DELETE FROM t'
ask app 'SELECT 1; SELECT 2'
ask app 'SELECT nothing FROM t'
ask app 'PRAGMA journal_mode = WAL'
ask tree 'SELECT 1'
ask tree 'SELECT 1' --path missing
ask tree 'SELECT 1' --path text
ask app 'WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n' --timeout 1s
ask app 'SELECT zeroblob(900000000)'
