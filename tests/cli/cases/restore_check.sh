# A restored database is checked before it takes its place: one that is broken leaves what is there alone, and is named.
. "$TESTS/fixture.sh"
make_store st
mkdir tree
python3 - <<'PYTHON'
import os, sqlite3
for name in ("tree/sound.db", "tree/broken.db", "alone.db"):
    db = sqlite3.connect(name)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("CREATE TABLE t (a)")
    db.executemany("INSERT INTO t VALUES (?)", [("x" * 100 + str(i),) for i in range(3000)])
    db.commit()
    db.close()
    if "sound" not in name:
        with open(name, "r+b") as file:
            file.seek(16384)
            file.write(b"\x5a" * 8192)
PYTHON
ln tree/broken.db tree/link
cairn snapshot --quiet --store st ./tree
cairn snapshot --quiet --store st ./alone.db
mkdir out
echo mine >out/broken.db
cairn restore --store st tree out --overwrite 2>&1 | sed 's/broken: .*;/broken: ...;/; s/^  .*//'
cat out/broken.db
ls out
echo "a snapshot of one file"
echo mine >file
cairn restore --quiet --store st alone.db file --overwrite 2>said
echo "exit $?"
sed 's/broken: .*;/broken: ...;/; s#'"$PWD"'#WORK#' said
cat file
echo "as it is"
cairn restore --quiet --store st alone.db file --overwrite --no-check
echo "exit $?"
cmp file alone.db && ls -d file*
