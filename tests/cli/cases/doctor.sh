# What is wrong before anything was made, after that, and at last; without what differs from machine to machine.
mkdir tree
echo content >tree/file
cat >cairn.toml <<CONFIG
default_store = "main"
[stores.main]
url = "$PWD/main"
[stores.off]
url = "$PWD/off"
[sources.tree]
type = "directory"
path = "$PWD/tree"
push_to = ["off"]
CONFIG
export CAIRN_CONFIG=$PWD/cairn.toml
look() {
  cairn doctor "$@" >out && status=0 || status=$?
  sed -E -n '/^source/,$p' out | sed -E '/directory .* free$/d; s/[0-9]+ (warnings?|things? (is|are) well)/N \1/g; s/[0-9.]+ m?s ago/NOW ago/'
  echo "exit $status"
}
echo "- no store"
look
cairn --quiet init --no-encryption
cairn --quiet init --no-encryption --store off
echo "- no snapshot"
look
cairn --quiet snapshot tree
echo "- not pushed, not drilled"
look
cairn --quiet run
cairn --quiet drill tree
sed -i 's/^push_to/max_age = "1h"\npush_to/' cairn.toml
echo "- what is left: all is on one disk"
look --all
find main/probe off/probe -type f
cairn doctor --store main --json | jq -c '[.schema, ([.findings[].subject] | unique), .counts.problem]'
