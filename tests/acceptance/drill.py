#!/usr/bin/env python3
"""Logical faults that every byte of a store is sound with: one drill before each, the default thresholds. All are told,
and most fail the drill; the record's signature is checked by the stock minisign. A row of FAULTS: a name, the kind of
source, and what is done to it; whether a drill is to fail for it (4) or only to tell (0)."""

import hashlib
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess

from support import Cairn, Workspace, check, main

SCHEMA = """
PRAGMA journal_mode = DELETE;
CREATE TABLE orgs(id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE users(id INTEGER PRIMARY KEY, org INTEGER NOT NULL REFERENCES orgs(id), email TEXT NOT NULL UNIQUE,
                   age INTEGER CHECK (age >= 0), note TEXT DEFAULT 'none', boss INTEGER REFERENCES users(id));
CREATE TABLE orders(id INTEGER PRIMARY KEY AUTOINCREMENT, user INTEGER NOT NULL REFERENCES users(id), total REAL, day TEXT);
CREATE TABLE items(order_id INTEGER REFERENCES orders(id), sku TEXT, PRIMARY KEY (order_id, sku)) WITHOUT ROWID;
CREATE TABLE settings(key TEXT PRIMARY KEY, value TEXT);
CREATE TABLE strict_log(id INTEGER PRIMARY KEY, at INTEGER) STRICT;
CREATE INDEX by_age ON users(age);
CREATE INDEX by_day ON orders(day, user);
CREATE UNIQUE INDEX by_note ON users(note, id);
CREATE VIEW adults AS SELECT * FROM users WHERE age >= 18;
CREATE TRIGGER on_order AFTER DELETE ON orders BEGIN DELETE FROM items WHERE order_id = old.id; END;
WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 20) INSERT INTO orgs SELECT x, 'org' || x FROM n;
WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 1000)
  INSERT INTO users SELECT x, 1 + x % 20, 'u' || x || '@example.net', x % 90, 'note' || x, NULL FROM n;
WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 3000)
  INSERT INTO orders SELECT x, 1 + x % 1000, x / 7.0, date('2026-01-01', '+' || (x / 10) || ' days') FROM n;
INSERT INTO items SELECT id, 'sku' || (id % 50) FROM orders;
INSERT INTO settings VALUES ('a', '1'), ('b', '2'), ('c', '3');
INSERT INTO strict_log SELECT id, id FROM users;
"""


def sql(script: str):
    def plant(path: pathlib.Path) -> None:
        connection = sqlite3.connect(path)
        # As an application, without foreign keys, and as whoever repairs a schema by hand.
        connection.executescript("PRAGMA foreign_keys = OFF; PRAGMA writable_schema = ON;" + script)
        connection.close()

    return plant


def rebuilt(table: str, columns: str, rest: str = ""):
    """The table made anew with another definition, as tools do that cannot alter it."""
    return sql(
        f"CREATE TABLE new_one({columns}) {rest}; INSERT INTO new_one SELECT * FROM {table}; DROP VIEW IF EXISTS adults;"
        f"DROP TABLE {table}; ALTER TABLE new_one RENAME TO {table};"
        "CREATE VIEW adults AS SELECT * FROM users WHERE age >= 18;"
    )


def without_index(name: str, change: str):
    """The change is not made in the index, as if it had been lost on the way."""
    return sql(
        f"CREATE TEMP TABLE kept AS SELECT * FROM sqlite_master WHERE name = '{name}';"
        f"DELETE FROM sqlite_master WHERE name = '{name}'; PRAGMA writable_schema = RESET; PRAGMA writable_schema = ON;"
        f"{change}; INSERT INTO sqlite_master SELECT * FROM kept; PRAGMA writable_schema = RESET;"
    )


def definition(name: str, old: str, new: str):
    return sql(f"UPDATE sqlite_master SET sql = replace(sql, '{old}', '{new}') WHERE name = '{name}'; PRAGMA writable_schema = RESET;")


def both(*plants):
    def plant(path: pathlib.Path) -> None:
        for each in plants:
            each(path)

    return plant


def bytes_at(offset: int, data: bytes):
    def plant(path: pathlib.Path) -> None:
        with open(path, "r+b") as f:
            f.seek(offset)
            f.write(data)

    return plant


def replaced_by(script: str):
    def plant(path: pathlib.Path) -> None:
        path.unlink()
        sql(script)(path)

    return plant


