. "$TESTS/fixture.sh"
configure_files <<EOF
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
