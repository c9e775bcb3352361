"""Commands that need no operator."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from click.testing import CliRunner

from orchestrator.cli import demo as demo_module
from orchestrator.cli.commands import COMMANDS, SECTIONS
from orchestrator.cli.demo import quickstart
from orchestrator.cli.failing import Failed
from orchestrator.cli.main import cli
from orchestrator.core.state import RULES
from tests.cli.kit import COMMAND, LIMIT_S, all_ended, file_at, run, run_afresh, unread
from tests.platforms.local_kit import marked

ROOT = Path(__file__).parents[2]
INCIDENT = str(ROOT / "docs/examples/incident.jsonl.gz")


def test_the_demo_shows_every_point_and_leaves_nothing(tmp_path: Path) -> None:
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    done = run("demo", env=env)
    assert done.code == 0, done.err
    ends = done.out.partition("\n\n")[2]
    for line in (
        "doomed   crash_looping: it fails too often",
        "job      completed: it ended well",
        "web-0    running: runs and is ready",
        "worker   running: runs and is ready",
    ):
        assert line in ends
    assert list(tmp_path.iterdir()) == []


async def test_the_demo_tells_what_was_seen_when_its_last_point_was_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its worker goes on to live and die while the display comes to its end."""
    told = [("pending", False), ("running", True), ("backing_off", False)]

    def infos() -> list[SimpleNamespace]:
        phase, ready = told.pop(0) if len(told) > 1 else told[0]
        return [
            SimpleNamespace(
                name="worker", phase=phase, ready=ready, restarts=1, why="a word"
            )
        ]

    async def show_lines(_: object, done: asyncio.Event) -> None:
        await done.wait()

    monkeypatch.setattr(demo_module, "show_lines", show_lines)
    operator: Any = SimpleNamespace(infos=infos)
    assert await demo_module._show(operator, asyncio.Event()) == 0
    out, err = capsys.readouterr()
    assert "worker   running: a word\n" in out
    assert err == ""


def test_a_demo_that_is_interrupted_stops_everything(tmp_path: Path) -> None:
    env = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        (*COMMAND, "demo"),
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as demo:
        assert demo.stdout is not None
        assert any(" running " in line for line in demo.stdout)
        demo.send_signal(signal.SIGINT)
        _, err = demo.communicate(timeout=LIMIT_S)
    assert (demo.returncode, err) == (
        130,
        "orchestrator: interrupted: everything is stopped\n",
    )
    assert marked(str(tmp_path)) == []
    all_ended(tmp_path)


def test_the_shipped_fleet_is_the_one_of_the_docs() -> None:
    assert (ROOT / "docs/examples/quickstart.toml").read_bytes() == quickstart()


def test_validate_counts_or_tells_every_problem(tmp_path: Path) -> None:
    good = file_at(tmp_path, quickstart().decode())
    done = run("validate", str(good))
    assert (done.code, done.out) == (
        0,
        f"{good} is valid: fleet 'quickstart', 5 containers\n",
    )
    bad = file_at(tmp_path, '[flet]\nname = 3\n[[containers]]\nname = "A"\n')
    done = run("validate", str(bad))
    assert done.code == 2
    assert len(done.err.splitlines()) >= 3
    assert "Traceback" not in done.err
    assert run("validate", str(tmp_path / "none.toml")).code == 2
    quiet = file_at(tmp_path, '[fleet]\nname = "empty"\n')
    assert "declares no containers" in run("validate", str(quiet)).err


def test_version_and_help() -> None:
    told = run_afresh("version").out
    assert told.startswith(f"orchestrator 0.1.0 (rules {RULES}, schema 1")
    assert run("version").out == told
    assert run("--version").out == "orchestrator 0.1.0\n"
    helped = run("--help").out
    for heading, section in SECTIONS.items():
        assert f"\n{heading}:\n" in helped
        for name, listed in section.items():
            assert f"\n  {name:10}  {listed.summary}\n" in helped
    assert run("-h").out == helped


