# --fallback previous: content of the snapshot is lost in one way after the other, and each time the newest earlier one
# that is whole, trusted and complete is restored instead, what was lost is named, and the exit status is 4.
. "$TESTS/fixture.sh"
make_store st
mkdir tree
head -c 300000 /dev/urandom >tree/a
head -c 300000 /dev/urandom >tree/b
take() {
  cairn snapshot --store st --series s ./tree --json "$@" | jq -r .id
}
take >first
head -c 300000 /dev/urandom >tree/c
ln tree/c tree/link
cp -a tree tree.second
take >second
# In doubt, and so not complete: there is much less.
mv tree away
mkdir tree
echo little >tree/a
take >doubtful 2>/dev/null
rm -r tree
mv away tree
before=$(cd st && find packs -type f | sort)
head -c 300000 /dev/urandom >tree/d
head -c 300000 /dev/urandom >tree/sub
take >third
data=$(cd st && find packs -type f -size +100k | sort | grep -vF "$before")
list=$(cd st && find packs -type f -size -100k | sort | grep -vF "$before")
manifest=$(cd st && find snapshots -type f -name "*-$(cut -c-16 ../third)-*")
cp -a st whole

lose() {
  echo "-- $1"
  echo "-- $1" >&2
  rm -rf st out "$HOME/.cache"
  cp -a whole st
  chmod -R u+w st
}
restore() {
  cairn restore --store st "$(cat third)" out --fallback previous "$@"
  echo "exit $?"
  diff -r tree.second out && echo second
}
lose 'nothing'
cairn restore --store st s out --fallback previous --quiet
echo "exit $?"
diff -r tree out && echo third
lose 'the pack with the content is gone: seen before anything is fetched'
rm "st/$data"
restore
rm -rf out
restore --json | head -1 | jq -c '[.id, .instead_of]' | sed "s/$(cat second)/SECOND/; s/$(cat third)/THIRD/"
rm -rf out
cairn restore --store st s out --fallback previous --plan | head -1
cairn restore --store st s out --fallback none --quiet >/dev/null 2>&1
echo "exit $?"
ls out
lose 'a byte of it is another: seen while it is restored'
printf X | dd of="st/$data" bs=1 seek=100000 conv=notrunc status=none
mkdir out
restore 2>said
sed 's/chunk [0-9]*/chunk N/' said >&2
ls -A out | tr '\n' ' '
echo
lose 'the pack with the entry list is gone'
rm "st/$list"
restore
lose 'the manifest is damaged'
printf X | dd of="st/$manifest" bs=1 seek=500 conv=notrunc status=none
cairn restore --store st s out --fallback previous
echo "exit $?"
diff -r tree.second out && echo second
lose 'content of the second, too: the first is left'
rm "st/$data"
for pack in $(cd st && find packs -type f -size +100k); do
  [ "$(stat -c %s "st/$pack")" -gt 500000 ] || rm "st/$pack"
done
cairn restore --store st s out --fallback previous
echo "exit $?"
ls out
lose 'all of it: nothing is restored, and what is there stays'
find st/packs -type f -size +100k -delete
mkdir out
touch out/mine
cairn restore --store st s out --fallback previous --overwrite
echo "exit $?"
ls -A out
lose 'another store has it: that comes first'
cp -a st other
rm "st/$data"
cairn restore --store st s out --fallback previous --from other --quiet
echo "exit $?"
diff -r tree out && echo third
lose 'the one between is nobody'"'"'s who is trusted'
cairn key generate --quiet --signing key >/dev/null
mkdir signed
for text in one two three; do
  echo $text >signed/text
  before=$(cd st && find packs -type f | sort)
  key=$PWD/key
  [ $text = two ] && key=
  CAIRN_SIGNING_KEY=$key cairn snapshot --quiet --store st --series t ./signed
done
rm $(find st/packs -type f | sed 's,^st/,,' | sort | grep -vF "$before" | sed 's,^,st/,')
cairn restore --store st t out --fallback previous --trusted-key key.pub --quiet
echo "exit $?"
cat out/text
lose 'a path that the earlier ones have not'
rm "st/$data"
cairn restore --store st s out --fallback previous --path d
echo "exit $?"
lose 'a live database'
sqlite3 app.db 'CREATE TABLE t(v); INSERT INTO t VALUES (1)'
cairn snapshot --quiet --store st ./app.db --series app
before=$(cd st && find packs -type f | sort)
sqlite3 app.db 'UPDATE t SET v = 2'
cairn snapshot --quiet --store st ./app.db --series app
sqlite3 app.db 'UPDATE t SET v = 3'
rm $(find st/packs -type f | sed 's,^st/,,' | sort | grep -vF "$before" | sed 's,^,st/,')
cairn restore --store st app app.db --live --fallback previous
echo "exit $?"
sqlite3 app.db 'SELECT v FROM t'
