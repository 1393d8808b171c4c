# What cairn-format(5) says about getting files back with jq, zstd, dd and age alone, run as it stands there.
make_block() { # NUMBER: the literal block of that number in the section, as shell text
  sed -n '/^\.Ss Recovery by hand/,$p' "$TESTS/../../man/cairn-format.5" |
    awk -v want="$1" '/^\.Bd/ { n++; on = 1; next } /^\.Ed/ { on = 0 } on && n == want' | sed 's/\\e/\\/g'
}
. "$TESTS/fixture.sh"
mkdir tree
seq 1 200000 >tree/a.txt
truncate -s 2M tree/holes
printf 'end\n' >>tree/holes
sqlite3 tree/big.db 'CREATE TABLE t(x); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)
  INSERT INTO t SELECT i FROM n'

recover() { # STORE BLOCK: with the commands for stores that are not sealed (2) or sealed (3)
  echo "== $1"
  cairn snapshot --quiet --store "$1" --series demo ./tree
  id=$(cairn list --store "$1" --json | jq -r '.snapshots[0].id')
  cd "$1"
  manifest=$(echo snapshots/demo/*.json)
  make_block 1 | sed "s|^M=.*|M=$manifest|" >../1.sh
  for n in $2 4 5 6; do make_block $n >../$n.sh; done
  . ../1.sh >../shown
  . ../$2.sh >../facts
  . ../4.sh
  . ../5.sh
  . ../6.sh
  for name in a.txt big.db; do cmp $name ../tree/$name && echo "$name is the same"; done
  jq -c 'select(.path == "holes").extents' "$T/entries" | extents | cmp - ../tree/holes && echo 'holes is the same'
  grep -c '^{"part":' "$T/entries" | sed 's/^[1-9][0-9]*$/it has parts/'
  grep -q "^$id  -\$" ../shown && echo 'the id is the same'
  pack=$(jq -r '.packs[0].name as $n | "packs/\($n[0:2])/\($n)"' "$manifest")
  make_block 7 | sed "s|^f=.*|f=$pack|" >../7.sh
  . ../7.sh
  head -c 8 directory && echo ' is what its directory begins with'
  test -s content && echo 'a data part decodes alone'
  rm -r "$T"
  cd ..
}
make_store plain
recover plain 2
cairn key generate --quiet key.txt >recipient
cairn init --quiet --store sealed --recipient "$(cat recipient)"
cp key.txt sealed/
recover sealed 3
jq -r .kind facts

# The sealed text of the page, and the seal of its only recipient.
sed -n '/^A sealed text, broken/,/^\.Ss Recovery/p' "$TESTS/../../man/cairn-format.5" >example
grep '^AGE-SECRET-KEY-' example >example.key
awk '/^YWdl/ { on = 1 } /^AGE/ { on = 0 } on' example | base64 -d | age -d -i example.key | od -An -c | tr -s ' '
age-keygen -y example.key | grep -xFf - example | sha256sum | sed 's/^\(.\{16\}\).*/age:\1/' | grep -cxFf - example
