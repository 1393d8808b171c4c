# A disk that is not mounted is an empty directory: it becomes no snapshot like any other, and displaces none.
. "$TESTS/fixture.sh"
recipient=$(cairn --quiet key generate key)
configure_stores <<EOF
[stores.sealed]
url = "$PWD/sealed"
[sources.app]
type = "directory"
path = "$PWD/app"
[sources.app.retention]
keep_last = 2
EOF
cairn init --quiet --store sealed --recipient "$recipient"
app() {
  cairn "$@" 2>&1
  local status=$?
  ((status == 0)) || echo "exit $status"
}
kept() { cairn prune --store "$1" --apply | grep -E -o '(keep|remove) .*[a-z0-9/]$' | grep -v manifest | sed 's/  */ /g'; }
for store in local sealed; do
  echo "# $store"
  mkdir -p app
  for n in 1 2 3; do echo "$n" >"app/$n"; done
  app snapshot --quiet --store "$store" app
  rm -r app
  mkdir app
  for _ in 1 2; do app snapshot --quiet --store "$store" app; done
  kept "$store"
  cairn list --store "$store" --json | grep -o '"files":[0-9]*\|"incomplete":[a-z]*\|"doubt":[a-z"]*' | paste -sd ' '
  app restore --quiet --store "$store" --identity key app "back-$store"
done
echo "# It may be right."
app snapshot --quiet --allow-empty app
app snapshot --quiet app
echo "# A limit of the user's commits nothing."
sed -i '/^path/a min_files = 1' "$XDG_CONFIG_HOME/cairn/cairn.toml"
app snapshot --quiet app
echo "# A database, and a path without a configuration."
sqlite3 ./data.db 'PRAGMA journal_mode = wal; CREATE TABLE t(x); INSERT INTO t SELECT zeroblob(200000)' >/dev/null
app snapshot --quiet ./data.db
sqlite3 ./data.db 'DELETE FROM t; VACUUM'
app snapshot --quiet ./data.db --max-drop 10%
app snapshot ./data.db
app snapshot --quiet ./data.db --max-drop 100%
app snapshot --quiet ./data.db
app snapshot --quiet ./data.db --max-drop half
echo "# A command that wrote something before."
app snapshot --quiet --series dump -- echo text
app snapshot --quiet --series dump -- true
app show dump | grep complete
echo "# forget says what it leaves."
cairn forget "$(cairn list --series dump --json | grep -o '"id":"[0-9a-f]*"' | head -1 | cut -d '"' -f 4)" | grep -o 'remove .*' | head -1
