# Files that say that they hold nothing, and hold something.
. "$TESTS/fixture.sh"
make_store st
cairn snapshot --quiet --store st --series version /proc/version
cairn snapshot --quiet --store st --series random /proc/sys/kernel/random --exclude uuid --exclude entropy_avail --exclude boot_id
cairn restore --quiet --store st version out && cmp out /proc/version && echo the same
cairn restore --quiet --store st random random && cmp random/poolsize /proc/sys/kernel/random/poolsize && echo the same
cairn diff --store st random /proc/sys/kernel/random | grep -c 'poolsize.*content' || :
