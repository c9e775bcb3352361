"""Plans as they are shown, and plans where no operator runs."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.planning import is_empty, show_plan
from orchestrator.cli.tools import parsed_file
from orchestrator.journal.sqlite import open_sqlite
from orchestrator.platforms.simulated.platform import SimulatedPlatform
from orchestrator.runtime.operator import Operator
from orchestrator.runtime.outcomes import settled
from tests.cli.inside import ran
from tests.cli.kit import file_at

FLEET = """
[fleet]
name = "shop"
[[containers]]
name = "web"
replicas = 2
command = ["run"]
env = { API_TOKEN = "hunter2" }
"""

MORE = """
[[containers]]
name = "db"
command = ["run"]
"""


def kept(folder: Path, text: str) -> Path:
    """Leave the journal of a fleet, as an operator that has ended does."""
    state = folder / "state"
    file = parsed_file(file_at(folder, text))

    async def lived() -> None:
        journal = await settled(open_sqlite(state / "journal.db"))
        platform = SimulatedPlatform(seed=1)
        async with Operator.open(file.spec, platform=platform, journal=journal):  # type: ignore[arg-type]
            pass

    asyncio.run(lived())
    return state


def test_without_operator_and_journal_all_is_new(tmp_path: Path) -> None:
    done = ran("plan", file_at(tmp_path, FLEET), "--state", tmp_path / "none")
    assert done.code == 1
    assert "+ create   web-0, web-1: it is new to the fleet" in done.out
    assert "2 to create: fleet 'shop', revision 0 to 1" in done.out
    assert "all is new" in done.err
    assert not (tmp_path / "none").exists()


def test_without_operator_its_journal_is_read_and_left_alone(tmp_path: Path) -> None:
    state = kept(tmp_path, FLEET)
    before = (state / "journal.db").read_bytes()
    same = ran("plan", file_at(tmp_path, FLEET), "--state", state)
    assert (same.code, same.out) == (
        0,
        "nothing to change: fleet 'shop' is at revision 1\n",
    )
    assert "its journal is read" in same.err
    changed = FLEET.replace("hunter2", "hunter3").replace("replicas = 2", "replicas=1")
    done = ran("plan", file_at(tmp_path, changed + MORE), "--state", state)
    assert done.code == 1
    assert "+ create   db: it is new to the fleet" in done.out
    assert "web-0: " in done.out
    assert "    env.API_TOKEN: changes, and is not shown" in done.out
    assert "- forget   web-1: its spec has left the fleet" in done.out or (
        "- stop     web-1: its spec has left the fleet" in done.out
    )
    assert "    services.web.replicas: 2 -> 1" in done.out
    assert "hunter" not in done.out + done.err
    assert (state / "journal.db").read_bytes() == before


def test_a_plan_for_programs_is_plain_json(tmp_path: Path) -> None:
    state = kept(tmp_path, FLEET)
    words = ("--state", state, "--prune", "keep", "-o", "json")
    done = ran("plan", file_at(tmp_path, FLEET.replace("web", "api")), *words)
    assert done.code == 1
    found = json.loads(done.out)
    actions = {change["name"]: change["action"] for change in found["changes"]}
    assert actions == {
        "api-0": "create",
        "api-1": "create",
        "web-0": "keep",
        "web-1": "keep",
    }
    assert (found["revision_before"], found["revision_after"]) == (1, 2)


def test_what_no_start_will_do_is_said_to_be_for_an_apply(tmp_path: Path) -> None:
    state = kept(tmp_path, FLEET)
    file = file_at(tmp_path, FLEET.replace("web", "api"))
    told = "`apply --prune keep` would do at that moment"
    done = ran("plan", file, "--state", state, "--prune", "keep")
    assert told in done.err
    assert "`up` does what the file says (fleet.prune: stop)" in done.err
    for words in ((), ("--prune", "stop")):
        assert "--prune" not in ran("plan", file, "--state", state, *words).err


def test_another_fleet_than_that_of_the_journal_is_refused(tmp_path: Path) -> None:
    state = kept(tmp_path, FLEET)
    other = file_at(tmp_path, FLEET.replace('"shop"', '"shed"'))
    done = ran("plan", other, "--state", state)
    assert done.code == 2
    assert done.err.endswith("fleet.name: expected 'shop', found 'shed'\n")


def test_a_damaged_journal_is_told(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "journal.db").write_bytes(b"no database at all" * 100)
    done = ran("plan", file_at(tmp_path, FLEET), "--state", state)
    assert done.code in {5, 8}
    assert "Traceback" not in done.err


def test_a_wrong_file_is_told_before_anybody_is_asked(tmp_path: Path) -> None:
    done = ran("plan", file_at(tmp_path, FLEET + "[nonsense]\n"))
    assert done.code == 2
    assert "nonsense" in done.err
    gone = ran("apply", tmp_path / "nothing.toml")
    assert gone.code == 2
    assert "No such file" in gone.err


def test_without_an_operator_nothing_can_be_applied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state folder of the fleet in the file is meant, where none is named."""
    for name in ("URL", "STATE"):
        monkeypatch.delenv(f"ORCHESTRATOR_{name}", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "states"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    done = ran("apply", file_at(tmp_path, FLEET))
    assert done.code == 5
    assert f"no operator runs for {tmp_path}/states/orchestrator/shop" in done.err
    assert ran("diff", "--state", tmp_path / "none").code == 5


def test_far_away_where_nobody_listens_nothing_is_planned(tmp_path: Path) -> None:
    url = ("--url", "http://127.0.0.1:1")
    assert ran("plan", file_at(tmp_path, FLEET), *url).code == 5


def shown(capsys: pytest.CaptureFixture[str], *changes: dict[str, Any]) -> list[str]:
    plan = {
        "fleet": "shop",
        "revision_before": 1,
        "revision_after": 2,
        "changes": list(changes),
        "settings": [],
    }
    assert not is_empty(plan)
    show_plan(plan, "table")
    return capsys.readouterr().out.splitlines()


def test_to_what_the_same_happens_is_told_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    field = {"path": "image", "before": '"' + "a" * 99 + '"', "after": None}
    same = [
        {
            "name": f"web-{index}",
            "action": "restart",
            "why": "for \x1b[31mred",
            "fields": [field],
        }
        for index in range(9)
    ]
    lines = shown(capsys, *same)
    assert len(lines) == 3
    assert lines[0].startswith("~ restart  web-0, web-1, ")
    assert "and 3 more: for " in lines[0]
    assert "\x1b" not in lines[0]
    assert lines[1].endswith("... -> nothing")
    assert lines[2] == "9 to restart: fleet 'shop', revision 1 to 2"


def test_the_next_start_does_what_was_planned_without_an_operator(
    tmp_path: Path,
) -> None:
    """A scale is kept, as the next start keeps it."""
    state = kept(tmp_path, FLEET)
    file = parsed_file(file_at(tmp_path, FLEET + MORE))
    told = json.loads(
        ran("plan", tmp_path / "fleet.toml", "--state", state, "-o", "json").out
    )

    async def began() -> int:
        journal = await settled(open_sqlite(state / "journal.db"))
        platform = SimulatedPlatform(seed=1)
        async with Operator.open(file.spec, platform=platform, journal=journal) as it:  # type: ignore[arg-type]
            return it.fleet.revision

    assert asyncio.run(began()) == told["revision_after"]
