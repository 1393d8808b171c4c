#!/usr/bin/env python3
"""Random databases asked through `cairn query`: every answer is that of the restored copy by Python's sqlite3, with --each,
--attach and --path, from plain and from encrypted stores; what --insert prints puts the rows back. Then damage at random
places of the packs: a status that is not 0 and the pack's name, or the right answer, and never another one."""

import base64
import json
import os
import pathlib
import random
import shutil
import sqlite3
import subprocess

from support import Cairn, Workspace, check, main

DATABASES = 4
PLACES = 24
ROUNDS = 5

QUESTIONS = [
    "SELECT * FROM t ORDER BY id",
    "SELECT * FROM t WHERE k = 'k17' ORDER BY id",
    "SELECT count(*), sum(length(v)), max(n), min(r) FROM t",
    "SELECT k, count(*) AS c FROM t GROUP BY k ORDER BY c DESC, k LIMIT 7",
    "SELECT a.id, w.v FROM t a JOIN w ON w.k = a.k ORDER BY a.id, w.v LIMIT 50",
    "SELECT id FROM t ORDER BY id DESC LIMIT 400",
    "SELECT substr(v, 100000, 50) FROM t WHERE length(v) > 90000 ORDER BY id",
    "SELECT name, sql FROM sqlite_schema ORDER BY name",
    "SELECT s FROM summary",
    "PRAGMA integrity_check",
]


def value_of(rng: random.Random):
    kind = rng.randrange(8)
    if kind == 0:
        return None
    if kind == 1:
        return rng.getrandbits(63) - (1 << 62)
    if kind == 2:
        return rng.uniform(-1e9, 1e9) * 10 ** rng.randrange(-200, 200)
    if kind == 3:
        return rng.randbytes(rng.randrange(200))
    if kind == 4 and rng.random() < 0.05:
        return rng.randbytes(rng.randrange(90_000, 300_000))
    return "".join(rng.choice("abc'\"\n\r\0\x1b ,;äß☃") for _ in range(rng.randrange(60)))


def change(rng: random.Random, database: sqlite3.Connection, rows: int) -> None:
    for _ in range(rows):
        database.execute(
            "INSERT OR REPLACE INTO t VALUES (?, ?, ?, ?, ?)",
            (rng.randrange(5000), f"k{rng.randrange(40)}", value_of(rng), rng.getrandbits(62), rng.random()),
        )
        database.execute("INSERT OR REPLACE INTO w VALUES (?, ?)", (f"k{rng.randrange(60)}", value_of(rng)))
    database.execute("DELETE FROM t WHERE id % 11 = ?", (rng.randrange(11),))
    database.commit()


def make(rng: random.Random, path: pathlib.Path) -> None:
    database = sqlite3.connect(path)
    database.execute(f"PRAGMA page_size = {rng.choice([512, 1024, 4096, 65536])}")
    database.execute(f"PRAGMA encoding = '{rng.choice(['UTF-8', 'UTF-8', 'UTF-16le', 'UTF-16be'])}'")
    database.execute(f"PRAGMA journal_mode = {rng.choice(['wal', 'delete'])}")
    database.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, k TEXT, v, n INTEGER, r REAL)")
    database.execute("CREATE INDEX t_k ON t(k)")
    database.execute("CREATE TABLE w(k TEXT PRIMARY KEY, v) WITHOUT ROWID")
    database.execute("CREATE VIEW summary AS SELECT sum(n % 1000) AS s FROM t")
    change(rng, database, rng.choice([50, 1500]))
    database.close()


def plain(value):
    """A value as Python's sqlite3 has it, from JSON."""
    if not isinstance(value, dict):
        return value
    ((kind, text),) = value.items()
    if kind == "integer":
        return int(text)
    if kind == "real":
        return float(text)
    check(kind == "blob_b64", f"what is {kind}?")
    return base64.b64decode(text)


def ask(cairn: Cairn, *args, expect: int | None = 0) -> list[tuple]:
    """The rows, each with the id of its snapshot where there are several."""
    done = cairn.run("query", "--json", *args, expect=expect)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    out = []
    for line in lines:
        if "row" in line:
            row = tuple(plain(value) for value in line["row"].values())
            out.append((line["id"], row) if "id" in line else row)
    return out


def ask_copy(path: pathlib.Path, sql: str, attached: pathlib.Path | None = None) -> list[tuple]:
    database = sqlite3.connect(path)
    if attached is not None:
        database.execute("ATTACH ? AS old", (str(attached),))
    rows = database.execute(sql).fetchall()
    database.close()
    return rows


