# Of several sources some have nowhere to be pushed to, and some fail: each message says which.
. "$TESTS/fixture.sh"
configure_files <<EOC
[sources.here]
type = "directory"
path = "$PWD/tree"
series = "staying"
[sources.there]
type = "directory"
path = "$PWD/tree"
push_to = ["gone"]
[sources.dump]
type = "command"
command = ["sh", "-c", "exit 3"]
EOC
cairn snapshot files here --push
echo "exit $?"
cairn list --store offsite --json | grep -o '"series":"[a-z]*"'
cairn snapshot --quiet here dump --push
echo "exit $?"
cairn snapshot --quiet dump files --push
echo "exit $?"
cairn snapshot --quiet there files --push
echo "exit $?"
cairn snapshot --quiet dump
echo "exit $?"
cairn list --json | grep -o '"series":"[a-z]*"'
