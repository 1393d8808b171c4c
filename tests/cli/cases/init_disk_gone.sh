# The disk with a store that this host knows is not mounted: no empty one takes its place without a word.
. "$TESTS/fixture.sh"
mkdir mnt
cairn init --quiet --store mnt/st --no-encryption --if-missing
cairn snapshot --quiet --store mnt/st --series app -- echo one
mv mnt disk && mkdir mnt
cairn init --store mnt/st --no-encryption --if-missing
echo "exit $?; made: $(ls mnt)"
echo "# Nor where the mount point is the store."
mkdir mnt/st
cairn init --store mnt/st --no-encryption --if-missing
echo "exit $?; made: $(ls mnt/st)"
echo "# It is there again."
rmdir mnt/st mnt && mv disk mnt
cairn init --store mnt/st --no-encryption --if-missing --quiet
echo "exit $?"
echo "# Whoever says that it shall be made gets it."
rm -r mnt/st
cairn init --quiet --store mnt/st --no-encryption
echo "exit $?"
echo "# Another program's way of writing a remote place is no directory."
cairn init --store s3:https://minio.example.net/bucket/x --no-encryption
echo "exit $?"
cairn init --store b2:bucket --no-encryption
echo "exit $?"
cairn init --quiet --store ./b2:bucket --no-encryption && ls -d ./b2:bucket
