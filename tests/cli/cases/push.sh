. "$TESTS/fixture.sh"
make_store st
make_store offsite
make_tree tree
cairn snapshot --quiet --store st ./tree
cairn snapshot --quiet --store st ./tree
cairn push --from st --to offsite
cairn push --from st --to offsite
cairn push tree --from st --to offsite --json
rm -r st
cairn restore --quiet --store offsite tree out && diff -r tree out && echo same
cairn verify --quiet --store offsite --level full
cairn push --from offsite --to offsite
