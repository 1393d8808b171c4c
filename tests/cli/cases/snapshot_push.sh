. "$TESTS/fixture.sh"
make_store st
make_store offsite
make_tree tree
mkdir -p "$XDG_CONFIG_HOME/cairn"
cat >"$XDG_CONFIG_HOME/cairn/cairn.toml" <<EOF
default_store = "local"
[stores.local]
url = "$PWD/st"
[stores.offsite]
url = "$PWD/offsite"
[stores.gone]
url = "$PWD/gone"
[sources.files]
type = "directory"
path = "$PWD/tree"
push_to = ["offsite"]
[sources.both]
type = "directory"
path = "$PWD/tree"
push_to = ["gone", "offsite"]
EOF
cairn snapshot files --push
cairn snapshot both --push
echo "exit $?"
cairn list --store offsite --json | grep -o '"series":"[a-z]*"'
cairn snapshot both --push --json
echo "exit $?"
cairn snapshot ./tree --push
