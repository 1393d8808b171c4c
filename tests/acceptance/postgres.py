#!/usr/bin/env python3
"""Dumps of a real PostgreSQL as command sources: restored by pg_restore to an equal database, a second plain dump costs
little, a producer that fails late commits nothing, and a pipeline works from the configuration."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

from support import Cairn, Workspace, check, main, store_bytes

ACCOUNTS = 200_000


def without_keys(dump: bytes) -> bytes:
    """pg_dump since 15.14 guards a plain dump with a random key that differs from run to run."""
    return re.sub(rb"(?m)^\\(un)?restrict \w+$", b"", dump)


class Server:
    """A PostgreSQL of its own: a socket in a temporary directory, no TCP, as a user that is not root."""

    def __init__(self, programs: pathlib.Path, work: pathlib.Path):
        self.programs = programs
        self.directory = work / "postgresql"
        self.directory.mkdir()
        self.user = []
        if os.getuid() == 0:
            account = "postgres" if subprocess.run(["id", "postgres"], capture_output=True).returncode == 0 else "nobody"
            self.user = ["runuser", "-u", account, "--"]
            shutil.chown(self.directory, account)
            os.chmod(work, 0o755)
        self.environment = {"PATH": f"{programs}:{os.environ['PATH']}", "LC_ALL": "C", "HOME": str(self.directory)}
        self.data = self.directory / "data"
        # Beside "data", not in it: a socket's path is at most 107 bytes.
        self.as_server("initdb", "-D", self.data, "-U", "cairn", "--auth=trust", "--no-sync", "-E", "UTF8")

    def as_server(self, program: str, *args) -> None:
        command = [*self.user, str(self.programs / program), *map(str, args)]
        # pg_ctl's server keeps what it inherits open, so its output goes to a file.
        with open(self.directory.parent / "postgresql.log", "ab") as log:
            done = subprocess.run(
                command, env=self.environment, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        if done.returncode != 0:
            text = (self.directory.parent / "postgresql.log").read_text(errors="replace")
            raise AssertionError(f"{program} exits {done.returncode}:\n{text}")

    def __enter__(self) -> "Server":
        options = f"-c listen_addresses='' -c unix_socket_directories='{self.directory}' -c fsync=off"
        self.as_server("pg_ctl", "-D", self.data, "-o", options, "-l", self.directory / "log", "-w", "start")
        return self

    def __exit__(self, *_):
        self.as_server("pg_ctl", "-D", self.data, "-m", "fast", "-w", "stop")

    def command(self, program: str, *args: str) -> list[str]:
        return [str(self.programs / program), "-h", str(self.directory), "-U", "cairn", *args]

    def sql(self, database: str, text: str) -> None:
        command = self.command("psql", "-q", "-X", "-v", "ON_ERROR_STOP=1", "-d", database)
        subprocess.run(command, input=text.encode(), env=self.environment, check=True, stdout=subprocess.DEVNULL)

    def dump(self, database: str, *args: str) -> bytes:
        command = self.command("pg_dump", *args, database)
        text = subprocess.run(command, env=self.environment, capture_output=True, check=True).stdout
        return without_keys(text)


def fill(server: Server) -> None:
    subprocess.run(server.command("createdb", "app"), env=server.environment, check=True)
    server.sql(
        "app",
        f"""
        CREATE TYPE mood AS ENUM ('calm', 'busy');
        CREATE TABLE account (id bigint PRIMARY KEY, owner text NOT NULL, token text, mood mood, balance numeric(12, 2));
        INSERT INTO account SELECT i, 'owner ' || i, md5(i::text) || md5((-i)::text),
          (CASE WHEN i % 3 = 0 THEN 'calm' ELSE 'busy' END)::mood, i * 1.37 FROM generate_series(1, {ACCOUNTS}) i;
        CREATE INDEX ON account (owner);
        CREATE TABLE note (id serial PRIMARY KEY, account bigint REFERENCES account, body bytea, at timestamptz);
        INSERT INTO note (account, body, at) SELECT i, decode(md5(i::text), 'hex'), to_timestamp(i)
          FROM generate_series(1, {ACCOUNTS} / 10) i;
        CREATE VIEW rich AS SELECT * FROM account WHERE balance > 1000;
        """,
    )


def custom_dump(cairn: Cairn, server: Server, store: pathlib.Path, work: pathlib.Path) -> None:
    taken = cairn.json("snapshot", "--store", store, "--series", "pg", "--", *server.command("pg_dump", "-Fc", "app"))
    cairn.run("restore", "--store", store, "pg", work / "pg.dump")
    check((work / "pg.dump").stat().st_size == taken["bytes"], "the restored dump has another size")
    subprocess.run(server.command("createdb", "copy"), env=server.environment, check=True)
    restore = server.command("pg_restore", "--exit-on-error", "-d", "copy", str(work / "pg.dump"))
    subprocess.run(restore, env=server.environment, check=True)
    check(server.dump("app") == server.dump("copy"), "the database made by pg_restore dumps otherwise")
    # And without a file between.
    subprocess.run(server.command("createdb", "piped"), env=server.environment, check=True)
    sender = cairn.start("restore", "--store", store, "pg", "-")
    restore = server.command("pg_restore", "--exit-on-error", "-d", "piped")
    subprocess.run(restore, env=server.environment, stdin=sender.stdout, check=True)
    sender.stdout.close()
    check(sender.wait() == 0, f"the stream exits {sender.returncode}: {sender.stderr.read()!r}")
    sender.stderr.close()
    check(server.dump("app") == server.dump("piped"), "the database made from the stream dumps otherwise")
    print(f"pg_dump -Fc: {taken['bytes']} bytes, restored by pg_restore, dumps are equal")


def plain_dump_twice(cairn: Cairn, server: Server, store: pathlib.Path) -> None:
    plain = ("--series", "sql", "--", *server.command("pg_dump", "app"))
    first = cairn.json("snapshot", "--store", store, *plain)
    # Updated rows move to the end of the table, as they do in every PostgreSQL.
    server.sql("app", f"UPDATE account SET token = 'changed' WHERE id % ({ACCOUNTS} / 20) = 0")
    second = cairn.json("snapshot", "--store", store, *plain)
    share = second["new_bytes"] / second["bytes"]
    print(f"plain dump of {first['bytes']} bytes, 20 rows changed: {second['new_bytes']} new bytes, {share:.2%}")
    print(f"stored: {first['stored_bytes']}, then {second['stored_bytes']}")
    check(share <= 0.06, "20 changed rows made more than 6 % of the dump new")


def failing_producer(cairn: Cairn, server: Server, store: pathlib.Path, work: pathlib.Path) -> None:
    whole = server.dump("app")
    (work / "most.sql").write_bytes(whole[: len(whole) * 99 // 100])
    before = cairn.json("list", "--store", store)["snapshots"]
    late = ("--series", "late", "--", "sh", "-c", 'cat "$1"; echo "lost connection" >&2; exit 1', "sh", work / "most.sql")
    done = cairn.run("snapshot", "--store", store, *late, expect=1)
    check(b"cairn: error: " in done.stderr, f"no error line: {done.stderr}")
    check(b"lost connection" in done.stderr, f"what the producer said is not told: {done.stderr}")
    check(cairn.json("list", "--store", store)["snapshots"] == before, "a producer that failed at 99 % was committed")
    # pg_dump itself, of a database that is not there, and a server that ends under it.
    cairn.run("snapshot", "--store", store, "--series", "none", "--", *server.command("pg_dump", "nothing"), expect=1)
    cairn.run("snapshot", "--store", store, "--series", "none", "--", "/no/such/program", expect=1)
    cairn.run("snapshot", "--store", store, "--series", "none", "--", "sh", "-c", "echo x; kill -9 $$", expect=1)
    check(cairn.json("list", "--store", store)["snapshots"] == before, "a failed producer was committed")
    cairn.run("restore", "--store", store, "late", work / "nothing", expect=10)
    print("a producer that exits 1 after 99 % commits nothing")


def toml(text: object) -> str:
    return '"' + str(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def pipeline(cairn: Cairn, server: Server, store: pathlib.Path, work: pathlib.Path) -> None:
    dump = ", ".join(map(toml, server.command("pg_dump", "app")))
    configuration = work / "cairn.toml"
    configuration.write_text(
        f"""
        default_store = "local"
        [stores.local]
        url = {toml(store)}
        [sources.piped]
        type = "command"
        command = [[{dump}], ["sed", "s/owner /proprietor /"], ["cat"]]
        file_name = "app.sql"
        [sources.broken]
        type = "command"
        command = [[{dump}], ["sh", "-c", "cat; exit 3"], ["cat"]]
        [sources.first]
        type = "command"
        command = [["sh", "-c", "cat /etc/passwd; exit 4"], ["cat"]]
        """
    )
    cairn.run("--config", configuration, "snapshot", "piped")
    cairn.run("--config", configuration, "restore", "piped", work / "piped.sql")
    expected = server.dump("app").replace(b"owner ", b"proprietor ")
    piped = without_keys((work / "piped.sql").read_bytes())
    check(piped == expected, "the pipeline's output differs")
    before = cairn.json("list", "--store", store)["snapshots"]
    for source, status in (("broken", "3"), ("first", "4")):
        done = cairn.run("--config", configuration, "snapshot", source, expect=1)
        check(status in done.stderr.decode(), f"{source}: the exit status of the stage is not told: {done.stderr}")
    check(cairn.json("list", "--store", store)["snapshots"] == before, "a pipeline with a failed stage was committed")
    print(f"pipeline of three stages: {len(piped)} bytes; one failed stage, first or middle, commits nothing")


def find_programs() -> pathlib.Path:
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))
    if not found or not (found[-1] / "initdb").exists():
        print("SKIPPED: PostgreSQL is not installed", file=sys.stderr)
        sys.exit(1 if os.environ.get("CAIRN_TEST_REQUIRE_SERVERS") else 77)
    return found[-1]


def run(binary: str, args: list[str]) -> None:
    programs = find_programs()
    with Workspace("postgres") as work:
        cairn = Cairn(binary, work)
        store = work / "store"
        cairn.run("init", "--store", store, "--no-encryption")
        with Server(programs, work) as server:
            fill(server)
            custom_dump(cairn, server, store, work)
            plain_dump_twice(cairn, server, store)
            failing_producer(cairn, server, store, work)
            pipeline(cairn, server, store, work)
        cairn.run("verify", "--store", store, "--level", "full")
        print(f"the store holds {store_bytes(store)} bytes of packs")


main(run)
