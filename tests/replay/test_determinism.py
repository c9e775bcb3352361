"""The drill: one journal, one fleet, in every process, form and way of folding.

Hash order is the enemy that no test in one process sees: the processes have different
hash seeds.
"""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestrator.codec.wire import encode_fleet
from orchestrator.journal.port import START, Draft, Head, Row
from orchestrator.journal.sqlite import open_sqlite
from orchestrator.replay.history import fold
from orchestrator.replay.places import AfterRow
from orchestrator.runtime.recovery import recover, snapshot_of
from tests.journal.opened import good
from tests.replay.drill import WAYS, digest, digest_of_commands
from tests.replay.golden import GOLDEN, POLICIES
from tests.replay.kit import read_of

ROOT = Path(__file__).parents[2]
HASH_SEEDS = ("0", "1", "4294967295", "random")
JOURNALS = ("journal.rules-1.2.jsonl.gz", "journal.rules-2.5.jsonl.gz")
SAVED = (200, 400)
"""Rows after which a fleet is saved beside them."""


async def stored(packed: Path, path: Path) -> Path:
    """Write a golden journal into a database, with snapshots on the way."""
    with read_of(packed) as read:
        rows = tuple(read.rows())
    with read_of(packed) as read:
        entries = tuple(read.entries())
    journal = await good(open_sqlite(path))
    head = START
    for first in range(0, len(rows), 300):
        page = tuple(map(draft_of, rows[first : first + 300]))
        head = await good(journal.append(head, page))
    for seq in SAVED:
        fleet = fold(entries, until=AfterRow(seq), policies=POLICIES)
        there = Head(seq=seq, digest=rows[seq - 1].digest)
        await good(journal.save_snapshot(snapshot_of(fleet, there)))
    await good(journal.close())
    return path


def draft_of(row: Row) -> Draft:
    return Draft(at=row.at, event=row.event, commands=row.commands, changes=row.changes)


def drilled(hash_seed: str, forms: list[Path]) -> dict[tuple[str, str], str]:
    """Return the digests by way and form, from a process with that hash seed."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.replay.drill", *map(str, forms)],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
        timeout=240,
    )
    lines = [line.split() for line in done.stdout.splitlines()]
    return {(way, form): found for way, form, found in lines}


@pytest.mark.parametrize("name", JOURNALS)
async def test_the_same_journal_gives_the_same_fleet_everywhere(
    name: str, tmp_path: Path
) -> None:
    packed, plain = GOLDEN / name, tmp_path / "plain.jsonl"
    plain.write_bytes(gzip.decompress(packed.read_bytes()))
    database = await stored(packed, tmp_path / "journal.db")
    forms = [packed, plain, database]
    with read_of(database) as read:
        saved = read.source.snapshot(sys.maxsize)
        assert saved is not None
        assert saved.seq == SAVED[-1], "else nothing is folded from a snapshot"
    with read_of(packed) as read:
        fleet = fold(read.entries(), policies=POLICIES)
    with read_of(packed) as read:
        commands = digest_of_commands(read.entries())
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(lambda seed: drilled(seed, forms), HASH_SEEDS))
    assert len(found[0]) == (len(WAYS) + 1) * len(forms)
    for digests in found:
        for (way, form), one in digests.items():
            expected = commands if way == "commands" else digest(fleet)
            assert one == expected, (way, form)


async def test_an_operator_that_recovers_has_that_fleet_too(tmp_path: Path) -> None:
    """It begins with a snapshot; its fleet bears the name of the one declared."""
    packed = GOLDEN / JOURNALS[1]
    database = await stored(packed, tmp_path / "journal.db")
    journal = await good(open_sqlite(database))
    recovered = await good(recover(journal, "golden", POLICIES))
    await good(journal.close())
    with read_of(packed) as read:
        fleet = fold(read.entries(), policies=POLICIES)
        last = read.head.seq
    assert recovered.folded == last - SAVED[-1]
    assert encode_fleet(recovered.fleet) == encode_fleet(fleet)
