# A snapshot that was just taken is pushed, whatever the target has: one of a clock that was ahead, or one that a quicker
# run took meanwhile.
. "$TESTS/fixture.sh"
configure_files <<EOC
[sources.dump]
type = "command"
command = ["sh", "-c", "eval \"\$DUMP\""]
push_to = ["offsite"]
EOC
count() { cairn list --store "$1" --series "$2" --json | grep -o '"id"' | wc -l; }
# The options are the slow one's.
overlapping() {
  rm -f begun go
  DUMP='touch begun; until [ -e go ]; do sleep .05; done; echo slow' cairn snapshot --quiet dump "$@" &
  until [ -e begun ]; do sleep .05; done
  DUMP='echo quick' cairn snapshot --quiet dump --push
  touch go
  wait $!
  echo "exit $?"
}
cairn snapshot --quiet files
python3 "$TESTS/edit_store.py" later st
cairn push --quiet --from st --to offsite
cairn snapshot files --push
echo "exit $?"
echo "# A push goes by the newest that is not of the future, too."
cairn snapshot --quiet files
cairn push --from st --to offsite
cairn push --from st --to offsite
echo "$(count st files) here, $(count offsite files) there"
echo "# Of two runs that overlap the quicker one is the newer."
overlapping --push
echo "$(count st dump) here, $(count offsite dump) there"
echo "# What is older is not pushed by itself, and nobody says that it is there."
overlapping
cairn push --from st --to offsite
cairn push --from st --to offsite --all
cairn push --from st --to offsite
