"""Whether a custom policy decides the same in another process with another hash seed.

The histories are handed to a process of its own as a journal holds them, with the
place of each policy's function; it tells them again and answers with digests. That
needs functions which another process can import: one that is defined in a script, or
inside another function, is not tried.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Final

import orjson

from orchestrator.codec.changes import encode_changes
from orchestrator.codec.digests import digest_of
from orchestrator.codec.wire import (
    decode_event,
    encode_commands,
    encode_event,
)
from orchestrator.core.custom import CustomPolicies, CustomPolicy, registered
from orchestrator.core.events import Event
from orchestrator.core.reduce import step_of
from orchestrator.core.state import empty_fleet
from orchestrator.testing.scenarios import LawBroken, Scenario
from orchestrator.testing.sources import place_of

__all__ = ("LAW", "decides_alike", "is_child")

LAW: Final = "another process decides the same"
CHILD: Final = "ORCHESTRATOR_TESTING_CHILD"
SEEDS: Final = ("1", "2")
HISTORIES_MAX: Final = 20
PATIENCE_S: Final = 60


def is_child() -> bool:
    """Say whether this process only answers another one, and tests nothing itself."""
    return CHILD in os.environ


def decides_alike(told: Sequence[Scenario]) -> None:
    """Tell the longest histories again elsewhere; ``LawBroken`` where one differs."""
    longest = sorted(told, key=lambda one: len(one.tale.steps))[-HISTORIES_MAX:]
    places = _places(longest[0].custom) if longest else None
    if places is None:
        return
    ours = [_digest(one.tale.events, one.tale.policies) for one in longest]
    asked = orjson.dumps(
        {
            "path": sys.path,
            "policies": places,
            "fleets": [
                [encode_event(event).decode() for event in one.tale.events]
                for one in longest
            ],
        }
    )
    for seed in SEEDS:
        theirs = _answer(asked, seed)
        if theirs is None:
            return
        for scenario, here, there in zip(longest, ours, theirs, strict=True):
            if here != there:
                about = f"with PYTHONHASHSEED={seed} the same history goes another way"
                raise LawBroken(LAW, about, scenario)


def _places(policies: Iterable[CustomPolicy]) -> list[dict[str, Any]] | None:
    """Return where another process finds the functions; None where it cannot."""
    places: list[dict[str, Any]] = []
    for policy in policies:
        place = place_of(policy)
        if place is None or place[0] == "__main__":
            return None
        file = getattr(sys.modules[place[0]], "__file__", None)
        places.append(
            {
                "module": place[0],
                "file": file,
                "held": place[1],
                "name": policy.name,
                "version": policy.version,
            }
        )
    return places


def _answer(asked: bytes, seed: str) -> list[str] | None:
    done = subprocess.run(  # noqa: S603 - this very program
        (sys.executable, "-m", __name__),
        input=asked,
        capture_output=True,
        check=False,
        timeout=PATIENCE_S,
        env={**os.environ, CHILD: "1", "PYTHONHASHSEED": seed},
    )
    if done.returncode:
        raise RuntimeError(f"the other process failed:\n{done.stderr.decode()}")
    answer: list[str] | None = orjson.loads(done.stdout)
    return answer


def _digest(events: Iterable[Event], policies: CustomPolicies) -> str:
    fleet = empty_fleet("fleet")
    parts: list[bytes] = []
    for event in events:
        step = step_of(fleet, event, policies)
        fleet = step.after
        changes = encode_changes(step.before, fleet, step.touched)
        parts += encode_commands(step.commands), changes
    return digest_of(parts).hex()


def _found(place: dict[str, Any]) -> CustomPolicy:
    """Import the function, or the policy, that a place names."""
    try:
        module = importlib.import_module(place["module"])
    except ImportError:
        if place["file"] is None:
            raise
        spec = importlib.util.spec_from_file_location(place["module"], place["file"])
        if spec is None or spec.loader is None:
            raise
        module = importlib.util.module_from_spec(spec)
        sys.modules[place["module"]] = module
        spec.loader.exec_module(module)
    held = getattr(module, place["held"])
    decide = held.decide if isinstance(held, CustomPolicy) else held
    return CustomPolicy(name=place["name"], version=place["version"], decide=decide)


def _child() -> None:
    """Answer the question on the input: a digest a history, null if not importable."""
    asked = orjson.loads(sys.stdin.buffer.read())
    sys.path[:] = asked["path"]
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what an imported program prints is no answer
    try:
        policies = registered(_found(place) for place in asked["policies"])
    except (ImportError, AttributeError, OSError):
        policies = None
    answer = policies and [
        _digest((decode_event(row.encode()).unwrap() for row in rows), policies)
        for rows in asked["fleets"]
    ]
    _ = out.write(orjson.dumps(answer))
    out.close()


if __name__ == "__main__":
    _child()
