"""The docs say what the code says, and every block in them runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.kit import reached
from tests.docs.generate import DOCS, PAGES
from tests.platforms.local_kit import shims

ROOT = DOCS.parent
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path, kind: str) -> list[str]:
    text = page.read_text(encoding="utf-8")
    return [body for found, body in BLOCK.findall(text) if found == kind]


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_what_the_code_says(name: str) -> None:
    written = (DOCS / name).read_text(encoding="utf-8")
    assert written == PAGES[name](), "run: python -m tests.docs.generate"


def test_the_tutorial_can_be_followed(tmp_path: Path) -> None:
    page = DOCS / "tutorial.md"
    (fleet,) = blocks(page, "toml")
    (tmp_path / "fleet.toml").write_text(fleet)
    (tmp_path / "orchestrator").write_text(
        f'#!/bin/sh\nexec "{sys.executable}" -m orchestrator "$@"\n'
    )
    (tmp_path / "orchestrator").chmod(0o755)
    state = tmp_path / "state"
    env = {
        **os.environ,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "ORCHESTRATOR_STATE": str(state),
    }
    done: list[str] = []
    up: subprocess.Popen[bytes] | None = None
    try:
        for block in blocks(page, "sh"):
            if block.startswith("orchestrator up"):
                with (tmp_path / "up.log").open("w") as log:
                    up = subprocess.Popen(
                        block.split(), cwd=tmp_path, env=env, stdout=log
                    )
                client = reached(state)
                client.get("containers", "web-0", "wait")
                client.get("containers", "web-1", "wait")
                continue
            ran = subprocess.run(
                ["sh", "-e", "-c", block],
                cwd=tmp_path,
                env=env,
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )
            assert ran.returncode == 0, (block, ran.stderr)
            done.append(ran.stdout)
    finally:
        subprocess.run(["orchestrator", "down"], env=env, check=False)
        if up is not None:
            up.wait(30)
    assert "is valid: fleet 'tutorial', 3 containers" in done[0]
    assert "http=127.0.0.1:" in done[1]
    assert "everything is down" in done[-1]
    assert shims(tmp_path) == []


def test_the_program_of_the_how_to_runs(tmp_path: Path) -> None:
    program = next(b for b in blocks(DOCS / "how-to/embed.md", "python") if '"""' in b)
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1:] == [
        "worker-1: running, runs and is ready",
        "worker-2: running, runs and is ready",
        "worker-7: running, runs and is ready",
    ]
    assert shims(tmp_path) == []


def test_every_block_is_of_a_kind_that_is_run() -> None:
    """Python is a doctest or the program, shell is the README's or the tutorial's."""
    for page in (ROOT / "README.md", *DOCS.rglob("*.md")):
        found = BLOCK.findall(page.read_text(encoding="utf-8"))
        for kind, body in found:
            assert kind in {"python", "sh", "toml", "text", "mermaid"}, page
            if kind == "python" and page.name != "embed.md":
                assert body.startswith(">>>"), page
            if kind in {"sh", "toml"}:
                assert page.name in {"README.md", "tutorial.md"}, page
