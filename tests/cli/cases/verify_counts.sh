# A snapshot counts once, whatever names it, and bytes count as verified where they were decoded.
. "$TESTS/fixture.sh"
make_store st
make_tree tree
cairn snapshot --quiet --store st ./tree
cairn verify --store st tree tree tree --level full | sed 's|[0-9.]* [KMi]*B of 2 packs|SIZE of 2 packs|'
cairn verify --store st tree latest --series tree --level full --json
# A repaired snapshot has two manifests. (Which of its packs was gone is chance, and so are the warnings.)
make_store other
cairn push --quiet --from st --to other
rm "$(find st/packs -type f -size -2 | head -n 1)"
cairn verify --quiet --store st --repair-from other >/dev/null
find st/snapshots -type f | wc -l
cairn verify --store st --level full --json 2>/dev/null
# A host that writes and has no identity decodes no content.
recipient=$(cairn key generate --quiet identity)
cairn init --quiet --store sealed --recipient "$recipient"
cairn snapshot --quiet --store sealed ./tree
cairn verify --store sealed --level full | sed 's|[0-9.]* [KMi]*B of 2 packs|SIZE of 2 packs|'
cairn verify --store sealed --level full --json
cairn verify --store sealed --level full --json --identity identity
