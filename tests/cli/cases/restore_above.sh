# Directories above what was asked for that the target has already keep what they are; what was asked for does not.
. "$TESTS/fixture.sh"
make_store st
make_tree tree
chmod 755 tree tree/sub
cairn snapshot --quiet --store st ./tree
mkdir -p t/sub
chmod 1777 t
chmod 2770 t/sub
cairn restore --quiet --store st tree t --path sub/b --overwrite
stat -c '%a %n' t t/sub t/sub/b
cairn restore --quiet --store st tree t --path sub --overwrite
stat -c '%a %n' t t/sub
cairn restore --quiet --store st tree t --overwrite
stat -c '%a %n' t
mkdir -m 1777 empty
cairn restore --quiet --store st tree empty --path sub/b
stat -c '%a %n' empty empty/sub
cairn restore --quiet --store st tree new --path sub/b
stat -c '%a %n' new new/sub
