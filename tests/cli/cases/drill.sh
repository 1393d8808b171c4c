. "$TESTS/fixture.sh"
database() {
  python3 -c '
import sqlite3, sys
database = sqlite3.connect("app.db")
database.executescript(sys.argv[1])
database.close()' "$1"
}
# What a drill found, without what differs from run to run.
told() {
  python3 -c '
import json, sys
for drill in json.load(sys.stdin)["drills"]:
    if "series" not in drill:
        print(drill["name"], drill["error"]["kind"])
        continue
    print(drill["series"], drill["outcome"], "recorded" if drill["record"] else "not recorded",
          "waits" if drill["record_waits"] else "")
    for check in drill["checks"]:
        if check["result"] != "passed":
            print(" ", check["result"], check["name"] + ":", check["message"])'
}
drill() {
  cairn drill --json "$@" >out 2>err
  echo "exit $?"
  told <out
  cat err
}
database 'CREATE TABLE users(id INTEGER PRIMARY KEY, email TEXT UNIQUE);
  WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM n WHERE x < 1000) INSERT INTO users SELECT x, x FROM n;'
configure_stores <<EOF
[sources.app]
type = "sqlite"
path = "$PWD/app.db"
max_recovery_time = "1h"
[sources.app.drill]
max_row_drop = "20%"
checks = [{ command = ["sh", "-c", "test -f app.db && echo \$CAIRN_SOURCE"], output = "app" }]
EOF
cairn snapshot --quiet app
echo "# The first drill"
drill app
echo "# A few rows less are told, many are not taken, unless somebody has looked at it"
database 'DELETE FROM users WHERE id > 990'
cairn snapshot --quiet app
drill app
database 'DELETE FROM users WHERE id > 500; CREATE TABLE more(a)'
cairn snapshot --quiet app
drill --junit junit.xml app
grep -c '<testcase' junit.xml
grep '<failure' junit.xml
drill --accept app
drill app
echo "# The oldest is compared with nothing that came after it; several, and one that is not there"
drill --oldest --no-record app
drill --no-record app nothing
echo "# A pack is broken for the rehearsal"
before=$(find st -type f | sort | md5sum)
cairn drill --quiet --chaos app
echo "exit $?"
[ "$before" = "$(find st -type f | sort | md5sum)" ] && echo "nothing was written"
echo "# What is restored can be kept"
cairn drill --quiet --no-record --keep kept app
cmp kept/data/app.db app.db && echo "the same"
cairn drill --quiet --no-record --keep kept app
echo "exit $?"
ls "${TMPDIR:-/tmp}" | grep -c '^cairn-spool' || true
