"""``orchestrator simulate``: the same seed, the same bytes; what it says and draws."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import attrs
import pytest
from click.testing import CliRunner

from orchestrator.cli.lanes import drawing_of
from orchestrator.cli.main import cli
from orchestrator.cli.rehearsed import json_of, text_of
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.specs import ContainerSpec
from orchestrator.simulation.chronicle import Look, Violated
from orchestrator.simulation.rehearsals import Rehearsal, Wish, rehearse

FLEET = """
[fleet]
name = "shop"

[platform]
kind = "simulated"

[[containers]]
name = "web"
replicas = 3
command = ["serve"]
ports = { http = 8080 }
restart = { when = "always" }
health = { liveness = { http = { port = "http", path = "/" } } }

[[containers]]
name = "mailer-with-a-name-that-is-longer-than-a-lane"
command = ["send"]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "fleet.toml"
    path.write_text(FLEET)
    return path


def run(*words: object) -> tuple[int, str]:
    result = CliRunner().invoke(
        cli, ["simulate", *map(str, words)], standalone_mode=False
    )
    if result.exception is not None:
        raise result.exception
    assert isinstance(result.return_value, int)
    return result.return_value, result.output


def rehearsed(count: int = 4, **more: object) -> Rehearsal:
    specs = tuple(
        ContainerSpec(name=f"c{number}", command=("run",)) for number in range(count)
    )
    wish = Wish(
        fleet=FleetSpec(name="shop", containers=specs),
        seed=4,
        profile="all",
        span_ms=3_600_000,
    )
    shown = rehearse(attrs.evolve(wish, **more))  # type: ignore[arg-type]
    assert isinstance(shown, Rehearsal)
    return shown


def test_it_says_what_was_drawn_what_happened_and_what_held(file: Path) -> None:
    code, text = run(file, "--seed", 7, "--for", "2h")
    assert code == 0
    for words in (
        "fleet 'shop': 4 containers, 2h, seed 7",
        "profile: rough",
        "faults drawn:",
        "timeline",
        "web-0",
        "held      run numbers only grow",
        "converged:",
    ):
        assert words in text
    assert "VIOLATED" not in text


def test_the_same_seed_gives_the_same_bytes_in_another_process(file: Path) -> None:
    def said(hash_seed: str) -> tuple[bytes, bytes]:
        svg = file.with_suffix(f".{hash_seed}.svg")
        words = f"simulate {file} --seed 5 --faults all --for 1h -o json --svg {svg}"
        done = subprocess.run(
            (sys.executable, "-m", "orchestrator", *words.split()),
            check=True,
            capture_output=True,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
        )
        return done.stdout, svg.read_bytes()

    assert said("1") == said("2")


def test_json_says_it_all(file: Path) -> None:
    code, text = run(file, "-o", "json", "--faults", "storm", "--for", "1h")
    tree = json.loads(text)
    assert code == 0
    assert tree["converged"] is True
    assert tree["invariants_violated"] == []
    assert tree["faults"]["capacity_storms"]
    assert {lane["name"] for lane in tree["containers"]} >= {"web-0", "web-1"}
    assert tree["settled_ms"] <= tree["bound_ms"]


def test_the_timeline_is_as_long_as_asked(file: Path) -> None:
    _, text = run(file, "-o", "json", "--timeline", 3, "--faults", "all", "--for", "1h")
    assert len(json.loads(text)["timeline"]) == 3
    _, text = run(file, "--timeline", 0, "--for", "1h")
    assert "timeline" not in text


@pytest.mark.parametrize("span", ["soon", "10ms", "99999d"])
def test_a_span_that_is_none_is_refused(file: Path, span: str) -> None:
    done = CliRunner().invoke(cli, ["simulate", str(file), "--for", span])
    assert done.exit_code == 2
    assert span in done.output


def test_the_help_lists_the_profiles() -> None:
    done = CliRunner().invoke(cli, ["simulate", "--help"])
    assert "stale_state" in done.output
    assert "what is told was true before" in done.output