def test_every_command_is_where_the_list_has_it_and_has_a_line_of_its_own() -> None:
    context = click.Context(cli)
    for name, listed in COMMANDS.items():
        command = cli.get_command(context, name)
        assert command is not None, name
        assert not command.hidden, name
        assert command.name in {name, "list"}
        assert listed.summary.endswith("."), name
        assert len(f"  {name:10}  {listed.summary}") <= 80, name
    assert sorted(cli.list_commands(context)) == sorted({*COMMANDS} - {"ps"})


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("re", ["restart", "remove", "reset", "reconcile", "replay"]),
        ("--v", ["--version"]),
        ("x", []),
    ],
)
def test_a_command_is_completed_before_any_is_loaded(
    word: str, found: list[str]
) -> None:
    program = (
        "import sys, click\n"
        "from orchestrator.cli.main import cli\n"
        "for it in cli.shell_complete(click.Context(cli), sys.argv[1]):\n"
        "    print(it.value)\n"
        "assert not [n for n in sys.modules if n.startswith('orchestrator.core')]"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, word],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == found


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_can_complete(shell: str) -> None:
    env = {**os.environ, "PATH": os.environ["PATH"]}
    done = run("completion", shell, env=env)
    assert done.code == 0, done.err
    assert "orchestrator" in done.out


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("no_such_module:build", "ModuleNotFoundError"),
        ("os:no_such_name", "AttributeError"),
    ],
)
def test_a_builder_that_cannot_be_loaded_is_told(
    tmp_path: Path, reference: str, message: str
) -> None:
    text = f'[fleet]\nname = "x"\nenv_vars = "{reference}"\n'
    done = run("up", str(file_at(tmp_path, text)), "--state", str(tmp_path / "s"))
    assert done.code == 2
    assert f"fleet.env_vars: '{reference}' cannot be loaded: {message}" in done.err


