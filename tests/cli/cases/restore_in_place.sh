# What is at the target becomes equal to the snapshot: the plan says what becomes of each path, and nothing of what is
# there already is fetched.
. "$TESTS/fixture.sh"
make_store st
make_tree tree
chmod 755 tree tree/sub
cairn snapshot --quiet --store st ./tree
cp -a tree t
echo other >t/a
chmod 600 t/sub/b
mkdir t/extra
echo mine >t/extra/file
ln -s /etc t/extra/link
rm t/link
cairn restore --store st tree t --in-place --delete --plan
cairn restore --store st tree t --in-place --delete --plan --json | python3 -c '
import json, sys
plan = json.load(sys.stdin)
for entry in plan["entries"]:
    print(entry["action"], entry["path"])
print({name: plan["plan"][name] for name in ("create", "change", "metadata", "keep", "delete")})'
ls t
cairn restore --store st tree t --in-place --json | python3 -c '
import json, sys
told = json.load(sys.stdin)
print(told["bytes_reused"], told["deleted"])'
ls t
cairn restore --quiet --store st tree t --in-place --delete
ls t
diff -r tree t
stat -c '%a %n' t/sub/b
echo "# What an incomplete snapshot lacks goes, too, and not without a word."
mkdir odd odd-target
head -c 8192 /dev/zero | tr '\0' x >odd/secret
head -c 100 /dev/zero >odd/secret-wal
cairn snapshot --quiet --store st --series odd ./odd 2>/dev/null
for plan in --plan ''; do
  # shellcheck disable=SC2086
  cairn restore --quiet --store st odd odd-target --in-place --delete $plan 2>&1 | grep incomplete | sed 's/snapshot [0-9a-f]*/snapshot ID/'
done
