# Two sources and two stores: what each step says, the summary, the document, what is left alone, and that one that fails
# does not keep the other from being saved.
. "$TESTS/fixture.sh"
configure_files </dev/null
sed -i 's/^\[stores.local\]$/&\nprune = true/' "$XDG_CONFIG_HOME/cairn/cairn.toml"
cat >>"$XDG_CONFIG_HOME/cairn/cairn.toml" <<EOF
[sources.dump]
type = "command"
command = ["sh", "-c", "test ! -e broken && echo a dump"]
verify = "sample"
[groups.node]
sources = ["dump"]
[retention]
keep_last = 1
EOF
cairn run >out && status=0 || status=$?
# A sample is one of the names of packs, which are random.
sed -E 's/[0-9]+ B of [0-9]+ packs? read/a sample read/' out
echo "exit $status"
touch broken
cairn run --if-older-than 1h
echo "exit $?"
cairn run files dump
echo "exit $?"
cairn run --json --if-older-than 1h node files
echo "exit $?"
cairn run --json
echo "exit $?"
cairn run --quiet files
echo "exit $?"
cairn list --store offsite --json | grep -o '"series":"[a-z]*"'
cairn list --json | grep -o '"series":"[a-z]*"'
