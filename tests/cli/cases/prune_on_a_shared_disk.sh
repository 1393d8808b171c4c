# The store is the root of a disk that holds other things.
. "$TESTS/fixture.sh"
make_store disk
make_tree tree
cairn snapshot --quiet --store disk ./tree
mkdir -p disk/projects/app/.tmp-staging disk/.tmp-staging
for f in .tmp-notes projects/app/.tmp-notes projects/app/.tmp-staging/thesis .tmp-staging/pack .tmp-0123456789abcdef \
  packs/.tmp-0123456789abcdef; do
  echo x >"disk/$f"
  touch -d 2026-01-02T03:04:05Z "disk/$f"
done
cairn prune --quiet --store disk --series tree --keep-last 1 --apply
(cd disk && find . -name '.tmp-*' -type f -o -path '*/.tmp-staging/*' | sort)
