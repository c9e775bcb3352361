"""What is done to a fleet while it is simulated, as its owner writes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.cli.failing import Failed
from orchestrator.cli.rehearsed_changes import changes_of
from orchestrator.core.lineages import RolloutAction
from orchestrator.core.loads import LoadObserved
from orchestrator.core.requests import Apply, Roll, Scale
from orchestrator.simulation.characters import Character

HOUR = 3_600_000
FLEET = """
[fleet]
name = "shop"

[platform]
kind = "simulated"

[[containers]]
name = "web"
replicas = 2
command = ["serve"]
"""


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("5m scale web 6", Scale(service="web", replicas=6)),
        (
            "5m rollout promote web",
            Roll(service="web", action=RolloutAction.PROMOTE),
        ),
        ("5m rollout undo web", Roll(service="web", action=RolloutAction.UNDO)),
        (
            "5m rollout undo web --to 3",
            Roll(service="web", action=RolloutAction.UNDO, to=3),
        ),
        ("5m load web 12.5", LoadObserved(at=0, service="web", load_milli=12_500)),
        ("5m load web 0", LoadObserved(at=0, service="web", load_milli=0)),
        ("5m load web 0.007", LoadObserved(at=0, service="web", load_milli=7)),
    ],
)
def test_a_change_is_a_moment_and_a_command(written: str, wanted: object) -> None:
    (change,) = changes_of([written], HOUR)
    assert (change.at, change.wanted) == (300_000, wanted)
    assert change.words == written.partition(" ")[2]
    assert change.character is None


def test_a_fleet_file_is_applied_and_may_have_a_character(tmp_path: Path) -> None:
    file = tmp_path / "a file.toml"
    file.write_text(FLEET)
    plain, bad = changes_of(
        [f"0s apply '{file}'", f"1s apply '{file}' as never_ready"], HOUR
    )
    assert isinstance(plain.wanted, Apply)
    assert plain.wanted.spec.name == "shop"
    assert (plain.character, bad.character) == (None, Character.NEVER_READY)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("", "a duration, then one of: apply FILE"),
        ("'5m", "a duration, then one of"),
        ("soon scale web 1", "first a duration such as 5m"),
        ("2h scale web 1", "a moment before the end"),
        ("5m", "one of: apply FILE"),
        ("5m scale web", "one of"),
        ("5m scale web -1", "one of"),
        (f"5m scale web {'9' * 5_000}", "one of"),
        ("5m rollout burn web", "one of"),
        ("5m rollout pause web 3", "one of"),
        ("5m rollout undo web --to last", "one of"),
        ("5m load web much", "a number such as 120 or 0.5"),
        (f"5m load web {'9' * 5_000}", "a number such as"),
        ("5m load web 1e9", "a number such as"),
        ("5m apply new.toml as odd", "one of: steady"),
        ("5m stop web-0", "one of"),
    ],
)
def test_what_is_no_change_is_a_mistake_of_usage(written: str, expected: str) -> None:
    with pytest.raises(Failed) as raised:
        changes_of([written], HOUR)
    assert raised.value.code == 2
    assert expected in str(raised.value)


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(Failed, match="no-such-file"):
        changes_of(["1s apply no-such-file.toml"], HOUR)
