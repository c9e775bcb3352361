"""A rule book that decides otherwise is found: in the right row, and what it decides.

One line of the core is changed in a copy of the package (``tests.planted.bugs``), and
golden journals are verified there. Which row is the first to be decided otherwise is
worked out beside it, by ``reduce`` alone, in the copy and in the package as it is.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.state import RULES
from tests.planted.bugs import BUGS, Bug
from tests.replay.golden import GOLDEN, SEEDS
from tests.replay.told import states

ROOT = Path(__file__).parents[2]
JOURNALS = [str(GOLDEN / f"journal.rules-{RULES}.{seed}.jsonl.gz") for seed in SEEDS]

PLANTED = (
    "one crash fewer is allowed than is said",
    "one failed start fewer is allowed than is said",
    "half the uptime resets the history",
    "what we end ourselves has ended as it says, not as we say",
    "a readiness check that fails ends the run",
    "a lack of capacity counts as an attempt",
)
CHOSEN = tuple(bug for bug in BUGS if bug.why in PLANTED)

Told = list[tuple[list[dict[str, str]], Any]]


def planted(folder: Path, bug: Bug) -> Path:
    """Copy the package and plant a bug in the copy."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "orchestrator", folder / "orchestrator", ignore=ignored)
    (folder / "tests" / "replay").mkdir(parents=True)
    for name in ("__init__.py", "replay/__init__.py", "replay/golden.py"):
        shutil.copy2(ROOT / "tests" / name, folder / "tests" / name)
    shutil.copy2(ROOT / "tests" / "replay" / "told.py", folder / "tests" / "replay")
    module = folder / "orchestrator" / "core" / f"{bug.module}.py"
    text = module.read_text(encoding="utf-8")
    assert text.count(bug.was) == 1, f"{bug.module}: {bug.was!r} is not there (once)"
    module.write_text(text.replace(bug.was, bug.becomes), encoding="utf-8")
    return folder


def told(folder: Path, bug: Bug) -> Told:
    done = subprocess.run(
        [sys.executable, "-m", "tests.replay.told", *JOURNALS],
        cwd=planted(folder, bug),
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return list(zip(lines[::2], lines[1::2], strict=True))


@pytest.fixture(scope="module")
def tellings(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, Future[Told]]]:
    folder = tmp_path_factory.mktemp("planted")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield {
            bug.why: pool.submit(told, folder / str(n), bug)
            for n, bug in enumerate(CHOSEN)
        }


@pytest.fixture(scope="module")
def as_it_is() -> list[list[dict[str, str]]]:
    return [states(path) for path in JOURNALS]


@pytest.mark.parametrize("bug", CHOSEN, ids=lambda bug: bug.why)
def test_a_changed_decision_is_found_in_its_row_and_told(
    tellings: dict[str, Future[Told]],
    as_it_is: list[list[dict[str, str]]],
    bug: Bug,
) -> None:
    found = 0
    pairs = zip(as_it_is, tellings[bug.why].result(), strict=True)
    for right, (wrong, answer) in pairs:
        differ = [n for n, row in enumerate(right) if row != wrong[n]]
        if not differ:
            assert (answer["code"], answer["problem"]) == (0, None)
            assert answer["compared"] == len(right)
            continue
        first = differ[0]
        problem = answer["problem"]
        assert (answer["code"], problem["code"]) == (8, "not_replayable")
        assert problem["seq"] == first + 1
        assert answer["compared"] == answer["rows"] == first
        assert places(problem) == others(right[first], wrong[first])
        assert all(d["recorded"] != d["recomputed"] for d in problem["differences"])
        found += 1
    assert found, "no golden journal goes where this decides: choose another"


def places(problem: Any) -> set[str]:
    """Return what is told to differ: ``commands``, or the names of containers."""
    return {one["place"].split(".")[0].split("[")[0] for one in problem["differences"]}


def others(right: dict[str, str], wrong: dict[str, str]) -> set[str]:
    """Return what really differs."""
    return {key for key in {**right, **wrong} if right.get(key) != wrong.get(key)}


def test_those_that_are_planted_are_there() -> None:
    assert {bug.why for bug in CHOSEN} == set(PLANTED)
