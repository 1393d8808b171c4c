# A configuration from flags; what it says is what is left to do, word by word, and then a snapshot is there.
sqlite3 app.db 'CREATE TABLE t(a); INSERT INTO t VALUES (1);'
mkdir conf
echo a >conf/file
cairn --config "$PWD/etc/cairn.toml" setup --source app.db --source conf --store store --push-to second --encrypt \
  --every daily --timer cron >out 2>err
cat err
sed -E 's/^  # .*: /  crontab: /; s/ root cairn/ cairn/' out
ls -l etc | awk 'NR > 1 {print $1, $9}'
grep '^  cairn' out | sed 's/^  //' | while read -r line; do
  sh -c "$line" >said 2>&1 || echo "exit $? of: $line"
done
cairn --config "$PWD/etc/cairn.toml" list --store local --json | jq -c '.snapshots[] | [.series, .drill.outcome]'
grep -c . runbook.txt | awk '{print ($1 > 40) ? "a runbook" : "no runbook"}'
echo "- never again"
before=$(sha256sum etc/*)
cairn --config "$PWD/etc/cairn.toml" setup --source app.db --store other --no-encryption && exit 99
[ "$before" = "$(sha256sum etc/*)" ] || exit 98
mkdir other
touch other/sign.pem
cairn --config other/cairn.toml setup --source app.db --store st --encrypt --timer none && exit 97
ls other
echo "- nobody to ask"
cairn --config third/cairn.toml setup </dev/null && exit 96
cairn --config third/cairn.toml setup --store st </dev/null -- echo hi && exit 95
cairn --config third/cairn.toml setup --store st --no-encryption --timer none --json </dev/null -- echo hi |
  jq -c '[.schema, (.files | length), (.next | length)]'
