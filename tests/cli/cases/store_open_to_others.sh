# A store of before permissions were recorded goes by the umask, and whoever writes to it is told once.
. "$TESTS/fixture.sh"
umask 022
chmod 755 .. .
make_tree tree
make_store st
python3 "$TESTS/edit_store.py" descriptor st ',"permissions":"owner"' ''
chmod 755 st st/config
cairn list --store st --quiet
cairn snapshot --quiet --store st --series tree ./tree
cairn snapshot --quiet --store st --series tree ./tree
find st/packs -type f -printf '%m\n' | sort -u
CAIRN_STATE_DIR=$PWD/other
export CAIRN_STATE_DIR
chmod 700 st
cairn snapshot --quiet --store st --series tree ./tree
chmod 755 st
cairn verify --quiet --store st
cairn snapshot --quiet --store st --series tree ./tree
