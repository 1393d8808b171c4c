# A program that hangs is ended, deaf ones too, and one that leaves a child behind with its output open is not waited for.
. "$TESTS/fixture.sh"
configure_files <<EOF
hook_timeout = "300ms"
before = [["sh", "-c", "trap '' TERM; echo begun; sleep 1000; sleep 1000"]]
[sources.other]
type = "directory"
path = "$PWD/tree"
before = [["sh", "-c", "sleep 1000 & echo \$! >child; yes & echo \$! >loud"]]
EOF
timeout 60 cairn run --quiet
echo "exit $?"
kill $(cat child) && echo the silent child is left alone
