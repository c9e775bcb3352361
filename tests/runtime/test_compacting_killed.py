"""An operator that compacts, killed again and again: nothing acknowledged is lost."""

from __future__ import annotations

import random
import select
import signal
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from orchestrator.journal.port import START
from orchestrator.journal.reading import RECORDING, beginning, open_reading
from orchestrator.replay.verifying import verify
from tests.journal.opened import all_of, opened

ROOT = Path(__file__).parents[2]
KILLS = 12
BOOT_S = 60


def killed(folder: Path, after: int) -> list[str]:
    """Run an operator until it has said so many words, kill it; return all words."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.runtime.compacted", str(folder)],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], BOOT_S)[0], "it said nothing"
    words = [process.stdout.readline() for _ in range(after)]
    process.send_signal(signal.SIGKILL)
    words += process.stdout.readlines()
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    return [word.strip() for word in words if word.endswith("\n")]


@pytest.mark.timeout(1_200)  # it boots a dozen times, on a machine that may be busy
def test_an_operator_that_compacts_can_be_killed_at_any_moment(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    acknowledged: list[str] = []
    bases: list[int] = []
    path = tmp_path / "journal.db"
    for _ in range(KILLS):
        acknowledged += killed(tmp_path, dice.randrange(1, 80))
        left = all_of(path)
        assert left.is_whole, left.error
        bases.append(0 if left.base is None else left.base.seq)
    assert bases == sorted(bases)
    assert bases[-1] > 100
    paths = sorted(
        tmp_path.glob("journal.db.rows-*.jsonl.gz"),
        key=lambda one: [int(part) for part in one.name.split(".")[2].split("-")[1:]],
    )
    # What was archived, and not cut off before the kill, is a copy of what was kept.
    rows = {row.seq: row for one in (*paths, path) for row in all_of(one).rows}
    assert sorted(rows) == list(range(1, len(rows) + 1))
    said = {orjson.loads(row.event).get("why") for row in rows.values()}
    assert [word for word in acknowledged if word not in said] == []
    head = START
    for one in (*paths, path):
        reading = opened(open_reading(one))
        if reading.source.base is not None:
            assert rows[reading.source.base.seq].digest == reading.source.base.digest
        verdict = verify(
            reading.entries(), RECORDING, fleet=beginning(reading).unwrap()
        )
        assert verdict.unwrap().rows
        assert reading.error is None
        head = reading.head
        reading.close()
    assert head.seq == len(rows)
    # Of an archive that was not over, what begins at a row that is kept may be left.
    for begun in tmp_path.glob("*.partial"):
        assert int(begun.name.split("-")[1]) == bases[-1] + 1
