# Two runs of one series at a time: what the quicker one commits is no sign that somebody removed something.
. "$TESTS/fixture.sh"
snapshot() { cairn --quiet snapshot --store st --series s -- "$@"; }
make_store st
snapshot echo first
snapshot sh -c 'until [ -e go ]; do sleep .05; done; echo slow' &
sleep .5
snapshot echo quick
snapshot echo quicker
touch go
wait
snapshot echo last
cairn list --store st --json | grep -o '"id"' | wc -l
echo "# One that looked at the store before others, and reads its source after them, is the newest, and has a low number."
cp -r st others
for word in early earlier; do cairn --quiet snapshot --store others --series s -- echo $word; done
CAIRN_STATE_DIR=$PWD/state snapshot echo late
cp -rn others/. st/
snapshot echo last
cairn list --store st --json | grep -o '"id"' | wc -l
echo "# What was really removed is still missed, once."
ls st/snapshots/s/* | tail -3 | xargs rm
snapshot echo next
snapshot echo after
