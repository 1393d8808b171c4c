. "$TESTS/fixture.sh"
make_store st
python3 -c "
import sqlite3
db = sqlite3.connect('app.db')
db.execute('pragma journal_mode=wal')
db.execute('create table t(a)')
db.executemany('insert into t values(?)', [(i,) for i in range(1000)])
db.commit()
import os
os._exit(0)  # as a crash does: the -wal stays
"
ls app.db*
ln -s app.db link.db
cairn snapshot --quiet --store st ./app.db
cairn snapshot --quiet --store st ./link.db
cairn restore --quiet --store st app.db back.db
python3 -c "
import sqlite3
db = sqlite3.connect('back.db')
print(db.execute('pragma integrity_check').fetchone()[0], db.execute('select count(*) from t').fetchone()[0])"
cairn list --store st --json | grep -o '"kind":"[a-z]*","source":"[^"]*"'
