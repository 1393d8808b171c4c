# An old manifest that is damaged here, and whole where it was pushed to long ago, fails no push.
. "$TESTS/fixture.sh"
export CAIRN_CACHE_DIR= # what is in the store is read
configure_files </dev/null
cairn snapshot --quiet files --push
old=$(echo st/snapshots/files/*.json)
cairn snapshot --quiet files --push
python3 "$TESTS/edit_store.py" flip "$old" 20
run() {
  "$@" 2>&1 | sed 's/damaged manifest.*/damaged manifest/'
  echo "exit ${PIPESTATUS[0]}"
}
run cairn push --from st --to offsite
run cairn push --from st --to offsite --all
run cairn push --from st --to offsite latest
run cairn snapshot files --push
old=${old#st/}
rm "offsite/${old%-*}"-*
run cairn push --from st --to offsite --all
