# Of two manifests of one snapshot the newer is damaged: whoever names the snapshot gets the other, and is told.
. "$TESTS/fixture.sh"
export CAIRN_CACHE_DIR= # what is in the store is read
make_store st
make_store offsite
make_tree tree
cairn snapshot --quiet --store st ./tree
id=$(cairn list --store st --json | sed 's/.*"id":"\([0-9a-f]*\)".*/\1/')
first=$(echo st/snapshots/tree/*.json)
copy=$(python3 "$TESTS/edit_store.py" copy st)
run() {
  echo "--- ${*//$id/ID}" | tee /dev/stderr
  "$@"
  echo "status $?"
}
python3 "$TESTS/edit_store.py" flip "$copy" -20
run cairn restore --quiet --store st "$id" out1
run cairn restore --quiet --store st latest out2
diff -r tree out1 && diff -r tree out2 && echo 'they are the same'
run cairn show --quiet --store st latest | grep -E 'series|status'
run cairn list --quiet --store st --files tree | sed -E "s/^[dl-][rwx-]{9} .* //"
run cairn diff --quiet --store st "$id" "$id"
run cairn pin --quiet --store st latest
run cairn push --quiet --from st --to offsite
run cairn verify --quiet --store st "$id" | sed "s/(${id:0:16})/(ID16)/"
python3 "$TESTS/edit_store.py" flip "$first" -20
run cairn restore --quiet --store st "$id" out3
run cairn restore --quiet --store st latest out3
