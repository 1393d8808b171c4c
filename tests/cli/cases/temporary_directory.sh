# A TMPDIR that is no directory is named by whatever needs one, and stands in nobody else's way; an empty one is none.
. "$TESTS/fixture.sh"
make_store st
make_store other
make_tree tree
touch file
TMPDIR= cairn snapshot --store st ./tree
for TMPDIR in "$PWD/none" "$PWD/file" relative; do
  cairn snapshot --quiet --store st ./tree
  echo "exit $?"
done
cairn push --quiet --from st --to other
echo "exit $?"
mkdir -p "$XDG_CONFIG_HOME/cairn"
echo "spool_dir = \"$PWD/spool\"" >"$XDG_CONFIG_HOME/cairn/cairn.toml"
cairn snapshot --quiet --store st ./tree && cairn push --quiet --from st --to other
echo "exit $?"
: >"$XDG_CONFIG_HOME/cairn/cairn.toml"
cairn restore --quiet --store st tree out && cairn verify --quiet --store st --level full && cairn list --store st --json | grep -c series
