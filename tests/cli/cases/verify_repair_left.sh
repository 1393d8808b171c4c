# A repair exits 0 only where nothing is left: not beside a snapshot that nobody vouches for, nor beside a damaged mark.
. "$TESTS/fixture.sh"
make_store st
make_store other
cairn key generate --quiet --signing key >/dev/null
repair() {
  cairn verify --store st --repair-from other "$@" >out 2>err
  echo "exit $?"
  sed -En "s/s@.*\)/SNAPSHOT/; s/'packs[^']*'/PACK/; /^(not|left)/p" out
  grep error err
}
cairn snapshot --quiet --store st --series s -- echo content
cairn push --quiet --from st --to other
rm "$(find st/packs -type f | head -n 1)"
repair --trusted-key key.pub
echo "# Without the key it is repaired."
repair
echo "# A mark that is empty."
mkdir -p st/marks && : >st/marks/20260101T000000.000000000Z-00112233445566778899aabbccddeeff.json
repair --level full
repair --level full --json && grep -o '"repair":.*' out