def test_a_drawing_that_cannot_be_written_is_said(file: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(
        cli,
        ["simulate", str(file), "--for", "10m", "--svg", str(tmp_path / "no" / "a")],
    )
    assert done.exit_code != 0
    assert "No such file" in done.output


def test_a_policy_that_nobody_registered_is_refused(file: Path) -> None:
    custom = 'restart = { custom = { name = "ours", version = 1 } }\n'
    file.write_text(FLEET.rstrip() + "\n" + custom)
    done = CliRunner().invoke(cli, ["simulate", str(file), "--for", "10m"])
    assert done.exit_code != 0
    assert "ours" in done.output


def test_a_violated_invariant_is_code_4_and_no_convergence_is_code_3(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = rehearsed()
    wrong = Violated(name="time never runs backwards", about="shop", step=3, at=1_500)
    for changed, code, words in (
        (attrs.evolve(shown, violated=(wrong,)), 4, "first at step 3 (00:00:01.5)"),
        (attrs.evolve(shown, converged=False, settled_ms=None), 3, "NOT CONVERGED"),
        (attrs.evolve(shown, converged=None, settled_ms=None), 0, "not told"),
    ):
        monkeypatch.setattr(
            "orchestrator.cli.simulate.rehearse", lambda _, changed=changed: changed
        )
        found, text = run(file)
        assert found == code
        assert words in text


@pytest.mark.parametrize("count", [0, 4, 40])
def test_the_drawing_is_well_formed_and_names_every_container(count: int) -> None:
    shown = rehearsed(count, span_ms=600_000)
    svg = drawing_of(shown)
    root = ET.fromstring(svg)  # noqa: S314 - it is ours
    words = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert all(f"c{number}" in words for number in range(count))
    assert root.get("width") == "1000"
    assert drawing_of(shown) == svg


def test_where_a_container_was_not_there_its_lane_is_empty() -> None:
    shown = rehearsed(1, profile="steady", span_ms=600_000)
    full = drawing_of(shown).count("<title>c0: ")
    lane = shown.lanes[0]
    absent = tuple(Look).index(Look.NOT_THERE)
    lane.columns[100:200] = bytes([absent]) * 100
    assert drawing_of(shown).count("<title>c0: ") == full + 1


def test_the_drawing_says_how_it_ended() -> None:
    shown = rehearsed()
    assert "after the faults" in drawing_of(shown)
    late = attrs.evolve(shown, converged=False, settled_ms=None)
    assert "did not settle in time" in drawing_of(late)
    short = attrs.evolve(shown, converged=None, settled_ms=None)
    assert "too short to tell" in drawing_of(short)
    wrong = Violated(name="x", about="shop", step=3, at=1)
    assert "1 invariants" in drawing_of(attrs.evolve(shown, violated=(wrong,)))


def changing(file: Path, *changes: str) -> tuple[int, str]:
    new = FLEET.replace('["serve"]', '["serve", "2"]')
    file.with_name("new.toml").write_text(f"{new}")
    words = [word for each in changes for word in ("--at", each)]
    return run(file, "--faults", "steady", "--for", "20m", *words)


def rolled(file: Path) -> str:
    """Have the service of the file roll out step by step; return the new file."""
    rollout = "rollout = { max_unavailable = 1, failure_budget = 1 }\n"
    text = FLEET.replace('command = ["serve"]\n', f'command = ["serve"]\n{rollout}')
    file.write_text(text)
    new = file.with_name("rolled.toml")
    new.write_text(text.replace('["serve"]', '["serve", "2"]'))
    return str(new)


def test_a_rollout_can_be_rehearsed_and_is_told(file: Path) -> None:
    new = rolled(file)
    code, text = changing(file, f"2m apply {new}")
    assert code == 0
    assert "changes\n  00:02:00.0  apply" in text
    assert "web      1 to 2    rolling   done" in text
    assert "2 of 3" in text


def test_one_that_is_reverted_is_code_9_and_one_that_is_refused_code_6(
    file: Path,
) -> None:
    new = rolled(file)
    code, text = changing(file, f"2m apply {new} as dead")
    assert (code, "reverted" in text) == (9, True)
    code, text = changing(file, "2m rollout promote web")
    assert (code, "REFUSED" in text) == (6, True)
    code, text = changing(file, "2m scale nobody 3")
    assert (code, "nobody" in text) == (6, True)


def test_programs_are_told_of_changes_and_rollouts(file: Path, tmp_path: Path) -> None:
    new = rolled(file)
    svg = tmp_path / "a.svg"
    words = ("--faults", "steady", "--for", "20m", "-o", "json", "--svg", svg)
    code, text = run(file, *words, "--at", f"2m apply {new}")
    tree = json.loads(text)
    assert (code, tree["changes"][0]["refused"]) == (0, "")
    (rollout,) = tree["rollouts"]
    assert (rollout["status"], rollout["least_available"]) == ("done", 2)
    assert rollout["marks"][-1]["kind"] == "end"
    drawing = svg.read_text()
    assert "web: revision 1 to 2, rolling, done" in drawing
    assert ET.fromstring(drawing) is not None  # noqa: S314 - ours


def test_a_restless_owner_is_no_mistake_of_the_user(file: Path) -> None:
    code, text = run(file, "--faults", "restless", "--for", "1h")
    assert code in {0, 3}
    assert "release 1 of web" in text


def test_many_changes_are_told_in_short(file: Path) -> None:
    many = [f"{second}s scale web {second % 3 + 1}" for second in range(1, 60)]
    _, text = changing(file, *many)
    assert "and 19 more" in text


def test_a_drawing_and_a_report_of_all_faults_have_all_they_need() -> None:
    for seed in range(3):
        shown = rehearsed(seed=seed, span_ms=1_800_000)
        assert ET.fromstring(drawing_of(shown)) is not None  # noqa: S314 - ours
        assert text_of(shown).endswith("\n")
        assert json.dumps(json_of(shown))
