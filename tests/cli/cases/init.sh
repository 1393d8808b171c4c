cairn init --store st --no-encryption
cairn init --store st --no-encryption
echo "exit $?"
cairn init --store st --no-encryption --if-missing
cairn init --store st --no-encryption --if-missing --json
cairn init --store other
