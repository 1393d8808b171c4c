# A host that lost its state goes on with its series in an encrypted store, and is told what it costs.
. "$TESTS/fixture.sh"
recipient=$(cairn --quiet key generate key)
cairn init --quiet --store st --recipient "$recipient"
make_tree app
app() {
  cairn snapshot --quiet --store st ./app "$@"
  echo "exit $?"
}
export CAIRN_CACHE_DIR=$PWD/cache
app
echo "# The state and the cache are lost: told once, and the next run opens what this one stored."
rm -r "$CAIRN_STATE_DIR" cache
app
app
echo "# So it is with each of several paths."
make_tree other
cairn snapshot --quiet --store st ./other
rm -r "$CAIRN_STATE_DIR" cache
app
cairn snapshot --quiet --store st ./other
echo "exit $?"
echo "# There is no place for them: cron without HOME."
state=$CAIRN_STATE_DIR
for _ in 1 2; do CAIRN_STATE_DIR= CAIRN_CACHE_DIR= HOME= app; done
echo "# What is empty then may be a disk that is not mounted yet."
mv app full && mkdir app
CAIRN_STATE_DIR= CAIRN_CACHE_DIR= HOME= app
rmdir app && mv full app
echo "# By hand again, with the key that is older than those."
app
app
echo "# A host that had its key when another took the newest, and never took one, is a stranger."
CAIRN_STATE_DIR=$PWD/stranger CAIRN_CACHE_DIR=$PWD/strange cairn snapshot --quiet --store st ./other --series mine
sleep 0.01
app
export CAIRN_STATE_DIR=$PWD/stranger CAIRN_CACHE_DIR=$PWD/strange
app
echo "# But not for whom an identity opens it."
CAIRN_IDENTITY=$PWD/key app
cp -r app two
mkdir two/in
mv two/in two-in
mkdir else && mv two else/app
CAIRN_IDENTITY=$PWD/key cairn snapshot --quiet --store st ./else/app
echo "exit $?"
CAIRN_STATE_DIR=$state cairn verify --quiet --store st --identity key --level full
echo "exit $?"
