"""What a rule book makes of journals, told by ``reduce`` alone, and by ``--verify``.

``python -m tests.replay.told PATH...`` prints two lines of JSON for each: what is
commanded and believed after each row, as digests, without any code of the replay; and
what the command ``replay --verify`` answers. Run it where the package is another.
"""

from __future__ import annotations

import gzip
import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

from orchestrator.cli.main import main as command
from orchestrator.codec.digests import digest_of
from orchestrator.codec.wire import decode_event, encode_commands, encode_container
from orchestrator.core.reduce import reduce
from orchestrator.core.state import Container, empty_fleet
from tests.replay.golden import POLICIES


def states(path: str) -> list[dict[str, str]]:
    """Return, row by row, a digest of the commands and one of each record.

    Records are frozen: the digest of one that has stayed is the one from before.
    """
    fleet, found = empty_fleet("fleet"), list[dict[str, str]]()
    records: dict[str, tuple[Container, str]] = {}
    with gzip.open(path) as file:
        rows = [row for row in map(json.loads, file) if "seq" in row]
    for row in rows:
        event = decode_event(json.dumps(row["event"]).encode()).unwrap()
        moved = reduce(fleet, event, POLICIES)
        fleet = moved.fleet
        for name, one in fleet.containers.items():
            if name not in records or records[name][0] is not one:
                records[name] = (one, digest_of([encode_container(one)]).hex())
        told = {"commands": digest_of([encode_commands(moved.commands)]).hex()}
        found.append(told | {name: records[name][1] for name in fleet.containers})
    return found


def answer(path: str) -> Any:
    """Return the exit code of ``replay --verify``, and what it shows to a program."""
    words = ["replay", path, "--verify", "-o", "json"]
    sys.argv = ["orchestrator", *words, "--policies", "tests.replay.golden:STRIKES"]
    shown = io.StringIO()
    try:
        with redirect_stdout(shown), redirect_stderr(io.StringIO()):
            command()
    except SystemExit as left:
        return {"code": left.code, **json.loads(shown.getvalue())["verified"]}
    raise AssertionError("the command does not leave")


if __name__ == "__main__":
    for one in sys.argv[1:]:
        print(json.dumps(states(one)))
        print(json.dumps(answer(one)))
