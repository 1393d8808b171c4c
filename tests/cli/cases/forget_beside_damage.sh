# What forget advises is a command that there is.
. "$TESTS/fixture.sh"
make_store st
for word in one two; do cairn --quiet snapshot --store st --series $word -- echo $word; done
chmod u+w st/snapshots/one/* && echo damage >"$(ls st/snapshots/one/*)"
export CAIRN_CACHE_DIR=
cairn forget --store st two 2>&1 | sed 's/^cairn: warning.*//'
echo "exit ${PIPESTATUS[0]}"
cairn prune --store st --set-aside "$(cd st && ls snapshots/one/*)" --quiet --apply 2>/dev/null
echo "exit $?"
echo "# The target of a push has to be made first."
cairn push --from st --to nothing
cairn snapshot --series st --store st -
echo "exit $?"
