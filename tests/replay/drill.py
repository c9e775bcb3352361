"""One journal folded in every way that there is, in a process of its own.

``python -m tests.replay.drill PATH...`` prints a digest for each path and way. They are
all the same, whatever ``PYTHONHASHSEED`` is; ``test_determinism`` compares them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path

from orchestrator.codec.digests import digest_of
from orchestrator.codec.wire import decode_fleet, encode_commands, encode_fleet
from orchestrator.core.state import Fleet
from orchestrator.journal.reading import RECORDING, Reading
from orchestrator.replay.history import NOTHING, Entry, fold, states
from orchestrator.replay.places import AfterRow
from orchestrator.replay.verifying import verify
from tests.replay.golden import POLICIES
from tests.replay.kit import read_of

PIECE = 97
"""Rows of a piece; no page and no journal is a multiple of it."""


def whole(read: Reading) -> Fleet:
    return fold(read.entries(), policies=POLICIES)


def in_pieces(read: Reading) -> Fleet:
    fleet, rows = NOTHING, read.entries()
    while piece := tuple(islice(rows, PIECE)):
        fleet = fold(piece, fleet=fleet, policies=POLICIES)
    return fleet


def step_by_step(read: Reading) -> Fleet:
    fleet = NOTHING
    for _, step in states(read.entries(), policies=POLICIES):
        fleet = step.after
    return fleet


def compared(read: Reading) -> Fleet:
    return verify(read.entries(), RECORDING, policies=POLICIES).unwrap().fleet


def up_to_a_row_and_on(read: Reading) -> Fleet:
    rows = list(read.entries())
    fleet = fold(rows, until=AfterRow(PIECE), policies=POLICIES)
    return fold(rows[PIECE:], fleet=fleet, policies=POLICIES)


def from_the_newest_snapshot(read: Reading) -> Fleet:
    """Fold all rows where there is none: exports hold none."""
    found = read.source.snapshot(sys.maxsize)
    if found is None:
        return whole(read)
    fleet = decode_fleet(found.body).unwrap()
    rest = read.entries(after=found.seq)
    return fold(rest, fleet=fleet, policies=POLICIES)


WAYS: tuple[Callable[[Reading], Fleet], ...] = (
    whole,
    in_pieces,
    step_by_step,
    compared,
    up_to_a_row_and_on,
    from_the_newest_snapshot,
)


def digest(fleet: Fleet) -> str:
    return digest_of([encode_fleet(fleet)]).hex()


def digest_of_commands(entries: Iterable[Entry]) -> str:
    """Digest what today's code commands, in its order."""
    steps = (step for _, step in states(entries, policies=POLICIES))
    return digest_of(encode_commands(step.commands) for step in steps).hex()


def main(paths: list[str]) -> None:
    for path in paths:
        for way in WAYS:
            with read_of(Path(path)) as read:
                print(way.__name__, path, digest(way(read)))
        with read_of(Path(path)) as read:
            print("commands", path, digest_of_commands(read.entries()))


if __name__ == "__main__":
    main(sys.argv[1:])
