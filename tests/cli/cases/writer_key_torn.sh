# The host's own key, lost to a full disk, keeps nobody from what does not need it.
. "$TESTS/fixture.sh"
echo text >note
recipient=$(cairn --quiet key generate mk.key)
make_store plain
cairn init --quiet --store sealed --recipient "$recipient"
cairn snapshot --quiet --store sealed ./note
for content in '' AGE-SECRET-KEY-1TORN; do
  printf '%s' "$content" >"$CAIRN_STATE_DIR/writer.key"
  cairn snapshot --quiet --store plain ./note
  cairn list --quiet --store plain --json | grep -o '"series":"[a-z]*"' | tail -1
  cairn restore --quiet --store plain note "back$content" && cat "back$content"
  cairn list --store sealed --json | grep -o '"series":"[a-z]*"'
  cairn restore --store sealed --identity mk.key note "again$content" >/dev/null && cat "again$content"
done
