#!/usr/bin/python3
"""`cairn runbook`, followed word by word: every command that it prints is run by a shell, in its order, with no
configuration, cache or state, and the service's data is back. Only what the reader has to fill in is filled in: the
credentials, the identity's path, what stops the service, and REF, SERIES and TARGET where no snapshot is meant.
Arguments: `directory` or `s3` (see gateway.py)."""

import html
import json
import os
import pathlib
import re
import sqlite3
import subprocess

from gateway import Gateway
from support import Cairn, Workspace, check, main

FORMS = {"text": "", "markdown": "# Runbook", "html": "<!DOCTYPE html>"}


def make_database(path: pathlib.Path, rows: int) -> None:
    connection = sqlite3.connect(path)
    connection.executescript("PRAGMA journal_mode = WAL; CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)")
    connection.executemany("INSERT INTO t VALUES (?, ?)", ((i, f"row {i}") for i in range(rows)))
    connection.commit()
    connection.close()


def commands_of(text: str) -> list[str]:
    return [line.removeprefix("    ") for line in text.splitlines() if line.startswith("    ")]


def look_at_forms(cairn: Cairn, store: str) -> None:
    """The same commands in each form, and markup in names is none."""
    texts = {form: cairn.run("runbook", "--store", store, "--format", form).stdout.decode() for form in FORMS}
    for form, begin in FORMS.items():
        check(texts[form].startswith(begin), f"{form} begins otherwise: {texts[form][:60]}")
    wanted = commands_of(texts["text"])
    check(len(wanted) > 10, f"only {len(wanted)} commands")
    fenced = [line for block in re.findall(r"^```sh\n(.*?)^```$", texts["markdown"], re.M | re.S) for line in block.splitlines()]
    check(fenced == wanted, "markdown has other commands")
    blocks = re.findall(r"<pre>(.*?)</pre>", texts["html"], re.S)
    check([html.unescape(line) for block in blocks for line in block.splitlines()] == wanted, "HTML has other commands")
    check("<b>" not in texts["html"] and "&lt;b&gt;" in texts["html"], "a name is markup in HTML")
    for line in texts["text"].splitlines():
        check(len(line) <= 79 or line.startswith("    ") or "  " in line, f"a line is too wide: {line}")
    told = json.loads(cairn.run("--json", "runbook", "--store", store).stdout)
    check(told["schema"] == "cairn.runbook/1" and len(told["series"]) == 3, f"JSON: {told}")


def follow(lines: list[str], work: pathlib.Path, binary: str, fill: dict, secrets: dict, restored: list[str]) -> None:
    """Runs them as one script that ends at the first failure."""
    tools = work / "tools"
    tools.mkdir()
    (tools / "cairn").symlink_to(binary)
    (tools / "systemctl").write_text(f'#!/bin/sh\necho "$@" >>{work}/services\n')
    (tools / "systemctl").chmod(0o755)
    script = ["set -e"]
    for line in lines:
        if line.startswith("aws s3 sync"):
            script.append(fill["sync"])
            continue
        for word, value in fill.items():
            line = line.replace(word, value)
        if "AWS_ACCESS_KEY_ID=..." in line:
            line = "export " + " ".join(f"{name}={value}" for name, value in secrets.items())
        script.append(line)
    home = work / "nowhere"
    home.mkdir()
    environment = {"PATH": f"{tools}:/usr/bin:/bin", "HOME": str(home), "CAIRN_STATE_DIR": str(home / "state")}
    done = subprocess.run(["bash", "-x", "-c", "\n".join(script)], cwd=home, env=environment, capture_output=True, text=True)
    check(done.returncode == 0, f"the runbook ends with {done.returncode}:\n{done.stdout[-1500:]}\n{done.stderr[-3000:]}")
    for path in restored:
        check(os.path.exists(path), f"{path} is not back")