def older(path: pathlib.Path) -> None:
    """What it was before its last changes: nothing is lost by count."""
    shutil.copy2(path.with_suffix(".older"), path)


def unchanged(path: pathlib.Path) -> None:
    pass


USERS = "id INTEGER PRIMARY KEY, org INTEGER NOT NULL REFERENCES orgs(id), email TEXT NOT NULL UNIQUE, age INTEGER CHECK (age >= 0), note TEXT DEFAULT 'none', boss INTEGER REFERENCES users(id)"

POSTGRESQL = (
    "--\n-- PostgreSQL database dump\n--\n\nSET client_encoding = 'UTF8';\n\n"
    "CREATE TABLE public.orgs (\n    id integer,\n    name text\n);\n\nCREATE TABLE public.users (\n    id integer\n);\n\n"
    "COPY public.orgs (id, name) FROM stdin;\n" + "".join(f"{i}\torg{i}\n" for i in range(100)) + "\\.\n\n"
    "COPY public.users (id) FROM stdin;\n" + "".join(f"{i}\n" for i in range(2000)) + "\\.\n\n"
    "CREATE INDEX by_name ON public.orgs USING btree (name);\n\n--\n-- PostgreSQL database dump complete\n--\n\n"
)
MYSQL = (
    "-- MySQL dump 10.13  Distrib 8.0.36\n\nCREATE TABLE `orgs` (\n  `id` int\n);\n"
    + "".join(f"INSERT INTO `orgs` VALUES ({i});\n" for i in range(100))
    + "CREATE TABLE `users` (\n  `id` int\n);\n"
    + "".join(f"INSERT INTO `users` VALUES ({i});\n" for i in range(2000))
    + "-- Dump completed on 2026-11-30  3:00:00\n"
)


def text(change):
    def plant(path: pathlib.Path) -> None:
        path.write_text(change(path.read_text()))

    return plant


def without_lines(*words: str):
    return text(lambda dump: "".join(x for x in dump.splitlines(True) if not any(w in x for w in words)))


def sqlite_dump(path: pathlib.Path) -> None:
    connection = sqlite3.connect(path.with_suffix(".db"))
    connection.executescript(SCHEMA)
    dump = "PRAGMA foreign_keys=OFF;\n" + "\n".join(connection.iterdump()) + "\n"
    connection.close()
    path.with_suffix(".db").unlink()
    path.write_text(dump)


def make_tree(path: pathlib.Path) -> None:
    path.mkdir()
    for i in range(60):
        (path / f"file{i}").write_bytes(os.urandom(2000))
    (path / "sub").mkdir()
    sql(SCHEMA)(path / "sub" / "app.db")


def of_files(change):
    def plant(path: pathlib.Path) -> None:
        for file in sorted(path.glob("file*"))[:40]:
            change(file)

    return plant


def inside(plant):
    return lambda path: plant(path / "sub" / "app.db")


