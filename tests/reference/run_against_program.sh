#!/bin/bash
# Compare the independent reader with the program: run_against_program.sh PATH-OF-CAIRN [plain | sealed]
#
# Takes snapshots of a tree with every kind of entry, of databases and of a command's output with the program,
# restores each with both, and compares both with the source. Does so with a store that is not encrypted and with one
# that is, and signed; or with one of them. Prints every difference; exits non-zero at any. Needs zstd, age, minisign.
# Run as root to compare owners and devices too. TMPDIR must be on a file system with extended attributes and
# access control lists; about 400 MB are needed.
set -euo pipefail

cairn=$(realpath "${1:?usage: run_against_program.sh PATH-OF-CAIRN}")
if [ $# = 1 ]; then
  echo "a store that is not encrypted"
  "$0" "$cairn" plain
  echo "a store that is encrypted and signed"
  exec "$0" "$cairn" sealed
fi
here=$(dirname "$(realpath "$0")")
work=$(mktemp -d)
trap 'chmod -R u+rwx "$work"; rm -rf "$work"' EXIT
cd "$work"
# Nothing of the machine's own settings: an empty configuration, no keys, no stores.
unset "${!AWS_@}" "${!CAIRN_@}" "${!XDG_@}"
export HOME=$work TZ=Asia/Kathmandu CAIRN_CONFIG=/dev/null CAIRN_CACHE_DIR=$work/cache CAIRN_STATE_DIR=$work/state
failures=0
keys=()  # what both take to open a store and to trust it

reader() { python3 "$here/cairn_reader.py" "$@" "${keys[@]}"; }

fail() {
  echo "FAILED: $*" >&2
  failures=$((failures + 1))
}

# expect STATUS COMMAND...: the command ends with this status.
expect() {
  local wanted=$1 status=0
  shift
  "$@" > output 2>&1 || status=$?
  if [ "$status" != "$wanted" ]; then
    fail "$* ended with $status, not $wanted"
    cat output >&2
  fi
}

# same A B: two directories are the same, down to times, attributes and what is linked to what.
same() {
  rsync -aHAXnc -@-1 --numeric-ids --delete --itemize-changes "$1/" "$2/" > output 2>&1 || fail "rsync $1 $2"
  if [ -s output ]; then
    fail "$1 and $2 differ"
    head -n 40 output >&2
  fi
}

# A tree with every kind of entry; $1 is where.
make_tree() {
  python3 - "$1" <<'PYTHON'
import os, random, socket, sys

root = os.fsencode(sys.argv[1])
os.mkdir(root)
os.chdir(root)
noise = random.Random(1)


def write(name, data, mode=0o644):
    with open(name, "wb") as file:
        file.write(data)
    os.chmod(name, mode)


for name in (b"a", b"a/deep", b"empty directory", b"many", b"sticky"):
    os.mkdir(name)
write(b"a/file", b"hello, world\n")
write(b"a-file", b"sorts after what is in a\n")
write(b"a.file", b"", 0 if os.geteuid() == 0 else 0o400)
write(b"a/deep/random", noise.randbytes(30_000_000), 0o600)
write(b"compressible", b"the same line again\n" * 200_000, 0o755)
write(b"zeros", bytes(3_000_000))
write("uml\u00e4ut \U0001f642 \u202e".encode(), b"unicode\n")
write(b"\xff\xfe not UTF-8 \xc0\x80", b"bytes\n")
write(b"\xed\xa0\x80 surrogate", b"bytes\n")
write(b"control\n\t\x01\x7f\"\\", b"control\n")
write(b"x" * 255, b"long name\n")
write(b"set-id", b"#!/bin/sh\n", 0o6755)
os.chmod(b"sticky", 0o1777)
for i in range(2000):
    write(b"many/%d" % i, b"%d\n" % i * (i % 300))
with open(b"sparse", "wb") as file:
    file.truncate(50_000_000)
    for offset in (1_000_000, 20_000_000):
        file.seek(offset)
        file.write(noise.randbytes(100_000))
with open(b"only a hole", "wb") as file:
    file.truncate(5_000_000)
os.link(b"a/file", b"hard link")
os.link(b"a/file", b"a/deep/hard link")
os.symlink(b"a/file", b"symlink")
os.symlink(b"/nowhere/\xff", b"dangling")
os.symlink(b"t" * 4000, b"long symlink")
os.link(b"symlink", b"symlink hard link", follow_symlinks=False)
os.mkfifo(b"fifo", 0o620)
socket.socket(socket.AF_UNIX).bind(b"socket")
os.setxattr(b"a/file", b"user.empty", b"")
os.setxattr(b"a/file", b"user.bytes", bytes(range(256)))
os.setxattr(b"a/file", b"user.\xff", b"name")
os.setxattr(b"a", b"user.of a directory", b"value")
if os.geteuid() == 0:
    os.setxattr(b"symlink", b"trusted.symlink", b"value", follow_symlinks=False)
    os.setxattr(b"set-id", b"trusted.a", b"value")
    write(b"capable", b"x", 0o755)
    os.chown(b"capable", 12345, 12345)
    os.setxattr(b"capable", b"security.capability", bytes.fromhex("0100000200040000000000000000000000000000"))
    os.mknod(b"null", 0o020666, os.makedev(1, 3))
    os.mknod(b"block", 0o060640, os.makedev(259, 1048575))
    os.link(b"null", b"null hard link")
    for name in (b"a-file", b"set-id", b"symlink", b"fifo", b"null", b"a/deep"):
        os.chown(name, 12345, 54321, follow_symlinks=False)
    os.chown(b"compressible", 1, 2)
    os.chmod(b"set-id", 0o6751)
os.system("setfacl -m u:1:rw,g:2:x,m:rw a-file; setfacl -d -m u:2:rwx many; setfacl -m u:1:r a")
times = ((b"a/file", 1), (b"zeros", -1), (b"symlink", 10**18 + 987654321), (b"a-file", 4 * 10**18))
for name, moment in times:
    os.utime(name, ns=(moment, moment), follow_symlinks=False)
for name in (b"many", b"a/deep", b"a", b"."):
    os.utime(name, ns=(123456789, 1234567890123456789))
os.chmod(b"a/deep", 0o555)
os.chmod(b".", 0o751)
PYTHON
}

change_tree() {
  python3 - "$1" <<'PYTHON'
import os, sys

os.chdir(sys.argv[1])
with open("a/deep/random", "r+b") as file:
    for offset in range(0, 30_000_000, 1_000_000):
        file.seek(offset)
        file.write(b"changed")
    file.seek(12_345_678)
    rest = file.read()
    file.seek(12_345_678)
    file.write(b"inserted" + rest)
with open("sparse", "r+b") as file:
    file.seek(40_000_000)
    file.write(b"more")
os.unlink("compressible")
os.rename("many/5", "many/renamed")
for i in range(0, 2000, 7):
    if i != 5:
        os.chmod(f"many/{i}", 0o600)
os.chmod("a/deep", 0o755)
os.rename("a/deep/hard link", "a/moved")
os.symlink("elsewhere", "a/deep/new")
PYTHON
}

# A database in WAL mode, part of it still in the WAL; $2 says how large or how it changes.
change_database() {
  python3 - "$1" "$2" <<'PYTHON'
import os, random, sqlite3, sys

noise = random.Random(sys.argv[2])
base = sqlite3.connect(sys.argv[1])
base.execute("PRAGMA journal_mode = WAL")
base.execute("PRAGMA wal_autocheckpoint = 0")
base.execute("CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, value BLOB)")
if sys.argv[2] == "new":
    base.executemany("INSERT INTO t (value) VALUES (?)", ((noise.randbytes(900),) for _ in range(30000)))
    base.commit()
    base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
for _ in range(500):
    base.execute("UPDATE t SET value = ? WHERE id = ?", (noise.randbytes(900), noise.randrange(30000)))
base.commit()
os._exit(0)  # without the checkpoint of an orderly end
PYTHON
}

dump() { python3 -c 'import sqlite3, sys; print(*sqlite3.connect(sys.argv[1]).iterdump(), sep="\n")' "$1"; }

# both STORE REF NAME: restore a snapshot with both programs, to NAME.program and NAME.reader.
both() {
  expect 0 reader verify "$1" "$2"
  expect 0 "$cairn" restore --store "$1" "$2" "$3.program" "${keys[@]}"
  expect 0 reader restore "$1" "$2" "$3.reader"
}

id_of() { "$cairn" list --store "$1" --series "$2" --json | python3 -c '
import json, sys
print(max(json.load(sys.stdin)["snapshots"], key=lambda s: s["cut_point"])["id"])'; }

if [ "$2" = plain ]; then
  expect 0 "$cairn" init --store store --no-encryption
else
  for name in ours theirs; do
    expect 0 "$cairn" key generate "$name.txt"
    grep -om1 'age1[0-9a-z]*' output > "$name.recipient"
    expect 0 "$cairn" key generate --signing "$name.key"
    grep -om1 'RW[0-9A-Za-z+/]*' output > "$name.trusted"
  done
  expect 0 "$cairn" init --store store --recipient "$(cat ours.recipient)" --recipient "$(cat theirs.recipient)"
  keys=(--identity ours.txt --trusted-key "$(cat ours.trusted)")
  export CAIRN_SIGNING_KEY=$work/ours.key
fi

echo "a tree with every kind of entry"
make_tree tree
expect 0 "$cairn" snapshot --store store --series tree --tag why=test "$work/tree"
both store tree first
same tree first.program
same tree first.reader
first=$(id_of store tree)

echo "the tree after changes, and the first snapshot again"
change_tree tree
expect 0 "$cairn" snapshot --store store --series tree "$work/tree"
both store tree second
same tree second.program
same tree second.reader
both store "$first" again
same first.reader again.program
same first.reader again.reader
for name in sparse "only a hole"; do
  [ "$(du -k "first.reader/$name" | cut -f1)" -lt 1000 ] || fail "$name is not sparse"
done
expect 0 reader cat store "$first" a/file
cmp output first.program/a/file || fail "cat of a file"
expect 0 reader cat store "$first" "hard link"
cmp output first.program/a/file || fail "cat of a hard link"
chmod -R u+rwX tree first.* second.* again.*
rm -rf tree first.* second.* again.*

echo "a database, while part of it is in its WAL"
for state in new changed; do
  change_database app.db "$state"
  expect 0 "$cairn" snapshot --store store --series database "$work/app.db"
  both store database "$state"
  dump app.db > wanted
  for name in "$state.program" "$state.reader"; do
    dump "$name" | cmp - wanted || fail "the database $name has other content"
  done
  rm -f "$state".*-wal "$state".*-shm
  cmp "$state.program" "$state.reader" || fail "the databases of $state differ"
done

echo "the database within a directory"
mkdir service
change_database service/app.db new
echo "beside it" > service/config
expect 0 "$cairn" snapshot --store store --series service "$work/service"
both store service service
same service.program service.reader
dump service/app.db > wanted
dump service.reader/app.db | cmp - wanted || fail "the database in the directory has other content"

echo "the output of a command"
expect 0 "$cairn" snapshot --store store --series output -- seq 1 300000
both store output numbers
output=$(id_of store output)
seq 1 300000 | cmp - numbers.program || fail "the output of the command, by the program"
seq 1 300000 | cmp - numbers.reader || fail "the output of the command, by the reader"

echo "an empty directory, an empty file"
mkdir empty
: > nothing
for name in empty nothing; do
  expect 0 "$cairn" snapshot --store store --series "$name" "$work/$name"
  both store "$name" "$name"
done
same empty empty.program
same empty empty.reader
cmp nothing nothing.program || fail "the empty file, by the program"
cmp nothing nothing.reader || fail "the empty file, by the reader"

echo "an entry list with a level above it"
python3 - levels <<'PYTHON'
import os, sys

os.mkdir(sys.argv[1])
for i in range(60000):
    os.close(os.open(f"{sys.argv[1]}/{i:05} {'long name ' * 15}", os.O_CREAT))
PYTHON
expect 0 "$cairn" snapshot --store store --series levels "$work/levels"
python3 -c '
import glob, os
for i, name in enumerate(sorted(glob.glob("levels/*"))[::20]):
    os.utime(name, (0, i))'
expect 0 "$cairn" snapshot --store store --series levels "$work/levels"
both store levels high
same levels high.program
same levels high.reader
for name in store/snapshots/levels/*; do
  if [ "$2" = plain ]; then jq -j .root "$name"; else jq -j .root "$name" | base64 -d | age -d -i ours.txt; fi
done | jq -s -e 'any(.levels > 0)' > output || fail "no entry list has a level above it"

echo "the whole store"
expect 0 reader verify store
cp output verified
"$cairn" list --store store --json | python3 -c '
import json, sys
print(*sorted(s["id"] for s in json.load(sys.stdin)["snapshots"]), sep="\n")' > wanted
reader list store | cut -d" " -f1 | sort | cmp - wanted || fail "the lists of snapshots differ"

echo "damage is found by both"
python3 - store <<'PYTHON' > places
import os, random, sys

noise = random.Random(4)
files = sorted(os.path.join(path, name) for path, _, names in os.walk(sys.argv[1]) for name in names)
files = [name for name in files if name.split("/")[1] in ("packs", "snapshots")]
for name in noise.sample(files, 6):
    print(noise.randrange(os.path.getsize(name)), name)
PYTHON
while read -r offset name; do
  cp -p "$name" kept
  python3 -c '
import os, sys
file = os.open(sys.argv[1], os.O_RDWR)
offset = int(sys.argv[2])
byte = os.pread(file, 1, offset)[0]
os.pwrite(file, bytes([byte ^ 4]), offset)' "$name" "$offset"
  expect 4 reader verify store
  expect 4 "$cairn" verify --store store --level full "${keys[@]:0:2}"
  cp -p kept "$name"
done < places
expect 0 reader verify store
expect 0 "$cairn" verify --store store --level full "${keys[@]:0:2}"

if [ "$2" = sealed ]; then
  echo "keys"
  good=("${keys[@]}")
  keys=(--identity theirs.txt)
  both store output theirs
  cmp theirs.program theirs.reader || fail "the output, with the other identity"
  keys=()
  expect 12 reader restore store output none
  expect 12 "$cairn" restore --store store output none
  expect 0 reader list store
  [ "$(grep -c ' sealed$' output)" = "$(wc -l < output)" ] || fail "a list without identity"
  expect 0 "$cairn" key generate strange.txt
  keys=(--identity strange.txt)
  expect 12 reader restore store output none
  expect 12 "$cairn" restore --store store output none "${keys[@]}"
  keys=(--identity ours.txt --trusted-key "$(cat theirs.trusted)")
  expect 13 reader restore store output none
  expect 13 "$cairn" restore --store store "$output" none "${keys[@]}"
  [ ! -e none ] || fail "something was restored that should not be"

  echo "what is sealed to whom"
  keys=("${good[@]}")
  python3 - <<'PYTHON' || fail "something is not sealed as the page says"
import base64, glob, hashlib, json, struct, subprocess


def stanzas(data):
    return data[: data.index(b"\n---")].count(b"\n-> X25519 ")


def opened(data):
    command = ["age", "-d", "-i", "ours.txt"]
    return subprocess.run(command, input=base64.b64decode(data), stdout=-1, check=True).stdout


recipients = json.load(open(glob.glob("store/config/1-*")[0], "rb"))["recipients"]
assert recipients == sorted(recipients) and len(recipients) == 2
seal = "age:" + hashlib.sha256("".join(f"{r}\n" for r in recipients).encode()).hexdigest()[:16]
kinds = set()
for name in glob.glob("store/snapshots/*/*"):
    manifest = json.load(open(name, "rb"))
    assert manifest["seal"] == seal
    lists = json.loads(opened(manifest["lists"]))
    for pack, holds_list in zip(manifest["packs"], lists["holds_list"]):
        assert pack["seal"] == seal
        with open(f"store/packs/{pack['name'][:2]}/{pack['name']}", "rb") as file:
            data = file.read()
        offset, size = pack["directory"]
        assert struct.unpack_from("<I", data, 12) == (1,)
        assert stanzas(data[32:offset]) == (3 if holds_list else 2), pack["name"]
        assert stanzas(data[offset : offset + size]) == 3
        kinds.add(holds_list)
assert kinds == {False, True}
PYTHON
fi

if [ "$failures" != 0 ]; then
  echo "$failures differences" >&2
  exit 1
fi
echo "no difference"
