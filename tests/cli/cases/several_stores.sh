# Of several sources some go to stores with which something is wrong: the others are saved, and all are told of.
. "$TESTS/fixture.sh"
make_tree tree
for name in first missing second damaged broken after; do
  printf '[sources.%s]\ntype = "directory"\npath = "%s"\n' "$name" "$PWD/tree"
  case $name in
    missing) echo 'store = "gone"' ;;
    damaged) echo 'store = "offsite"' ;;
    broken | after) echo 'store = "broken"' ;;
  esac
done >sources
printf '[stores.broken]\nurl = "%s"\n' "$PWD/broken" >>sources
configure_stores <sources
make_store broken
mkdir offsite/marks
echo '{}' >offsite/marks/20261121T100000.000000000Z-00112233445566778899aabbccddeeff.json
touch broken/packs
cairn snapshot first missing second
echo "exit $?"
cairn snapshot first damaged missing second --json
echo "exit $?"
cairn snapshot first broken second after
echo "exit $?"
echo "# One alone fails as a whole."
cairn snapshot missing --json
echo "exit $?"
cairn snapshot damaged
echo "exit $?"
cairn list --json | grep -o '"series":"[a-z]*"'