FAULTS = [
    # Wrong schema
    ("table lost", "sqlite", sql("DROP TABLE items"), 4),
    ("column lost", "sqlite", sql("DROP INDEX by_note; ALTER TABLE users DROP COLUMN note"), 4),
    ("column renamed", "sqlite", sql("ALTER TABLE users RENAME COLUMN age TO years"), 4),
    ("table renamed", "sqlite", sql("ALTER TABLE settings RENAME TO preferences"), 4),
    ("index lost", "sqlite", sql("DROP INDEX by_age"), 4),
    ("index not unique any more", "sqlite", sql("DROP INDEX by_note; CREATE INDEX by_note ON users(note, id)"), 4),
    ("index of other columns", "sqlite", sql("DROP INDEX by_day; CREATE INDEX by_day ON orders(user)"), 4),
    ("trigger lost", "sqlite", sql("DROP TRIGGER on_order"), 4),
    ("view lost", "sqlite", sql("DROP VIEW adults"), 4),
    ("type of a column changed", "sqlite", rebuilt("settings", "key TEXT PRIMARY KEY, value BLOB"), 4),
    ("foreign key lost", "sqlite", rebuilt("orders", "id INTEGER PRIMARY KEY AUTOINCREMENT, user INTEGER NOT NULL, total REAL, day TEXT"), 4),
    ("not null lost", "sqlite", rebuilt("orgs", "id INTEGER PRIMARY KEY, name TEXT"), 4),
    ("primary key lost", "sqlite", rebuilt("settings", "key TEXT, value TEXT"), 4),
    ("unique lost", "sqlite", rebuilt("users", USERS.replace(" UNIQUE", "")), 4),
    ("check lost", "sqlite", definition("users", "CHECK (age >= 0)", "                "), 0),
    ("default changed", "sqlite", definition("users", "DEFAULT ''none''", "DEFAULT ''nine''"), 0),
    ("trigger does something else", "sqlite", sql("DROP TRIGGER on_order; CREATE TRIGGER on_order AFTER DELETE ON orders BEGIN SELECT 1; END"), 0),
    ("view shows something else", "sqlite", sql("DROP VIEW adults; CREATE VIEW adults AS SELECT * FROM users"), 0),
    ("another application's database", "sqlite", replaced_by("CREATE TABLE wp_posts(id); INSERT INTO wp_posts VALUES (1)"), 4),
    ("a new, empty database", "sqlite", replaced_by("PRAGMA user_version = 1"), 4),
    # Lost rows
    ("schema without rows", "sqlite", sql("DELETE FROM items; DELETE FROM orders; DELETE FROM users; DELETE FROM orgs"), 4),
    ("six of ten users lost", "sqlite", sql("DELETE FROM strict_log WHERE id > 400"), 4),
    ("most orders lost", "sqlite", sql("DELETE FROM orders WHERE id > 300; VACUUM"), 4),
    ("one table empty", "sqlite", sql("DELETE FROM items"), 4),
    ("a small table empty", "sqlite", sql("DELETE FROM settings"), 4),
    ("just over half of a table", "sqlite", sql("DELETE FROM items WHERE order_id > 1400"), 4),
    ("rows moved to a new table", "sqlite", sql("CREATE TABLE log_old AS SELECT * FROM strict_log; DELETE FROM strict_log"), 4),
    ("a tenth of all orders", "sqlite", sql("DELETE FROM items WHERE order_id % 10 = 0; DELETE FROM orders WHERE id % 10 = 0"), 0),
    ("the last days", "sqlite", sql("DELETE FROM items WHERE order_id > 2900; DELETE FROM orders WHERE id > 2900"), 0),
    ("one row", "sqlite", sql("DELETE FROM strict_log WHERE id = 7"), 0),
    # Keys and indexes broken
    ("users of orders lost", "sqlite", sql("DELETE FROM users WHERE id = 5"), 4),
    ("orders of nobody", "sqlite", sql("UPDATE orders SET user = 99999 WHERE id = 17"), 4),
    ("parents lost", "sqlite", sql("DELETE FROM orgs WHERE id > 10"), 4),
    ("boss that is not there", "sqlite", sql("UPDATE users SET boss = 4711 WHERE id = 3"), 4),
    ("key to a table that is not there", "sqlite", definition("items", "REFERENCES orders", "REFERENCES 0rders"), 4),
    ("rows missing from an index", "sqlite", without_index("by_age", "INSERT INTO users(id, org, email, age) VALUES (2000, 1, 'x', 5)"), 4),
    ("index with rows that have gone", "sqlite", without_index("by_day", "DELETE FROM items WHERE order_id = 9; DELETE FROM orders WHERE id = 9"), 4),
    ("index with other values", "sqlite", without_index("by_age", "UPDATE users SET age = 70 WHERE id < 10"), 4),
    ("unique, and not so", "sqlite", without_index("by_note", "UPDATE users SET note = 'same'"), 4),
    ("not null, and null", "sqlite", both(sql("UPDATE settings SET value = NULL WHERE key = 'a'"), definition("settings", "value TEXT", "value TEXT NOT NULL")), 4),
    ("strict, and text", "sqlite", both(definition("strict_log", "STRICT", "      "), sql("UPDATE strict_log SET at = 'text' WHERE id = 5"), definition("strict_log", "      ", "STRICT")), 4),
    ("list of free pages lost", "sqlite", both(sql("DELETE FROM items; DELETE FROM orders WHERE id > 1600"), bytes_at(32, bytes(8))), 4),
    ("tables exchanged", "sqlite", sql("UPDATE sqlite_master SET rootpage = CASE name WHEN 'orgs' THEN (SELECT rootpage FROM sqlite_master WHERE name = 'strict_log') ELSE (SELECT rootpage FROM sqlite_master WHERE name = 'orgs') END WHERE name IN ('orgs', 'strict_log'); PRAGMA writable_schema = RESET"), 4),
    ("page of zeros", "sqlite", bytes_at(4096 * 12, bytes(4096)), 4),
    # Older files
    ("an older file", "sqlite", older, 0),
    ("nothing has changed", "sqlite", unchanged, 0),
    # Dumps
    ("dump cut at a statement's end", "postgresql", text(lambda d: d[: d.index("COPY public.users")]), 4),
    ("dump cut inside of a table", "postgresql", text(lambda d: d[: d.index("1500\n")]), 4),
    ("dump without its last words", "postgresql", text(lambda d: d[: d.index("--\n-- PostgreSQL database dump complete")]), 4),
    ("table missing from a dump", "postgresql", without_lines("public.users"), 4),
    ("dump of the schema alone", "postgresql", text(lambda d: "".join(x for x in d.splitlines(True) if not x[:1].isdigit())), 4),
    ("index missing from a dump", "postgresql", without_lines("CREATE INDEX"), 4),
    ("dump of another database", "postgresql", text(lambda d: d.replace("public.", "other.")), 4),
    ("a few rows missing from a dump", "postgresql", without_lines("19\n"), 0),
    ("dump of mysqldump cut at a statement's end", "mysql", text(lambda d: d[: d.index("INSERT INTO `users` VALUES (1500)")]), 4),
    ("table missing from it", "mysql", without_lines("CREATE TABLE `orgs`", "INTO `orgs`"), 4),
    ("most rows missing from it", "mysql", text(lambda d: "".join(x for x in d.splitlines(True) if "INTO `users`" not in x or "(1" in x and "00)" in x)), 4),
    (".dump cut at a statement's end", "dump", text(lambda d: d[: d.index("CREATE TABLE orders") if "CREATE TABLE orders" in d else len(d) // 2]), 4),
    (".dump without COMMIT", "dump", without_lines("COMMIT;"), 4),
    (".dump that ended in an error", "dump", text(lambda d: d.replace("COMMIT;", "ROLLBACK; -- due to errors")), 4),
    # Trees
    ("database missing from a tree", "tree", inside(lambda path: path.unlink()), 4),
    ("most files missing from a tree", "tree", of_files(lambda file: file.unlink()), 4),
    ("files of no length", "tree", of_files(lambda file: file.write_bytes(b"")), 4),
    ("rows of a database in a tree", "tree", inside(sql("DELETE FROM strict_log")), 4),
    ("schema of a database in a tree", "tree", inside(sql("DROP TABLE settings")), 4),
    ("text where a database was", "tree", inside(lambda path: path.write_text("moved\n")), 4),
]


class Sources:
    """Of each kind one, as it is before every fault."""

    def __init__(self, work: pathlib.Path):
        self.good = work / "good"
        self.now = work / "now"
        self.good.mkdir()
        self.now.mkdir()
        sql(SCHEMA)(self.good / "sqlite.db")
        shutil.copy2(self.good / "sqlite.db", self.good / "sqlite.older")
        sql("UPDATE users SET age = age + 1; UPDATE orders SET total = total + 1")(self.good / "sqlite.db")
        os.utime(self.good / "sqlite.older", (1_700_000_000, 1_700_000_000))
        (self.good / "postgresql.sql").write_text(POSTGRESQL)
        (self.good / "mysql.sql").write_text(MYSQL)
        sqlite_dump(self.good / "dump.sql")
        make_tree(self.good / "tree")

    def path(self, kind: str) -> pathlib.Path:
        return self.now / (kind if kind == "tree" else f"{kind}.db" if kind == "sqlite" else f"{kind}.sql")

    def reset(self) -> None:
        shutil.rmtree(self.now)
        shutil.copytree(self.good, self.now)

    def snapshot(self, cairn: Cairn, kind: str) -> str:
        guards = ["--allow-empty", "--max-drop", "100%"]
        path = self.path(kind)
        if kind in ("sqlite", "tree"):
            source = [str(path)]
        else:
            source = ["--", "cat", str(path)]
        done = cairn.run("--json", "snapshot", "--store", "store", "--series", kind, *guards, *source)
        return json.loads(done.stdout)["id"]


def check_record(cairn: Cairn, work: pathlib.Path, name: str) -> None:
    """As cairn-drill(1) says, with nothing but the stock programs."""
    record = (work / "store" / name).read_bytes()
    told = json.loads(record)
    digest = hashlib.sha256(record[: record.index(b',"signatures":')] + b"}\n").hexdigest()
    line = f"cairn-drill 1 {told['series']} {told['time']} {told['id']} {told['outcome']} {digest}\n"
    (work / "line").write_text(line)
    (work / "line.minisig").write_text(told["signatures"][0]["minisig"])
    verify = ["minisign", "-V", "-p", str(work / "sign.pem.pub"), "-m", str(work / "line")]
    done = subprocess.run(verify, capture_output=True)
    check(done.returncode == 0, f"minisign does not take the record: {done.stderr.decode()}")
    (work / "line").write_text(line.replace(" passed ", " failed "))
    check(subprocess.run(verify, capture_output=True).returncode != 0, "minisign takes another outcome")


def check_leaves_nothing(binary: str, work: pathlib.Path) -> None:
    """Directories that their owner may not write are removed, too, where he is not root."""
    home = work / "home"
    home.mkdir()
    deep = home / "tree" / "deep"
    deep.mkdir(parents=True)
    (deep / "file").write_text("text")
    deep.chmod(0o500)
    as_user = []
    if os.getuid() == 0:
        work.chmod(0o755)
        subprocess.run(["chown", "-R", "65534:65534", str(home)], check=True)
        as_user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    cairn = Cairn(binary, home)
    (home / "tmp").mkdir(mode=0o777)
    (home / "tmp").chmod(0o777)
    cairn.environment["TMPDIR"] = str(home / "tmp")
    for command in (["init", "--no-encryption"], ["snapshot", str(home / "tree")], ["drill"]):
        done = subprocess.run([*as_user, cairn.binary, command[0], "--store", str(home / "s"), *command[1:]], env=cairn.environment, capture_output=True, cwd="/")
        check(done.returncode == 0, f"{command}: {done.stderr.decode()}")
    left = os.listdir(home / "tmp")
    check(left == [], f"a drill left {left}")


def run(binary: str, args: list[str]) -> None:
    with Workspace("drill") as work:
        check_leaves_nothing(binary, work)
        cairn = Cairn(binary, work)
        os.chdir(work)
        cairn.run("key", "generate", "--signing", "sign.pem")
        cairn.environment["CAIRN_SIGNING_KEY"] = str(work / "sign.pem")
        cairn.run("init", "--store", "store", "--no-encryption")
        trusted = ["--trusted-key", str(work / "sign.pem.pub")]
        sources = Sources(work)
        sources.reset()
        for kind in dict.fromkeys(kind for _, kind, _, _ in FAULTS):
            sources.snapshot(cairn, kind)
            done = cairn.json("drill", "--store", "store", *trusted, kind)["drills"][0]
            check(done["outcome"] == "passed", f"the drill before, of {kind}: {done}")
            check_record(cairn, work, done["record"])
        wrong = []
        told_only = []
        failed = 0
        for name, kind, plant, expected in FAULTS:
            sources.reset()
            try:
                plant(sources.path(kind))
            except sqlite3.Error as e:
                raise AssertionError(f"{name}: {e}") from e
            sources.snapshot(cairn, kind)
            # Unrecorded, so that each is compared with the drill before them all.
            done = cairn.run("--json", "drill", "--store", "store", "--no-record", *trusted, kind, expect=None)
            drill = json.loads(done.stdout)["drills"][0]
            findings = [c for c in drill["checks"] if c["result"] in ("told", "failed")]
            if not findings:
                wrong.append(f"{name}: not told")
            elif done.returncode != expected:
                wrong.append(f"{name}: exit {done.returncode} instead of {expected}: {findings}")
            failed += done.returncode == 4
            if done.returncode == 0 and findings:
                told_only.append(f"{name}: {'; '.join(c['name'] + ': ' + c['message'] for c in findings)}")
        cairn.run("verify", "--store", "store", "--level", "full")
        print(f"{len(FAULTS)} faults that verify --level full passes: {failed} exit 4, {len(told_only)} told:")
        for each in told_only:
            print(f"  {each}")
        check(not wrong, "\n".join([f"{len(wrong)} faults:", *wrong]))
        check(len(FAULTS) >= 50 and failed >= 40, f"{failed} of {len(FAULTS)} fail a drill")


if __name__ == "__main__":
    main(run)
