. "$TESTS/fixture.sh"
make_store st
make_tree tree
cairn snapshot --quiet --store st ./tree
cairn snapshot --quiet --store st --series dump -- echo text
id=$(cairn list --store st --series dump --json | sed 's/.*"id":"\([0-9a-f]*\)".*/\1/')
for ref in dump "${id:0:8}" "$id" dump@0s "dump@2200-01-01" latest --series=dump; do
  [ "$ref" = --series=dump ] && set -- latest --series=dump || set -- "$ref"
  echo "--- ${1/$id/ID}"
  cairn show "$@" --store st 2>&1 | grep -E '^  series|error|hint'
done 2>&1 | sed "s/^--- [0-9a-f]\{8\}$/--- PREFIX/"
cairn show dump@2020-01-01 --store st
cairn show "${id:0:7}" --store st 2>&1 | sed "s/${id:0:7}/SHORT/"
