. "$TESTS/fixture.sh"
modes() { find "$1" ! -path "*/.tmp-*" -printf '%y %m\n' | sort | uniq -c | sed 's/^ *[0-9]* //'; }
make_tree tree
for mask in 022 077; do
  (
    umask "$mask"
    cairn init --quiet --store "own-$mask" --no-encryption
    cairn snapshot --quiet --store "own-$mask" --series tree ./tree
    cairn pin --quiet --store "own-$mask" tree
    cairn init --quiet --store "shared-$mask" --no-encryption --shared
    cairn push --quiet --from "own-$mask" --to "shared-$mask"
    cairn init --quiet --store "shared-$mask" --no-encryption --shared --if-missing
    echo "umask $mask"
    modes "own-$mask"
    echo "shared"
    modes "shared-$mask"
  )
done
cairn init --store own-022 --no-encryption --shared --if-missing
echo "exit $?"
cairn init --store s3://bucket/prefix --no-encryption --shared
echo "exit $?"
umask 022
mkdir before
cairn init --store before --no-encryption --shared
modes before
