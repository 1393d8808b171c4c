# Which series are fresh, by what the stores show: of the configured sources in all their stores, and of any store.
. "$TESTS/fixture.sh"
exec > >(tr -s ' ' | sed -E "s/='?[0-9]+s;/=AGEs;/g; s/(\"stored_bytes\":\[)[0-9,]+/\1BYTES/g; s/^(cairn_snapshot_stored_bytes.*\}) .*/\1 BYTES/") 2>&1
configure_files <<EOT
max_age = "1h"
[sources.dump]
type = "command"
command = ["echo", "text"]
EOT
status() {
  cairn status "$@"
  echo "# exit $?"
}
status
cairn snapshot --quiet files dump
status
cairn push --quiet --from local --to offsite
status files
echo "# A limit for all; other series than those of the configuration; no snapshot of that name."
sleep 1.1
status files --max-age 1s
status --store offsite
status --store offsite dump nothing
echo "# What cannot be relied on makes nothing fresh."
rm -r tree/*
cairn snapshot --quiet files 2>/dev/null
status files --max-age 1s
status files --max-age 1h --json
echo "# For monitors."
status --nagios files
status --nagios files --max-age 1s
status --nagios --store gone
status --prometheus - files | grep -v '^# [HT]' | sed -E 's/( [0-9]{10}).*/ TIME/'
(umask 077; cairn status --quiet files --prometheus cairn.prom)
stat -c '%a %n' cairn.prom
grep -c '^cairn_' cairn.prom
echo "# A store that is away: the others are looked at all the same."
rm -r offsite
status files
echo "# Without configured sources, the store that would be taken."
status --config /dev/null --store st
CAIRN_STORE=st cairn status --config /dev/null --quiet --max-age 1h dump
echo "# exit $?"
