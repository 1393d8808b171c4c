# Programs around a restore: what they are told, that one before it keeps the target as it is, that one after it leaves
# the data in place, and that --exec takes all that follows.
. "$TESTS/fixture.sh"
configure_files <<EOF
restore.before = [["sh", "-c", "echo before \$CAIRN_SOURCE \$CAIRN_SERIES \$CAIRN_STORE \${CAIRN_TARGET#$PWD/}; test ! -e forbidden"]]
restore.after = [["sh", "-c", "echo after \$CAIRN_OUTCOME \${#CAIRN_SNAPSHOT} \${#CAIRN_CUT_POINT}; test \$CAIRN_LAG_SECONDS -lt 600; test ! -e unfinished"]]
restore.failed = [["sh", "-c", "echo failed \$CAIRN_OUTCOME \$CAIRN_EXIT_STATUS \${CAIRN_TARGET#$PWD/}"]]
before = [["echo", "of the snapshot"]]
EOF
exec 2>&1
cairn snapshot --quiet files
strip() { sed 's/snapshot [0-9a-f]*/snapshot ID/; s/cut at .* UTC/cut at TIME/; s/; [0-9.]* .*s$/; TIME/'; }
cairn restore files out | strip
cat out/a
touch forbidden
cairn restore files not-there
echo "exit $?"
ls -d not-there
rm forbidden
touch unfinished
cairn restore --quiet files second
echo "exit $?"
cat second/a
cairn restore --json files third 2>/dev/null | grep -o '"hook_failures".*'
rm unfinished
echo "# A restore that fails, and one that cannot even begin."
echo in the way >out/b
cairn restore --quiet files out
echo "exit $?"
cairn restore --quiet nothing out
echo "exit $?"
echo "# All that follows is the program's."
cairn restore files fourth --no-hooks --exec printf '<%s>\n' --json '$HOME' '' -- '*' | strip
echo "exit ${PIPESTATUS[0]}"
cairn restore files fifth --exec sh -c 'echo "$CAIRN_SOURCE ${CAIRN_TARGET##*/}"; exit 3' | strip
echo "exit ${PIPESTATUS[0]}"
cat fifth/a
cairn snapshot --quiet --store st --series alone ./tree
cairn restore --quiet alone sixth --exec sh -c 'echo "[$CAIRN_SOURCE] $CAIRN_SERIES" >&2; exit 1'
echo "exit $?"
echo "# Nothing of the kind with a plan, or to standard output."
cairn restore --quiet files seventh --plan --exec touch ran >/dev/null && test ! -e ran && echo no program
cairn restore --quiet files - --path a
cairn restore files - --path a --exec true
echo "exit $?"
