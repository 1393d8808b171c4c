# A descriptor that says nothing of encryption does not keep keys from being tried on what is sealed all the same.
. "$TESTS/fixture.sh"
recipient=$(cairn --quiet key generate mk.key)
echo secret >note
cairn init --quiet --store m --recipient "$recipient"
cairn snapshot --quiet --store m ./note
make_store plain
rm -r m/config && cp -r plain/config m/config
CAIRN_STATE_DIR=$PWD/rescue cairn restore --quiet --store m note back 2>/dev/null
echo "exit $?"
CAIRN_STATE_DIR=$PWD/rescue cairn restore --quiet --store m --identity mk.key note back && cat back
CAIRN_STATE_DIR=$PWD/rescue cairn verify --level full --quiet --store m --identity mk.key
echo "exit $?"
