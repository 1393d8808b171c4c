# A standby is kept at the newest snapshot: one look for cron, what is printed, what is refused, and a status file.
. "$TESTS/fixture.sh"
make_store st
make_tree tree
exec 2>&1
strip() { sed 's/snapshot [0-9a-f]*/snapshot ID/; s/cut at [^:]* [0-9:]* UTC/cut at TIME/; s/[0-9.]* [KB]*i*B fetched/SIZE fetched/; s/lag .*/lag TIME/'; }
cairn snapshot --quiet --store st ./tree
cairn restore --store st tree warm --follow --once --exec sh -c 'echo "${CAIRN_TARGET##*/} $CAIRN_SERIES"' | strip
diff -r tree warm && echo equal
cairn restore --store st tree warm --follow --once && echo nothing new
echo more than before >tree/a
rm tree/sub/b
cairn snapshot --quiet --store st ./tree
cairn restore --store st latest warm --series tree --follow --once --json --status-file status |
  python3 -c 'import json, sys; d = json.load(sys.stdin); print(d["schema"], d["outcome"], d["error"], d["result"]["deleted"])'
python3 -c 'import json; d = json.load(open("status")); print(d["outcome"], d["series"], d["target"])'
diff -r tree warm && echo equal
echo "# What was written there stays, until it is given up."
echo mine >warm/a
echo other than before >tree/a
cairn snapshot --quiet --store st ./tree
cairn restore --store st tree warm --follow --once | sed "s|$PWD|WORK|"
echo "exit ${PIPESTATUS[0]}"
cat warm/a
cairn restore --store st tree warm --follow --once --discard-local | strip
cat warm/a
echo "# A program that fails leaves what is in place."
echo the last that there is >tree/a
cairn snapshot --quiet --store st ./tree
cairn restore --quiet --store st tree warm --follow --once --exec false
echo "exit $?"
cat warm/a
echo "# One that is in doubt does not take the place of one that is not."
echo x >tree/a
cairn snapshot --quiet --store st ./tree 2>/dev/null
cairn restore --quiet --store st tree warm --follow --once
echo "exit $?"
cat warm/a
