. "$TESTS/fixture.sh"
make_tree tree
mkdir -p "$XDG_CONFIG_HOME/cairn"
cat >"$XDG_CONFIG_HOME/cairn/cairn.toml" <<EOF
default_store = "local"
[stores.local]
url = "$PWD/st"
[sources.files]
type = "directory"
path = "$PWD/tree"
exclude = ["sub"]
[sources.dump]
type = "command"
command = ["echo", "text"]
[sources.broken]
type = "directory"
path = "$PWD/missing"
[groups.node]
sources = ["files", "dump"]
EOF
cairn init --no-encryption
cairn snapshot node
cairn snapshot files broken dump
echo "exit $?"
cairn snapshot files broken --json
echo "exit $?"
cairn list files --files --json | grep -o '"path":"[^"]*"'
cairn snapshot nod