def answers(cairn: Cairn, rng: random.Random, work: pathlib.Path, store: list[str]) -> None:
    for number in range(DATABASES):
        source = work / "tree"
        shutil.rmtree(source, ignore_errors=True)
        (source / "sub").mkdir(parents=True)
        live = source / "sub" / "app.db"
        make(rng, live)
        series = f"s{number}"
        whole = number % 2 == 1
        ids = []
        for _ in range(ROUNDS):
            cairn.run("snapshot", "--quiet", *store, "--series", series, live if whole else source)
            shown = cairn.json("show", *store, series)
            ids.append(shown["id"])
            target = work / "copies" / shown["id"]
            cairn.run("restore", "--quiet", *store, series, target)
            database = sqlite3.connect(live)
            change(rng, database, rng.choice([1, 5, 200]))
            database.close()
        copies = [work / "copies" / one / ("" if whole else "sub/app.db") for one in ids]
        path = [] if whole else ["--path", "sub/app.db"]
        for sql in QUESTIONS:
            for k in (0, ROUNDS - 1):
                check(ask(cairn, *store, *path, ids[k], sql) == ask_copy(copies[k], sql), f"database {number}: {sql}")
            expected = [(one, row) for one, copy in zip(ids, copies) for row in ask_copy(copy, sql)]
            check(ask(cairn, *store, *path, series, sql, "--each") == expected, f"database {number}: each: {sql}")
        changed = "SELECT * FROM t EXCEPT SELECT * FROM old.t ORDER BY id"
        check(
            ask(cairn, *store, *path, ids[-1], changed, "--attach", f"old={ids[0]}") == ask_copy(copies[-1], changed, copies[0]),
            f"database {number}: attached",
        )
        put_back(cairn, store, path, ids[-1], copies[-1], work / "back.db")
    print(f"{DATABASES} databases, {ROUNDS} snapshots each, {len(QUESTIONS)} questions: equal")


def put_back(cairn: Cairn, store: list[str], path: list[str], one: str, copy: pathlib.Path, back: pathlib.Path) -> None:
    """All rows into an empty table, of a database of each encoding."""
    statements = cairn.run("query", *store, *path, one, "SELECT * FROM t", "--insert", "t").stdout
    for encoding in ("UTF-8", "UTF-16le"):
        back.unlink(missing_ok=True)
        database = sqlite3.connect(back)
        database.execute(f"PRAGMA encoding = '{encoding}'")
        database.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, k TEXT, v, n INTEGER, r REAL)")
        database.commit()
        database.close()
        done = subprocess.run(["sqlite3", "-bail", back], input=statements, capture_output=True)
        check(done.returncode == 0, f"sqlite3 does not take the statements: {done.stderr[-500:]!r}")
        check(ask_copy(back, QUESTIONS[0]) == ask_copy(copy, QUESTIONS[0]), f"what was put back differs ({encoding})")


def damaged(cairn: Cairn, rng: random.Random, work: pathlib.Path) -> None:
    store = work / "damaged"
    cairn.run("init", "--store", store, "--no-encryption")
    live = work / "app.db"
    database = sqlite3.connect(live)
    database.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, k TEXT, v, n INTEGER, r REAL)")
    database.execute("CREATE INDEX t_k ON t(k)")
    rows = [(i, f"k{i % 40}", rng.randbytes(700), i, 0.5) for i in range(4000)]
    database.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?)", rows)
    database.commit()
    database.close()
    cairn.run("snapshot", "--quiet", "--store", store, live, "--series", "app")
    questions = ["SELECT id, v FROM t ORDER BY id", "SELECT id FROM t WHERE k = 'k5' ORDER BY id"]
    expected = {sql: ask_copy(live, sql) for sql in questions}
    packs = [path for path in (store / "packs").rglob("*") if path.is_file()]
    seen = {0: 0, 4: 0}
    for _ in range(PLACES):
        pack = rng.choices(packs, [path.stat().st_size for path in packs])[0]
        content = pack.read_bytes()
        at = rng.randrange(len(content))
        os.chmod(pack, 0o600)
        pack.write_bytes(content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :])
        shutil.rmtree(work / ".cache", ignore_errors=True)
        for sql in questions:
            done = cairn.run("query", "--json", "--store", store, "app", sql, expect=None)
            lines = [json.loads(line) for line in done.stdout.splitlines()]
            got = [tuple(plain(value) for value in line["row"].values()) for line in lines if "row" in line]
            check(done.returncode in seen, f"{pack.name} at {at}: exit {done.returncode}: {done.stderr[-500:]!r}")
            seen[done.returncode] += 1
            if done.returncode == 0:
                check(got == expected[sql], f"{pack.name} at {at}: another answer")
            else:
                check(got == expected[sql][: len(got)], f"{pack.name} at {at}: wrong rows before the error")
                check(pack.name.encode() in done.stderr, f"the pack is not named: {done.stderr!r}")
        pack.write_bytes(content)
    print(f"{PLACES} places damaged: {seen[0]} answers, all right, and {seen[4]} times exit 4")
    check(seen[4] > PLACES // 2 and seen[0] > 0, "the damage was hardly met")


def run(binary: str, args: list[str]) -> None:
    rng = random.Random(int(args[0]) if args else 1)
    with Workspace("query") as work:
        cairn = Cairn(binary, work)
        cairn.run("init", "--store", work / "plain", "--no-encryption")
        answers(cairn, rng, work, ["--store", str(work / "plain")])
        key = work / "key"
        cairn.run("key", "generate", key)
        recipient = next(word for word in key.read_text().split() if word.startswith("age1"))
        cairn.run("init", "--store", work / "sealed", "--recipient", recipient)
        cairn.environment["CAIRN_IDENTITY"] = str(key)
        answers(cairn, rng, work, ["--store", str(work / "sealed")])
        damaged(cairn, rng, work)


if __name__ == "__main__":
    main(run)
