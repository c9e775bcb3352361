"""The incident of the tutorial: a real journal, and what the page says of it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.core.errors import JournalError
from orchestrator.core.events import Booted, ContainerObserved, SpecApplied
from orchestrator.core.observations import SeenEnded
from orchestrator.journal.reading import RECORDING, Reading, open_reading
from orchestrator.replay import fold, verify
from orchestrator.runtime.outcomes import opened
from tests.docs.generate import DOCS
from tests.docs.test_pages import ROOT, blocks, environment

PAGE = DOCS / "tutorial-incident.md"
INCIDENT = DOCS / "examples" / "incident.jsonl.gz"
LEFT_OUT = "..."


@pytest.fixture
def incident() -> Iterator[Reading]:
    reading: Reading | JournalError = opened(open_reading(INCIDENT))
    assert isinstance(reading, Reading)
    yield reading
    reading.close()


def test_the_incident_replays_to_the_same_decisions(incident: Reading) -> None:
    verdict = verify(incident.entries(), RECORDING).unwrap()
    assert incident.error is None
    assert incident.cut_at_line is None
    assert verdict.compared == verdict.rows > 50


def test_it_holds_what_it_is_told_of(incident: Reading) -> None:
    entries = list(incident.entries())
    events = [entry.event for entry in entries]
    assert sum(isinstance(event, Booted) for event in events) == 4
    assert sum(isinstance(event, SpecApplied) for event in events) >= 3
    seen = [e for e in events if isinstance(e, ContainerObserved)]
    assert any(isinstance(event.sight, SeenEnded) for event in seen)
    looping = [
        entry.seq
        for entry in entries
        if b"crash_looping" in entry.changes and b"worker" in entry.changes
    ]
    assert len(looping) == 2
    assert len(fold(entries).containers) == 0


def sessions() -> list[tuple[str, str]]:
    """Return the commands of the page, each with what it is said to print."""
    found: list[tuple[str, str]] = []
    for block in blocks(PAGE, "console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, printed = part.partition("\n")
            found.append((command, printed))
    return found


def as_pattern(printed: str) -> str:
    """Return what is printed as a pattern; a line of dots stands for some lines."""
    lines = printed.rstrip().splitlines()
    parts = [
        r"(?:.*\n)*?" if line.strip() == LEFT_OUT else re.escape(line) + r"[ ]*\n"
        for line in lines
    ]
    return "".join(parts)


@pytest.mark.parametrize("number", range(len(sessions())))
def test_the_page_shows_what_is_printed(number: int, tmp_path: Path) -> None:
    command, printed = sessions()[number]
    env = {**environment(tmp_path), "TZ": "UTC", "COLUMNS": "80"}
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert re.fullmatch(as_pattern(printed), done.stdout), done.stdout + done.stderr