def run(binary: str, args: list[str]) -> None:
    where = args[0] if args else "directory"
    with Workspace("runbook") as work:
        cairn = Cairn(binary, work)
        server = Gateway() if where == "s3" else None
        bucket = server.make_bucket("runbook") if server else None
        if server:
            server.give_keys(cairn)
        store = server.url(bucket, "a-store") if server else str(work / "it's a store")
        identity = work / "identity.txt"
        recipient = re.search(r"age1[0-9a-z]+", cairn.run("key", "generate", identity).stdout.decode() + identity.read_text())
        signing = work / "sign.pem"
        public = re.search(r"RW[A-Za-z0-9+/=]{54}", cairn.run("key", "generate", "--signing", signing).stdout.decode())
        service = work / "a service"
        service.mkdir()
        database = service / "state <b>.db"
        make_database(database, 300)
        tree = service / "conf"
        tree.mkdir()
        (tree / "it's").write_text("content\n")
        config = work / "cairn.toml"
        config.write_text(f"""identity = "{identity}"
signing_key = "{signing}"
default_store = "main"
[stores.main]
url = "{store}"
recipients = ["{recipient.group()}"]
trusted_keys = [{{ key = "{public.group()}", series = "*" }}]
[sources.state]
type = "sqlite"
path = "{database}"
[sources.conf]
type = "directory"
path = "{tree}"
[sources.dump]
type = "command"
command = ["echo", "a dump"]
""")
        cairn.environment["CAIRN_CONFIG"] = str(config)
        cairn.run("init")
        cairn.run("run")
        cairn.run("drill", "state")
        look_at_forms(cairn, "main")
        text = cairn.run("runbook").stdout.decode()
        for word in (recipient.group(), public.group(), str(identity)):
            check(word in text, f"the runbook does not name {word}")
        for secret in ("AGE-SECRET-KEY-1", cairn.environment.get("AWS_SECRET_ACCESS_KEY", "AGE-SECRET-KEY-1")):
            check(secret == "AGE-SECRET-KEY-1" or secret not in text, "the runbook tells a secret")
        check(identity.read_text().split()[-1] not in text, "the runbook tells the identity")
        state = text.index("\nstate\n")
        check("A drill restored it" in " ".join(text[state:].split()), "the runbook does not know of the drill")

        # The machine breaks: rows are gone, a log is left beside the database, and files have changed.
        connection = sqlite3.connect(database)
        connection.execute("DELETE FROM t WHERE a > 5")
        connection.commit()
        (tree / "it's").write_text("broken\n")
        fill = {
            "/path/to/identity": str(identity),
            "SERVICE": "app.service",
            "REF TARGET": "state /dev/null",
            "SERIES TARGET": f"state {work / 'by-reader'}",
        }
        secrets = {}
        if server:
            copy = work / "nowhere" / "store"
            secrets = {"AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret_key}
            fetch = work / "fetch.py"
            fetch.write_text(f"""import sys
sys.path[:0] = {[str(pathlib.Path(__file__).parent), str(pathlib.Path(__file__).parent.parent / "support")]!r}
import os, pathlib
from gateway import Gateway
server = Gateway()
for key in server.objects({bucket!r}):
    path = pathlib.Path({str(copy)!r}) / key.split("/", 1)[1]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(server.client.get_object(Bucket={bucket!r}, Key=key)["Body"].read())
""")
            names = ("CAIRN_TEST_S3_ENDPOINT", "CAIRN_TEST_S3_ACCESS_KEY", "CAIRN_TEST_S3_SECRET_KEY")
            fill["sync"] = " ".join(f"{name}={os.environ[name]}" for name in names) + f" /usr/bin/python3 {fetch}"
        connection.close()
        lines = commands_of(text)
        follow(lines, work, os.path.abspath(binary), fill, secrets, [str(work / "by-reader")])
        rows = sqlite3.connect(database).execute("SELECT count(*) FROM t").fetchone()[0]
        check(rows == 300, f"the database has {rows} rows")
        check((tree / "it's").read_text() == "content\n", "the tree is not back")
        check((work / "nowhere" / "dump.restored").read_text() == "a dump\n", "the dump is not back")
        check((work / "by-reader").exists(), "the reader restored nothing")
        services = (work / "services").read_text().splitlines()
        check(services == ["stop app.service", "start app.service"] * 2, f"services: {services}")
        print(f"{len(lines)} commands followed")
        if server:
            server.remove_bucket(bucket)


if __name__ == "__main__":
    main(run)
