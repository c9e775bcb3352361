"""Peers are held to the same work before they are timed, and all of them run."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from orchestrator.core.reduce import fold
from orchestrator.core.state import empty_fleet
from tests.benchmarks.figures import Asked
from tests.benchmarks.loop import Loop, differing
from tests.benchmarks.peer_sources import told
from tests.benchmarks.peer_sources.driving import OPENING, Drive, life_of
from tests.benchmarks.peer_sources.moves import KINDS, MOVES, move
from tests.benchmarks.peer_sources.ours import events_of
from tests.benchmarks.peer_sources.processes import NotReadyError, Peer, installed
from tests.benchmarks.peer_sources.serving import trees_of
from tests.benchmarks.peer_sources.units import PHASES, Unit
from tests.benchmarks.peers import expect_alike, figures
from tests.benchmarks.trace import written

EVENTS, CONTAINERS = 4_000, 60


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("trace"), EVENTS, CONTAINERS)


def test_the_table_of_the_peers_comes_to_the_same_records(journal: Path) -> None:
    trees = trees_of(journal)
    drive = Drive(trees, Unit, move, lambda unit: unit).fold(life_of(trees))
    by_hand = Loop()
    by_hand.records.update(drive.units)
    fleet = fold(empty_fleet("fleet"), events_of(journal))
    assert len(drive.units) == len(fleet.containers) == CONTAINERS
    assert differing(by_hand, fleet) == []
    drive.units["steady-000000"].attempts += 1
    assert differing(by_hand, fleet) == ["steady-000000"]


def test_every_row_of_the_table_names_what_there_is() -> None:
    for row in MOVES:
        assert {*row.sources, row.to or "pending"} <= {*PHASES}
        for name in (*row.guards, *row.actions):
            assert callable(getattr(Unit, name))
    assert len({*KINDS}) == len(KINDS)


def test_the_reference_is_told_of_every_event(journal: Path) -> None:
    events = events_of(journal)
    begun = fold(empty_fleet("fleet"), events[:OPENING])
    entries, phases = told.told(begun, events[OPENING:])
    assert len(entries) == len(events) - OPENING
    kinds = Counter(entry.get("type") for entry in entries)
    assert kinds["stopped"] > kinds["error"] > 0
    assert {"runs", "rests"} <= {*phases.values()} <= {*told.NAMES.values()}
    assert [each["name"] for each in told.declarations(begun)] == list(phases)


def test_a_peer_that_does_other_work_is_not_timed() -> None:
    program = 'print(\'{"a": 2, "b": 1}\', flush=True)'
    process = subprocess.Popen(
        [sys.executable, "-c", f"input(); {program}"],
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    peer = Peer(name="peer", process=process, cases=("its case",))
    with (
        process,
        pytest.raises(AssertionError, match=r"its case differs in 1: \['a'\]"),
    ):
        expect_alike(peer, {"a": 1, "b": 1})


def test_every_peer_runs(tmp_path: Path) -> None:
    try:
        _ = installed()
    except NotReadyError as reason:
        pytest.skip(str(reason))
    found = figures(Asked(directory=tmp_path, smoke=True))
    assert len(found.reached) == 4
    (sheet,) = found.sheets
    assert len(sheet.rows) == 12
    assert "-" not in {cell for row in sheet.rows for cell in row}
