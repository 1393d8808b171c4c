. "$TESTS/fixture.sh"
# What list says of drills, without ids and times.
proofs() {
  cairn list --store "$1" --json | python3 -c '
import json, sys
for snapshot in json.load(sys.stdin)["snapshots"]:
    drill = snapshot["drill"]
    print(snapshot["series"], "none" if drill is None else drill["outcome"])'
}
configure_files <<EOF
max_recovery_time = "1h"
drill_every = "7d"
EOF
echo "# A run rehearses the restore where that is due"
cairn run --dry-run
cairn run --quiet
cairn list | sed 's/.* proven/proven/'
printf more >>tree/a
cairn run --json | python3 -c '
import json, sys
print(json.load(sys.stdin)["sources"][0]["drill"])'
proofs st
cairn status --prometheus - | grep -o '^cairn_drill[a-z_]*{[^}]*}'
cairn show latest | grep drill | sed 's/[0-9].*//'
echo "# Its newest proof keeps a snapshot; a newer one takes its place"
for n in 1 2; do
  printf "$n" >>tree/a
  cairn snapshot --quiet files
done
cairn prune --store st --series files --keep-last 1 | grep -c 'newest proven by a drill'
cairn prune --quiet --store st --series files --keep-last 1 --apply
proofs st
cairn drill --quiet files
cairn prune --quiet --store st --series files --keep-last 1 --apply
proofs st
echo "# A drill of the other store, whose record goes into the first"
cairn push --quiet --from st --to offsite --all
cairn drill --quiet --store offsite --record-to st files
find offsite/drills -type f 2>/dev/null | wc -l
cairn list --store st | grep -o 'proven from another store' | sed q
