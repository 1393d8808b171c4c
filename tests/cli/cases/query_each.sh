# One question to all snapshots of a series.
. "$TESTS/fixture.sh"
make_store st
sqlite3 app.db 'CREATE TABLE u(a)'
cairn snapshot --quiet --store st ./app.db --series app
sqlite3 app.db 'CREATE TABLE t(id INTEGER PRIMARY KEY, state TEXT); INSERT INTO t VALUES (7, "new")'
cairn snapshot --quiet --store st ./app.db --series app
sqlite3 app.db 'UPDATE t SET state = "paid"'
cairn snapshot --quiet --store st ./app.db --series app
ask() {
  cairn query --store st "$@"
  echo "exit $?"
}
ask app 'SELECT count(*) AS tables FROM sqlite_schema' --each
ask app 'SELECT state FROM t WHERE id = 7' --each
ask app 'SELECT state FROM t WHERE id = 7' --each --csv
ask app 'SELECT state FROM t WHERE id = 7' --each --json | sed 's/"requests":[0-9]*/"requests":N/'
ask app 'SELECT state FROM t' --each --until 1d
ask app 'SELECT state FROM t' --each --since 2020-01-01 --quiet
ask app 'SELECT * FROM t NATURAL JOIN old.t' --attach old=app@2999-01-01
ask app 'SELEC' --each
ask app 'DROP TABLE t' --each
ask other 'SELECT 1' --each
echo "# The reader goes away."
many='WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 100000) SELECT x FROM n'
{
  cairn query --store st app "$many" --each --csv
  echo "exit $?" >status
} | head -n 1
cat status
