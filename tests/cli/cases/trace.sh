# CAIRN_TRACE names a file to which each request to a store is added, by every run; nobody else can read it.
. "$TESTS/fixture.sh"
make_tree tree
export CAIRN_TRACE=$PWD/trace
umask 000
cairn init --quiet --store st --no-encryption
stat -c %a trace
cairn snapshot --quiet --store st ./tree
cairn list --quiet --store st >/dev/null
python3 - <<'PYTHON'
import collections, json, os
lines = [json.loads(line) for line in open("trace")]
print(len({line["pid"] for line in lines}), "processes,", {os.path.basename(line["store"]) for line in lines})
print(*sorted({line["operation"] for line in lines}))
stored = [line["key"].split("/")[0] for line in lines if line["outcome"] == "stored"]
print("stored:", *sorted(set(stored)))
there = sum(len(files) for _, _, files in os.walk("st"))
kept = {line["key"] for line in lines if line["outcome"] == "stored"} - {key for line in lines for key in line.get("keys", ()) if line["operation"] == "remove"}
print("as many as there are:", len(kept) == there)
PYTHON
echo "# One that cannot be opened is a mistake, before anything is made."
CAIRN_TRACE=$PWD/none/trace cairn init --store other --no-encryption
echo "exit $?"
CAIRN_TRACE=AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ cairn list --store st
echo "exit $?"
ls
