# What a clock that was ahead dated is passed over, told of, and can be named by its id.
. "$TESTS/fixture.sh"
make_store st
take() { cairn snapshot --quiet --store st --series "$1" -- echo "$2"; }
# Makes the newest one of a series what a clock two days ahead wrote: by the store's own time of its manifest.
ahead() {
  local newest
  newest=$(ls "st/snapshots/$1" | tail -1)
  touch -d '2 days ago' "st/snapshots/$1/$newest"
  id=$(echo "$newest" | cut -d - -f 2)
}
get() {
  rm -f out
  cairn restore --quiet --store st "$1" out 2>&1 | seen
  [[ ! -f out ]] || cat out
}
seen() { sed -E 's/[0-9a-f]{16}/ID16/'; }
take app fresh
take app stale
ahead app
for reference in latest app app@2100-01-01; do
  get "$reference"
done
echo "# Its id names it."
get "$id"
cairn show --store st "$id" | grep 'cut point' | sed 's/[0-9].*Z/TIME/'
cairn list --store st | awk '{ print $NF }'
cairn list --store st --json | grep -o '"future_dated":[a-z]*' | paste -sd ' '
cairn verify --store st app 2>&1 | seen | head -2
cairn forget --store st latest 2>&1 | seen | grep -c 'passed over'
echo "# The next one does not follow it."
take app fresher 2>&1 | seen
cairn prune --store st --series app --keep-last 1 | grep -E -o '(keep|remove) .*' | head -3 | sed 's/  */ /g'
echo "# Alone it is not taken for the newest, either."
take lone stale
ahead lone
for reference in lone lone@2100-01-01; do
  get "$reference" | sed -E 's/[0-9a-f]{12} is of/ID12 is of/'
done
get "$id"
