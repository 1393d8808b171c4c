# Five losses, each served by the store that the snapshot was pushed to.
. "$TESTS/fixture.sh"
mkdir tree
for i in 1 2 3 4 5 6; do head -c 300000 /dev/urandom >tree/f$i; done
echo text >tree/text
make_store st
make_store other
cairn snapshot --store st --series s ./tree --quiet
cairn push --from st --to other --quiet
cp -a st whole
data=$(cd st && find packs -type f -size +100k)
list=$(cd st && find packs -type f -size -100k)

restore() {
  rm -rf out "$HOME/.cache"
  cairn restore --store st s out --from other "$@" | grep -v '^  '
  echo "exit $?"
  diff -r tree out && echo same
}
lose() {
  echo "-- $1"
  rm -rf st
  cp -a whole st
  chmod -R u+w st
}
lose 'the pack with the content is gone'
rm "st/$data"
restore
lose 'it is cut short'
truncate -s 1000 "st/$data"
restore
lose 'a byte of it is another'
printf X | dd of="st/$data" bs=1 seek=900000 conv=notrunc status=none
restore
lose 'its directory is another'
printf X | dd of="st/$data" bs=1 seek=$(($(stat -c %s "st/$data") - 200)) conv=notrunc status=none
restore
lose 'the pack with the entry list is gone'
rm "st/$list"
restore
echo '-- planned, streamed, and without another store'
rm "st/$data"
rm -rf "$HOME/.cache"
cairn restore --store st s plan --from other --plan | grep -v '^  '
cairn restore --store st s - --tar --from other | tar -tf - | wc -l
cairn --json restore --store st s out2 --from other | jq -c .fallback
cairn restore --store st s none >/dev/null 2>&1
echo "exit $?"
echo '-- the other has it not'
make_store empty
cairn restore --store st s none --from empty --from other --quiet
diff -r tree none && echo same
