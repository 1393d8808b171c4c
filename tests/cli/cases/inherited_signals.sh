. "$TESTS/fixture.sh"
make_store st
# What the parent ignores or blocks, the program inherits: perl and python leave SIGCHLD so.
(
  trap '' CHLD
  cairn snapshot --store st --series dump -- sh -c 'echo half; kill -9 $$'
)
echo "exit $?"
cairn list --store st --json | grep -o '"id"' | wc -l
mkfifo ready
python3 -c '
import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT, signal.SIGCHLD])
os.execvp("cairn", ["cairn", "snapshot", "--store", "st", "--series", "dump", "--",
                    "sh", "-c", "echo $PPID > ready; exec sleep 20"])' &
kill -TERM "$(cat ready)"
wait %1
echo "exit $?"
