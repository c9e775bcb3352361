"""Pass every test of the project: the one command, on a fresh machine.

``python3 tests/run.py`` makes its own virtual environment (``.venv-test``), installs
the project with what its tests need, and runs every stage, also after one has failed.
``python3 tests/run.py lint types`` runs the stages named. Standard library only.

A test that this machine cannot run is listed at the end with the reason; where ``CI``
is set, that is a failure.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv-test"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "installed"
ON_THE_RUNTIME = (
    "tests/bench",
    "tests/compared",
    "tests/platforms/cloudflare/gateway",
    "tests/platforms/cloudflare/real",
)
"""Tests that start Cloudflare's runtime and a Docker engine for it."""

OF_THE_COMMAND = "tests/cli"
"""Tests that start the command as a process; what else is left takes as long."""

IN_A_BROWSER = "tests/page"
"""Tests that look at the page through Chromium."""

FULLY_COVERED = ("core", "codec", "replay", "simulation", "journal")
"""Floors whose every branch their own examples go through."""

# A tracer doubles the time: only the examples that must cover run under it.
PURE = tuple(f"tests/{floor}" for floor in FULLY_COVERED)

AT_ONCE = 4
"""Stages that run beside one another, on two cores: most wait as long as they work."""

LAST = "coverage"
"""The stage that reads what others have left."""

STAGES: dict[str, tuple[tuple[str, ...], ...]] = {
    # What tells most in a moment, then what takes longest: so no long one is left over.
    "format": (("ruff", "format", "--check", "."),),
    "lint": (("ruff", "check", "."),),
    "runtime": (("pytest", "-q", "-rs", *ON_THE_RUNTIME),),
    "properties": (("pytest", "-q", "-rs", "property_tests"),),
    "tests": (
        (
            *("pytest", "-q", "-rs", "tests"),
            *(
                f"--ignore={folder}"
                for folder in (*ON_THE_RUNTIME, OF_THE_COMMAND, IN_A_BROWSER, *PURE)
            ),
        ),
    ),
    "command": (("pytest", "-q", "-rs", OF_THE_COMMAND),),
    "page": (("pytest", "-q", "-rs", IN_A_BROWSER),),
    "pure": (("coverage", "run", "-m", "pytest", "-q", "-rs", *PURE),),
    "types": (
        ("mypy", "orchestrator", "tests", "property_tests"),
        ("pyright",),
    ),
    "doctests": (
        (
            "pytest",
            "-q",
            "-rs",
            "--doctest-modules",
            "--doctest-glob=*.md",
            "orchestrator",
            "README.md",
            "docs",
        ),
    ),
    "floors": (("lint-imports",),),
    "coverage": (
        ("coverage", "combine", "--quiet", "--keep", ".coverage.pure"),
        *(
            (
                "coverage",
                "report",
                "--fail-under=100",
                f"--include=orchestrator/{floor}/*",
            )
            for floor in FULLY_COVERED
        ),
    ),
}


def main(names: list[str]) -> int:
    """Install, run the stages, say what passed; the exit code is 0 if all did."""
    unknown = [name for name in names if name not in STAGES]
    if unknown:
        print(f"no stage {', '.join(unknown)}; there are {', '.join(STAGES)}")
        return 2
    problem = install()
    if problem:
        print(problem)
        return 2
    chosen = names or list(STAGES)
    skipped: list[str] = []
    failed = run_all(chosen, skipped)
    for line in skipped:
        print(f"not run: {line}")
    if skipped and "CI" in os.environ:
        failed.append("not run")
    print(f"\n{len(chosen) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


def install() -> str | None:
    """Make the virtual environment, unless it is up to date; say what is missing."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this file runs before any check
        return f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}"
    if importlib.util.find_spec("venv") is None or not has_ensurepip():
        return "the module venv is missing; on Debian: apt-get install python3-venv"
    stamp = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    if STAMP.is_file() and STAMP.read_text() == stamp:
        return None
    print("installing what the tests need", flush=True)
    steps = (
        (sys.executable, "-m", "venv", "--clear", str(VENV)),
        (str(PYTHON), "-m", "pip", "install", "--quiet", "--upgrade", "pip"),
        (str(PYTHON), "-m", "pip", "install", "--quiet", "-e", ".", "--group", "test"),
    )
    for step in steps:
        done = subprocess.run(
            step, cwd=ROOT, check=False, capture_output=True, text=True
        )
        if done.returncode:
            return f"{' '.join(step)} failed:\n{done.stdout}{done.stderr}"
    STAMP.write_text(stamp)
    return None


def has_ensurepip() -> bool:
    """Say whether venv can install pip: Debian ships the two apart."""
    return importlib.util.find_spec("ensurepip") is not None


def run_all(chosen: list[str], skipped: list[str]) -> list[str]:
    """Run the stages, some at once, and the last one then; say which failed."""
    beside = [name for name in STAGES if name in chosen and name != LAST]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        passed = list(pool.map(lambda name: run(name, skipped), beside))
    failed = [name for name, well in zip(beside, passed, strict=True) if not well]
    if LAST in chosen and not run(LAST, skipped):
        failed.append(LAST)
    return failed


def run(name: str, skipped: list[str]) -> bool:
    """Run a stage, show what failed, and note the tests that were skipped."""
    began = time.monotonic()
    path = f"{VENV / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    own = {} if name == LAST else {"COVERAGE_FILE": str(ROOT / f".coverage.{name}")}
    # Hundreds of tests start the command: without what Python keeps of a module that it
    # has compiled, each of them compiles three hundred anew.
    inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    passed = True
    for command in STAGES[name]:
        done = subprocess.run(
            (str(VENV / "bin" / command[0]), *command[1:]),
            cwd=ROOT,
            check=False,
            capture_output=True,
            text=True,
            env={**inherited, "PATH": path, **own},
        )
        skipped += re.findall(r"^SKIPPED (.*)$", done.stdout, flags=re.MULTILINE)
        passed = passed and done.returncode == 0
        if done.returncode:
            print(done.stdout + done.stderr)
    verdict = "passed" if passed else "FAILED"
    print(f"{name:<12}{verdict}  {time.monotonic() - began:6.1f} s", flush=True)
    return passed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
