"""``FleetMachine`` and the plugin: planted bugs are found, kept and seen again."""

# mypy: disable-error-code="mutable-override"
# That check is an extra of ours; `strict` does not have it.

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import invariant, rule, run_state_machine_as_test

from orchestrator.core.custom import CustomPolicy
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.phases import Running
from orchestrator.core.policies import RestartPolicy
from orchestrator.journal.reading import RECORDING
from orchestrator.replay.verifying import verify
from orchestrator.testing import (
    FleetMachine,
    LawBroken,
    Scenario,
    comes_up,
    save_history,
)
from orchestrator.testing.evidence import failed_history
from tests.replay.kit import read_of
from tests.testing.kit import CHECKED, WEB, rerun
from tests.testing.test_policies import DECIDES, RULES, Decide, plant, without_end

ROOT = Path(__file__).parents[2]
QUICK = settings(
    max_examples=400,
    deadline=None,
    database=None,
    derandomize=True,
    report_multiple_bugs=False,
    phases=(Phase.generate,),  # shrinking fifty steps takes its time
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


class WithRules(FleetMachine):
    policy = RULES


class WithoutEnd(FleetMachine):
    policy = CustomPolicy(name="without-end", version=1, decide=without_end)


class OnlyOnce(FleetMachine):
    spec = CHECKED
    policy = RestartPolicy()

    @rule()
    def it_comes_up(self) -> None:
        if self.scenario.tale.ledger.waits_for("web") is not None:
            self.perform(comes_up("web"))

    @invariant()
    def it_never_runs_twice(self) -> None:
        phase = self.container().phase
        assert not isinstance(phase, Running) or phase.run < 2
        assert self.now >= 0


class Whole(FleetMachine):
    fleet = FleetSpec(name="whole", containers=(WEB,))


def failure_of(machine: type[FleetMachine]) -> Exception:
    with pytest.raises(Exception) as failed:  # noqa: PT011 - its kind is what is tested
        run_state_machine_as_test(machine, settings=QUICK)
    return failed.value


def test_a_machine_finds_a_policy_without_end() -> None:
    error = failure_of(WithoutEnd)
    assert isinstance(error, LawBroken)
    with pytest.raises(LawBroken) as again:
        _ = rerun(error.scenario)
    assert again.value.law == error.law


@pytest.mark.parametrize(("wrong", "laws"), DECIDES)
def test_a_machine_finds_what_is_wrong_in_the_core(
    wrong: Decide, laws: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(wrong, monkeypatch)
    error = failure_of(WithRules)
    assert isinstance(error, LawBroken)
    with pytest.raises(LawBroken) as again:
        _ = rerun(error.scenario)
    assert again.value.law == error.law


def test_what_breaks_an_invariant_of_ones_own_carries_its_history() -> None:
    error = failure_of(OnlyOnce)
    told = failed_history(error)
    assert type(error) is AssertionError
    assert told is not None
    assert any("scenario = (" in note for note in error.__notes__)
    phase = rerun(told).container("web").phase
    assert isinstance(phase, Running)
    assert phase.run >= 2


def test_a_whole_fleet_can_be_given() -> None:
    run_state_machine_as_test(
        Whole, settings=settings(QUICK, max_examples=4, stateful_step_count=200)
    )


def test_what_is_kept_is_a_journal_that_replays(tmp_path: Path) -> None:
    scenario = Scenario.of(WEB).when(comes_up("web"), after="3s")
    path = save_history(scenario, tmp_path / "kept.jsonl")
    with read_of(path) as read:
        entries = list(read.entries())
    assert tuple(entry.event for entry in entries) == scenario.tale.events
    expected = [step.commands for step in scenario.tale.steps]
    assert [entry.commands for entry in entries] == expected
    verdict = verify(entries, RECORDING).unwrap()
    assert verdict.compared == len(scenario.tale.steps)
    with pytest.raises(OSError, match="No such file"):
        _ = save_history(scenario, tmp_path / "nowhere" / "kept.jsonl")


TESTS = """
from orchestrator.core.specs import ContainerSpec
from orchestrator.testing import Scenario, comes_up, crashes, phase

def test_passes():
    pass

def test_fails_without_a_history():
    raise AssertionError("no history")

def test_fails_with_one():
    web = ContainerSpec(name="web", command=("run",))
    Scenario.of(web).when(comes_up("web"), crashes("web")).then(phase("web", "ready"))
"""


def pytest_run(folder: Path, *words: str) -> str:
    program = (sys.executable, "-m", "pytest", "-p", "orchestrator.testing.plugin")
    done = subprocess.run(
        (*program, "-p", "no:hypothesispytest", *words),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        timeout=240,
    )
    return done.stdout + done.stderr


def test_the_plugin_keeps_the_history_of_what_failed(tmp_path: Path) -> None:
    (tmp_path / "test_web.py").write_text(TESTS)
    told = pytest_run(tmp_path, "--orchestrator-journals", "kept", "test_web.py")
    assert "2 failed, 1 passed" in told
    (kept,) = (tmp_path / "kept").iterdir()
    assert str(kept) in told
    journal = tmp_path / "journal"
    for words in (("import", str(kept), str(journal)), ("verify", str(journal))):
        _ = subprocess.run(
            (sys.executable, "-m", "orchestrator", "journal", *words),
            check=True,
            cwd=ROOT,
            capture_output=True,
        )


def test_the_plugin_keeps_it_in_the_cache_and_nothing_where_nothing_fails(
    tmp_path: Path,
) -> None:
    (tmp_path / "test_web.py").write_text(TESTS)
    told = pytest_run(tmp_path, "test_web.py", "-k", "passes or without_a_history")
    assert "1 failed, 1 passed" in told
    assert not list(tmp_path.rglob("*.jsonl"))
    told = pytest_run(tmp_path, "test_web.py", "-k", "with_one")
    assert len(list(tmp_path.rglob("orchestrator-journals/*.jsonl"))) == 1
    told = pytest_run(tmp_path, "test_web.py", "-p", "no:cacheprovider")
    assert "its history is not kept: pytest has no cache" in told
    blocked = tmp_path / "blocked"
    blocked.write_text("a file")
    told = pytest_run(tmp_path, "test_web.py", "--orchestrator-journals", "blocked")
    assert "its history is not kept: " in told
