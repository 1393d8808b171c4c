# Whoever can delete the descriptor of a sealed store must not thereby have what follows stored in the clear.
. "$TESTS/fixture.sh"
recipient=$(cairn --quiet key generate mk.key)
other=$(cairn --quiet key generate other.key)
echo secret >note
cairn init --quiet --store m --recipient "$recipient"
cairn snapshot --quiet --store m ./note
cp -r m/config config.kept
rm -r m/config
for choice in "--no-encryption" "--no-encryption --if-missing" "--recipient $other"; do
  cairn init --store m $choice 2>&1 | sed 's/age1[0-9a-z]*/age1.../g'
  echo "exit ${PIPESTATUS[0]}"
done
ls m | grep config
echo "# A host that knows nothing of the store does not guess what it was."
CAIRN_STATE_DIR=$PWD/elsewhere cairn init --store m --no-encryption
echo "exit $?"
echo "# Nor may it be accepted as gone."
cairn key accept --store m 2>/dev/null
cairn init --store m --no-encryption 2>/dev/null
echo "exit $?"
echo "# With the same recipients it is made again, and is the store it was."
cairn init --store m --recipient "$recipient"
cmp <(grep -o '"store_id":"[0-9a-f]*"' config.kept/*) <(grep -o '"store_id":"[0-9a-f]*"' m/config/*) && echo "the same id"
cairn snapshot --quiet --store m ./note
cairn restore --quiet --store m --identity mk.key note back && cat back
echo "# So it is with the id from the configuration."
rm -r m/config
id=$(grep -oh '"store_id":"[0-9a-f]*"' config.kept/* | cut -d'"' -f4)
printf '[stores.m]\nurl = "%s/m"\nstore_id = "%s"\n' "$PWD" "$id" >cairn.toml
CAIRN_STATE_DIR=$PWD/elsewhere cairn --config cairn.toml init --store m --recipient "$recipient" --quiet
echo "exit $?"
echo "# A store that has gone may be followed by another one, once that is accepted."
rm -r m
cairn init --store m --no-encryption 2>&1 | sed 's/age1[0-9a-z]*/age1.../g'
cairn key accept --store m && cairn init --quiet --store m --no-encryption
echo "exit $?"
