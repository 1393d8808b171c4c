# A store that is pruned while it is restored from: what was lost is named, and everything else is restored.
. "$TESTS/fixture.sh"
make_store st
mkdir tree
head -c 3000000 /dev/urandom >tree/a
cairn snapshot --quiet --store st ./tree
head -c 400000 /dev/urandom >tree/z
mkdir tree/sub
echo small >tree/sub/s
cairn snapshot --quiet --store st ./tree
first=$(find st/packs -type f -size +2000k)
cairn restore --json --store st tree out --limit-download 1MiB >said 2>errors &
# The plan is made when staging is there.
while [ -z "$(ls -A out 2>/dev/null)$(ls -d .cairn-restore-* 2>/dev/null)" ]; do sleep 0.01; done
rm -r st/snapshots "$first"
wait $!
echo "exit $?"
sed 's#packs/[0-9a-f/]*#PACK#g; s#'"$PWD"'#WORK#' errors
cmp tree/z out/z && cat out/sub/s
ls out
