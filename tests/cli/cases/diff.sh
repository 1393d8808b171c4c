. "$TESTS/fixture.sh"
make_store st
make_tree tree
cairn snapshot --quiet --store st ./tree
printf 'other\n' >tree/a
touch -d 2026-01-02T03:04:05Z tree/a
chmod 600 tree/sub/b
rm tree/link
printf 'new' >tree/"$(printf 'n\new')"
touch -d 2026-01-02T03:04:05Z tree tree/n*
cairn snapshot --quiet --store st ./tree --reread
first=$(cairn list --store st --json | grep -o '"id":"[0-9a-f]*"' | head -1 | cut -d'"' -f4)
cairn diff "$first" latest --store st
cairn diff latest "$first" --store st --quiet
cairn diff latest ./tree --store st
rm tree/a
cairn diff latest ./tree --store st --json | sed 's/"before":{[^}]*}/BEFORE/; s/"after":{[^}]*}/AFTER/'
cairn diff latest ./missing --store st
