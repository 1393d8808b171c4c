# The stores that a run writes to are left out wherever they are met: below the source, and mounted there once more.
. "$TESTS/fixture.sh"
configure_files </dev/null
mkdir tree/once tree/twice tree/sub/offsite tree/other other
echo other >other/file
as_root=--map-root-user
if [ "$(id -u)" = 0 ]; then as_root=; fi
unshare $as_root --mount sh -ec '
  mount --bind st tree/once
  mount --bind st/../st tree/twice
  mount --bind offsite tree/sub/offsite
  mount --bind other tree/other
  cairn snapshot --quiet files
  cairn list --files files
  echo "# Nor are they a difference."
  cairn diff files ./tree
'
