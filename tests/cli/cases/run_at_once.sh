# Two runs at once: the second waits for the first, or leaves the source with status 11, and is not held up by one that was
# killed.
. "$TESTS/fixture.sh"
mkfifo go
configure_files <<EOF
before = [["sh", "-c", "echo \$PPID >first; test -e second || read x <go"]]
[sources.other]
type = "directory"
path = "$PWD/tree"
EOF
cairn run --quiet files &
first=$!
until [ -s first ]; do sleep 0.05; done
cairn run --no-wait files other 2>said
echo "exit $?"
sed "s/process $first\b/process of the first/" said
rm said
touch second
cairn run --if-older-than 1h files >waited 2>said &
waiting=$!
until [ -s said ]; do sleep 0.05; done
sed "s/process $first\b/process of the first/" said
echo >go
wait $first; echo "first: exit $?"
wait $waiting; echo "waiting: exit $?"
grep '^left\|^files' waited
rm second first
cairn run --quiet files &
killed=$!
until [ -s first ]; do sleep 0.05; done
disown $killed
kill -KILL $killed
while kill -0 $killed 2>/dev/null; do sleep 0.05; done
touch second
cairn run --quiet --no-wait files
echo "after a kill: exit $?"
echo >go
