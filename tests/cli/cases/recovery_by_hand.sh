# What cairn-format(5) says about getting files back with jq, zstd and dd alone, run as it stands there.
make_block() { # NUMBER: the literal block of that number in the section, as shell text
  sed -n '/^\.Ss Recovery by hand/,$p' "$TESTS/../../man/cairn-format.5" |
    awk -v want="$1" '/^\.Bd/ { n++; on = 1; next } /^\.Ed/ { on = 0 } on && n == want' | sed 's/\\e/\\/g'
}
. "$TESTS/fixture.sh"
make_store st
mkdir tree
seq 1 200000 >tree/a.txt
truncate -s 2M tree/holes
printf 'end\n' >>tree/holes
sqlite3 tree/big.db 'CREATE TABLE t(x); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)
  INSERT INTO t SELECT i FROM n'
cairn snapshot --quiet --store st --series demo ./tree
cd st
manifest=$(echo snapshots/demo/*.json)
make_block 1 | sed "s|^M=.*|M=$manifest|" >../1.sh
for n in 2 3 4 5; do make_block $n >../$n.sh; done
. ../1.sh >../shown
. ../2.sh
. ../3.sh
. ../4.sh
for name in a.txt big.db; do cmp $name ../tree/$name && echo "$name is the same"; done
jq -c 'select(.path == "holes").extents' "$T/entries" | extents | cmp - ../tree/holes && echo 'holes is the same'
grep -c '^{"part":' "$T/entries" | sed 's/^[1-9][0-9]*$/it has parts/'
id=$(cairn list --store . --json | jq -r '.snapshots[0].id')
grep -q "^$id  -\$" ../shown && echo 'the id is the same'
f=$(jq -r '.packs[0].name as $n | "packs/\($n[0:2])/\($n)"' "$M")
. ../5.sh
test -s content && echo 'a data part decodes alone'
rm -r "$T"
