"""The tests of the core, tested: every bug that is planted is seen.

Each bug is planted in a copy of the package, in a folder of its own, and the module of
tests that must see it (``bugs.py`` says which) is run there in a process of its own.
The same modules pass in a copy without a bug.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.planted.bugs import BUGS, Bug

ROOT = Path(__file__).parents[2]
MODULES = sorted({bug.seen_by for bug in BUGS})
FAILED = 1
"""What pytest leaves with when it ran and a test failed."""

CHECKED = """
import sys, pytest, orchestrator
assert orchestrator.__file__.startswith(sys.argv[1]), orchestrator.__file__
options = ["-x", "-q", "-c", "pytest.ini", "--import-mode=importlib"]
sys.exit(pytest.main([*options, "-p", "no:cacheprovider", *sys.argv[2:]]))
"""


def copied(folder: Path) -> Path:
    """Copy what the tests of the core need."""
    shutil.copytree(ROOT / "orchestrator" / "core", folder / "orchestrator" / "core")
    shutil.copy2(ROOT / "orchestrator" / "__init__.py", folder / "orchestrator")
    for tests in ("core", "planted"):
        shutil.copytree(ROOT / "tests" / tests, folder / "tests" / tests)
    shutil.copy2(ROOT / "tests" / "__init__.py", folder / "tests")
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    return folder


def planted(folder: Path, bug: Bug) -> Path:
    module = copied(folder) / "orchestrator" / "core" / f"{bug.module}.py"
    text = module.read_text(encoding="utf-8")
    assert text.count(bug.was) == 1, f"{bug.module}: {bug.was!r} is not there (once)"
    module.write_text(text.replace(bug.was, bug.becomes), encoding="utf-8")
    return folder


def tried(folder: Path, *modules: str) -> subprocess.CompletedProcess[str]:
    paths = [str(folder / "tests" / module) for module in modules]
    return subprocess.run(
        [sys.executable, "-c", CHECKED, str(folder), *paths],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(folder),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


def tried_with(folder: Path, bug: Bug) -> subprocess.CompletedProcess[str]:
    return tried(planted(folder, bug), bug.seen_by)


def tried_without(folder: Path) -> subprocess.CompletedProcess[str]:
    return tried(copied(folder), *MODULES)


Runs = dict[str, "Future[subprocess.CompletedProcess[str]]"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """Run them all, as many at once as there are processors."""
    folder = tmp_path_factory.mktemp("planted")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        begun: Runs = {
            bug.why: pool.submit(tried_with, folder / str(n), bug)
            for n, bug in enumerate(BUGS)
        }
        begun[""] = pool.submit(tried_without, folder / "none")
        yield begun


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.why)
def test_a_planted_bug_is_seen(runs: Runs, bug: Bug) -> None:
    done = runs[bug.why].result()
    assert done.returncode == FAILED, done.stdout[-2_000:] + done.stderr[-2_000:]
    assert "1 failed" in done.stdout


def test_without_a_bug_nothing_is_seen(runs: Runs) -> None:
    done = runs[""].result()
    assert done.returncode == 0, done.stdout[-4_000:]


def test_a_line_that_is_not_there_any_more_is_told(tmp_path: Path) -> None:
    gone = Bug("it is gone", "decide", "no such line", "another")
    with pytest.raises(AssertionError, match="is not there"):
        planted(tmp_path, gone)


def test_there_are_enough_of_them_and_each_is_another() -> None:
    assert len({bug.why for bug in BUGS}) == len(BUGS) >= 30
    assert len({(bug.module, bug.becomes) for bug in BUGS}) == len(BUGS)
