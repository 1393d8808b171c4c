. "$TESTS/fixture.sh"
make_store st
cairn snapshot --store st --series dump -- sh -c 'echo one; echo two'
cairn restore --quiet --store st dump dump.out && cat dump.out
cairn snapshot --store st --series dump -- sh -c 'echo one; exit 4'
echo "exit $?"
cairn snapshot --store st --series dump -- ./no-such-program
echo "exit $?"
cairn list --store st --json | grep -o '"id"' | wc -l
cairn snapshot --store st -- true
