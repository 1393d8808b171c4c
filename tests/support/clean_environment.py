"""The environment of what a test starts: nothing of the machine's own settings, so that no configuration, key or store of
its owner is ever used. Every harness in Python takes it from here."""

import os
import pathlib

# Where programs and scratch space are, how sanitizers behave, and what tests are told.
KEPT = {"PATH", "TMPDIR", "TERM", "LD_LIBRARY_PATH", "ASAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS"}
KEPT_PREFIX = "CAIRN_TEST_"
# An empty configuration: where one is named, /etc and HOME are not asked.
NO_CONFIGURATION = "/dev/null"


def kept() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name in KEPT or name.startswith(KEPT_PREFIX)}


def clean_environment(home: pathlib.Path | str, **more: str) -> dict[str, str]:
    """For the program, whose home, cache and state are below home. more: what the test sets itself."""
    return kept() | {"HOME": str(home), "CAIRN_CONFIG": NO_CONFIGURATION, "CAIRN_CACHE_DIR": f"{home}/cache",
                     "CAIRN_STATE_DIR": f"{home}/state", "AWS_EC2_METADATA_DISABLED": "true"} | more


def clean_own_environment() -> None:
    """The same for this process, its libraries (botocore reads AWS_* and files in HOME) and whatever it starts as it is."""
    settings = ("AWS_", "CAIRN_", "XDG_")
    proxies = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
    for name in list(os.environ):
        if name.startswith(settings) and not name.startswith(KEPT_PREFIX) or name.lower() in proxies:
            del os.environ[name]
    os.environ |= {"CAIRN_CONFIG": NO_CONFIGURATION, "AWS_CONFIG_FILE": "/dev/null",
                   "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}
