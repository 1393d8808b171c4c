# A directory changes as a whole; what is replaced can be kept, a database with what its log holds.
. "$TESTS/fixture.sh"
make_store st
make_tree tree
cairn snapshot --quiet --store st ./tree
mkdir out
echo mine >out/mine
cairn restore --quiet --store st tree out --swap
ls out
echo "# Nothing is left beside it, and what was there can be kept."
ls -A | grep out
echo mine >out/mine
cairn restore --quiet --store st tree out --swap --keep-old
ls out
id=$(cairn list --store st --json | grep -o '"id":"[0-9a-f]*' | cut -c7-18)
ls "out.before-$id"
echo "# Where nothing is there, there is nothing to keep."
cairn restore --quiet --store st tree new --swap --keep-old
ls -d new*
echo "# A database, whose last commit is in its log alone."
sqlite3 app.db "CREATE TABLE t (a); INSERT INTO t VALUES ('new')"
cairn snapshot --quiet --store st ./app.db
rm app.db
python3 - <<EOF
import os, sqlite3
db = sqlite3.connect("app.db", isolation_level=None)
db.execute("PRAGMA journal_mode = WAL").fetchall()
db.execute("CREATE TABLE t (a)")
db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
db.execute("INSERT INTO t VALUES ('old')")
os._exit(0)
EOF
ls app.db*
cairn restore --quiet --store st app.db app.db --swap --keep-old
ls app.db* | sed 's/before-.*/before-ID/'
sqlite3 app.db 'SELECT a FROM t'
sqlite3 app.db.before-* 'SELECT a FROM t'