@pytest.mark.parametrize(
    "words",
    [
        ("journal", "verify"),
        ("journal", "info"),
        ("journal", "compact", "--keep-rows", "1"),
        ("replay",),
        ("replay", "timeline"),
        ("replay", "diff", "--from", "3"),
        ("replay", "bisect", "--when", "seq == 3"),
        ("replay", "what-if", "--skip", "3"),
    ],
)
def test_policies_that_cannot_be_loaded_are_told_where_they_are_named(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    journal = str(tmp_path / "journal.db")
    assert CliRunner().invoke(cli, ("journal", "import", INCIDENT, journal)).output
    policies = {
        "no_such_module:ONE": "cannot be loaded: ModuleNotFoundError",
        "os:sep": "holds no policies: '/' is no CustomPolicy",
    }
    for reference, message in policies.items():
        asked = (*words, journal, "--policies", reference)
        failed = CliRunner().invoke(cli, asked, standalone_mode=False).exception
        assert isinstance(failed, Failed)
        assert failed.code == 2
        assert failed.message.startswith(f"--policies: {reference!r} {message}")


def test_a_secrets_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    secrets.write_text("A=b\n")
    secrets.chmod(0o644)
    file = file_at(tmp_path, '[fleet]\nname = "x"\n')
    done = run(
        "up", str(file), "--secrets", str(secrets), "--state", str(tmp_path / "s")
    )
    assert done.code == 2
    assert "expected mode 0600" in done.err


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Leave the journal of a short life."""
    text = '[fleet]\nname = "x"\n[[containers]]\nname = "job"\ncommand = ["true"]\n'
    state = tmp_path / "state"
    done = run("up", str(file_at(tmp_path, text)), "--once", "--state", str(state))
    assert done.code == 0, done.err
    return state / "journal.db"


def test_a_journal_goes_out_and_comes_back(journal: Path, tmp_path: Path) -> None:
    for name in ("out.jsonl", "out.jsonl.gz"):
        out = tmp_path / name
        assert run("journal", "export", str(journal), str(out)).code == 0
        back = tmp_path / f"{name}.db"
        assert run("journal", "import", str(out), str(back)).code == 0
        assert run("journal", "import", str(out), str(back)).code == 6
        verified = run("journal", "verify", str(back))
        assert verified.code == 0
        assert "replay to the same decisions" in verified.out
    cut = tmp_path / "cut.jsonl"
    lines = gzip.decompress((tmp_path / "out.jsonl.gz").read_bytes()).splitlines()
    cut.write_bytes(b"\n".join(lines[:4]) + b"\n{")
    done = run("journal", "import", str(cut), str(tmp_path / "cut.db"))
    assert done.code == 10
    assert "was cut off at line 5" in done.err
    assert not list(tmp_path.glob("cut.db*"))
    done = run("journal", "import", "--damaged", str(cut), str(tmp_path / "cut.db"))
    assert (done.code, done.out) == (10, "3 rows\n")
    assert run("journal", "verify", str(tmp_path / "cut.db")).code == 0


def test_a_damaged_journal_is_refused_until_it_is_repaired(
    journal: Path, tmp_path: Path
) -> None:
    connection = sqlite3.connect(journal, isolation_level=None)
    (rows,) = connection.execute("SELECT count(*) FROM rows").fetchone()
    connection.execute("DELETE FROM rows WHERE seq = ?", (rows,))
    connection.close()
    text = '[fleet]\nname = "x"\n'
    file = str(file_at(tmp_path, text))
    done = run("up", file, "--once", "--state", str(journal.parent))
    assert done.code == 8
    assert f"expected {rows} rows, found {rows - 1} rows" in done.err
    assert run("journal", "verify", str(journal)).code == 8
    repaired = run("journal", "repair", str(journal))
    assert repaired.out == f"the journal ends at row {rows - 1}; 1 rows are lost\n"
    assert run("up", file, "--once", "--state", str(journal.parent)).code == 0


def test_a_decision_that_today_would_not_be_taken_is_found(
    journal: Path, tmp_path: Path
) -> None:
    from orchestrator.codec.digests import GENESIS, chain

    out = tmp_path / "out.jsonl"
    run("journal", "export", str(journal), str(out))
    digest, lines = GENESIS, []
    for line in out.read_bytes().splitlines():
        row = json.loads(line)
        if "seq" in row:
            if row["commands"] and row["commands"][0]["type"] == "start_container":
                row["commands"] = []
            event = json.dumps(row["event"], separators=(",", ":")).encode()
            commands = json.dumps(row["commands"], separators=(",", ":")).encode()
            changes = json.dumps(row["changes"], separators=(",", ":")).encode()
            digest = chain(digest, row["seq"], row["at"], event, commands, changes)
            row["digest"] = digest.hex()
        if "end" in row:
            row["end"]["digest"] = digest.hex()
        lines.append(json.dumps(row, separators=(",", ":")))
    out.write_text("\n".join(lines) + "\n")
    forged = tmp_path / "forged.db"
    assert run("journal", "import", str(out), str(forged)).code == 0
    done = run("journal", "verify", str(forged))
    assert done.code == 8
    assert "replay diverges at row" in done.err


def test_output_that_nobody_reads_any_more_shows_no_traceback() -> None:
    with unread() as stream:
        done = subprocess.run(
            [*COMMAND, "--help"],
            stdout=stream,
            stderr=subprocess.PIPE,
            check=False,
            timeout=LIMIT_S,
        )
    assert done.stderr == b""
    assert done.returncode == 141  # 1 would be an answer of some commands


def test_the_command_loads_nothing_of_ours_before_it_can_be_interrupted() -> None:
    """Ctrl-C while modules are loaded is told by `main`, and is no traceback."""
    program = (
        "import sys, orchestrator.cli.main\n"
        "print(sorted(n for n in sys.modules if n.startswith('orchestrator.')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = [
        f"orchestrator.cli{end}" for end in ("", ".colours", ".commands", ".main")
    ]
    assert done.stdout == f"{loaded}\n"
