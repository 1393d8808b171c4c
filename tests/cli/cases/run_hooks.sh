# What programs are told and what becomes of their output; that a source without what comes before it is not captured, and
# that snapshot of a configured source runs them as well.
. "$TESTS/fixture.sh"
configure_files <<EOF
before = [["sh", "-c", "echo before \$CAIRN_SOURCE \$CAIRN_SERIES \$CAIRN_STORE; printf 'a\\\\033[31mb\\\\tc\\\\n' >&2; test ! -e unmounted"]]
after = [["sh", "-c", "echo after \$CAIRN_OUTCOME \$CAIRN_EXIT_STATUS \${#CAIRN_SNAPSHOT} \$CAIRN_CUT_POINT"]]
failed = [["sh", "-c", "echo failed \$CAIRN_OUTCOME \$CAIRN_EXIT_STATUS"]]
finally = [["sh", "-c", "echo finally \$CAIRN_OUTCOME; cairn list --json | grep -o series...files"]]
[sources.other]
type = "directory"
path = "$PWD/tree"
after = [["false"]]
[groups.node]
sources = ["files", "other"]
before = [["echo", "of the group"]]
finally = [["sh", "-c", "echo finally of the group \$CAIRN_OUTCOME; exit 5"]]
EOF
exec 2>&1
cairn run files
echo "exit $?"
touch unmounted
cairn run node
echo "exit $?"
cairn snapshot files
echo "exit $?"
cairn snapshot --json other | sed 's/.*"hook_failures"/"hook_failures"/'
echo "exit ${PIPESTATUS[0]}"
cairn snapshot --json node | grep -o '"hook_failures".*'
cairn snapshot --quiet --dry-run files && echo no program
rm unmounted
cairn run --quiet files && echo silent
cairn snapshot --quiet ./tree && echo none of a path
cairn list --json | grep -o '"series":"[a-z]*"'
