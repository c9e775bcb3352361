"""The docs say what the code says, and every block in them runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from returns.result import Failure

from orchestrator.cli.main import cli
from orchestrator.codec.fleet_file import read_fleet_file
from orchestrator.codec.platform_choices import CloudflareChoice
from orchestrator.platforms.cloudflare.project.applications import applications_of
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
    state = tmp_path / "state"
    env = environment(tmp_path)
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
            done.append(ran(block, tmp_path, env))
    finally:
        subprocess.run(["orchestrator", "down"], env=env, check=False)
        if up is not None:
            up.wait(120)
    assert "is valid: fleet 'tutorial', 3 containers" in done[0]
    assert "http=127.0.0.1:" in done[1]
    assert "everything is down" in done[-1]
    assert shims(tmp_path) == []


def environment(folder: Path) -> dict[str, str]:
    """Put the command into a folder, and return what a shell needs to find it."""
    command = folder / "orchestrator"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m orchestrator "$@"\n')
    command.chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{folder}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "ORCHESTRATOR_STATE": str(folder / "state"),
    }


def ran(block: str, folder: Path, env: dict[str, str]) -> str:
    """Run a block of shell, which must succeed; return what it said."""
    done = subprocess.run(
        ["sh", "-e", "-c", block],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, (block, done.stderr)
    return done.stdout


def test_the_tutorial_of_cloudflare_can_be_followed_as_far_as_no_account_is_needed(
    tmp_path: Path,
) -> None:
    page = DOCS / "tutorial-cloudflare.md"
    (fleet,) = blocks(page, "toml")
    (tmp_path / "fleet.toml").write_text(fleet)
    env = environment(tmp_path)
    validated, made = (ran(block, tmp_path, env) for block in blocks(page, "sh"))
    assert "is valid: fleet 'first', 3 containers" in validated
    assert "'first-gateway'" in made
    assert (tmp_path / "gateway" / "wrangler.jsonc").is_file()
    assert (tmp_path / "gateway" / "src" / "gateway" / "gateway.js").is_file()


COMMAND = re.compile(r"^orchestrator .*$", re.MULTILINE)


def test_what_needs_an_account_names_commands_that_are_there() -> None:
    """Each has its words and its options; what they would do is not tried."""
    found = {
        command
        for page in (ROOT / "README.md", *DOCS.rglob("*.md"))
        for block in blocks(page, "text")
        for command in COMMAND.findall(block)
    }
    assert found
    for command in sorted(found):
        told = help_of(command.split()[1:])
        own = command.partition("|")[0]
        for option in re.findall(r"(?<= )(--[a-z-]+|-[a-z])(?= |$)", own):
            assert option in told, command


def help_of(words: list[str]) -> str:
    """Return the help of the command that the first of some words name."""
    command: click.Command = cli
    context = click.Context(cli)
    for word in words:
        found = isinstance(command, click.Group) and command.get_command(context, word)
        if not found:
            break
        command = found
    assert command is not cli, words
    if isinstance(command, click.Group) and command.name == "replay":
        # orchestrator replay JOURNAL: the one question that needs no word.
        command = command.get_command(context, "show") or command
    return command.get_help(click.Context(command))


def test_the_program_of_the_how_to_runs(tmp_path: Path) -> None:
    program = next(b for b in blocks(DOCS / "how-to/embed.md", "python") if '"""' in b)
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1:] == [
        "worker-1: running, runs and is ready",
        "worker-2: running, runs and is ready",
        "worker-7: running, runs and is ready",
    ]
    assert shims(tmp_path) == []


def test_every_fleet_file_of_the_docs_is_valid() -> None:
    for page in (ROOT / "README.md", *DOCS.rglob("*.md")):
        for block in blocks(page, "toml"):
            read = read_fleet_file(block.encode(), file=page.name, folder=".")
            assert not isinstance(read, Failure), (page, read)
            file = read.unwrap()
            if isinstance(file.platform, CloudflareChoice):
                applications = applications_of(file.spec, file.platform)
                assert not isinstance(applications, Failure), (page, applications)


SHELL = {
    "README.md",
    "autoscale.md",
    "tutorial.md",
    "tutorial-cloudflare.md",
    "restart-policies.md",
    "health-checks.md",
    "shard-a-large-fleet.md",
    "write-the-fleet-in-python.md",
}


PROGRAMS = {
    "autoscale.md",
    "embed.md",
    "notifications.md",
    "scale-a-service.md",
    "shard-a-large-fleet.md",
    "write-the-fleet-in-python.md",
}
"""Pages whose Python is a program, run by a test of its own."""


def test_every_block_is_of_a_kind_that_is_run() -> None:
    """Python is a doctest or the program, TOML a fleet file, shell is followed."""
    for page in (ROOT / "README.md", *DOCS.rglob("*.md")):
        found = BLOCK.findall(page.read_text(encoding="utf-8"))
        for kind, body in found:
            assert kind in {"python", "sh", "toml", "text", "mermaid", "console"}, page
            if kind == "python" and page.name not in PROGRAMS:
                assert body.startswith(">>>"), page
            assert kind != "sh" or page.name in SHELL, page
