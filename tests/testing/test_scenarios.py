"""Scenarios: what they say, what they refuse, and that they print what they are."""

from __future__ import annotations

import pytest

from orchestrator.core.commands import StartContainer
from orchestrator.core.errors import NoCapacity, TimedOut, Unreachable
from orchestrator.core.events import ContainerEnded, ContainerStarted, FleetObserved
from orchestrator.core.exits import Exited, GroupEnded, OutOfMemory, Stopped, Unhealthy
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.observations import SeenRunning
from orchestrator.core.requests import Reconcile, Remove, Start, Stop
from orchestrator.core.state import Fleet
from orchestrator.testing import (
    Act,
    ExpectationFailed,
    ImpossibleHistory,
    Scenario,
    accepts,
    admitted,
    asks,
    becomes_ready,
    comes_down,
    comes_up,
    commands,
    counts,
    crashes,
    dies,
    ends,
    fails_check,
    fails_to_start,
    happens,
    is_ready,
    is_seen,
    late,
    looks,
    loses_sight,
    passes_check,
    phase,
    refused,
    refuses,
    restarts_operator,
    rule,
    runs,
    starts,
    starts_in,
    succeeds,
    that,
    vanishes,
)
from tests.testing.kit import CHECKED, WEB, rerun

UP = Scenario.of(WEB).when(comes_up("web"))


def test_a_crash_is_waited_out_and_started_again() -> None:
    told = (
        Scenario.of(WEB)
        .then(commands("start web#1"), phase("web", "starting"))
        .when(comes_up("web"))
        .then(is_ready("web"), commands())
        .when(crashes("web", code=7), after="3s")
        .then(
            phase("web", "backing_off"),
            rule("web", "failure_backoff"),
            starts_in("web", "1s"),
            counts("web", 1),
        )
        .when(after="1s")
        .then(commands("start web"), runs("web", 2), is_ready("web", ready=False))
        .when(accepts("web"), starts("web"), becomes_ready("web"))
        .when(dies("web", signal=11))
        .then(starts_in("web", "2s"), counts("web", 2))
        .obeys()
    )
    assert told.tale.now == 4_000
    again = rerun(told)
    assert again.tale.events == told.tale.events
    assert str(again) == str(told)


def test_the_owner_is_answered() -> None:
    (
        UP.when(asks(Stop(name="web")))
        .then(admitted(), commands("stop web#1"), phase("web", "stopping"))
        .when(comes_down("web"))
        .then(phase("web", "stopped"), starts_in("web", "never"))
        .when(asks(Remove(name="web")))
        .then(refused("min_replica_set_container"))
        .when(asks(Start(name="web")))
        .then(admitted(), commands("start web#2"))
    )


def test_what_is_not_so_is_told_with_its_line_and_all_that_happened() -> None:
    with pytest.raises(ExpectationFailed) as failed:
        _ = UP.when(crashes("web"), after="3s").then(phase("web", "running"))
    text = str(failed.value)
    assert text.startswith(
        "line 3: phase(\"web\", \"running\"): expected 'running', found 'backing_off'"
    )
    assert "web#1 ends: exit 1" in text
    assert '.when(crashes("web", code=1), after="3s")' in text
    with pytest.raises(ExpectationFailed, match="expected 'running'"):
        _ = rerun(failed.value.scenario)


@pytest.mark.parametrize(
    ("expectation", "found"),
    [
        (commands("start web#9"), r"found \('start web#1',\)"),
        (commands(), "found"),
        (is_ready("web"), "expected True, found False"),
        (refused("start_needs_force"), "found None"),
        (starts_in("web", "1s"), "found 'never'"),
        (that("nothing is there", lambda fleet: not fleet.containers), "does not hold"),
    ],
)
def test_each_expectation_can_fail(expectation: object, found: str) -> None:
    with pytest.raises(ExpectationFailed, match=found):
        _ = Scenario.of(WEB).then(expectation)  # type: ignore[arg-type]


def test_a_refusal_is_no_admission() -> None:
    asked = UP.when(asks(Remove(name="web")))
    with pytest.raises(ExpectationFailed, match="refused: "):
        _ = asked.then(admitted())


def has_one(fleet: Fleet) -> bool:
    return len(fleet.containers) == 1


def test_anything_can_be_expected_and_a_named_function_is_printed() -> None:
    told = UP.then(that("there is one", has_one))
    assert rerun(told).fleet == told.fleet


IMPOSSIBLE: list[tuple[Scenario, Act, str]] = [
    (Scenario.of(WEB), crashes("web", run=2), "run 2 of 'web' was never commanded"),
    (UP.when(crashes("web")), crashes("web"), "run 1 of 'web' has ended already"),
    (UP.when(crashes("web")), starts("web"), "has ended already"),
    (UP.when(crashes("web")), becomes_ready("web"), "has ended already"),
    (UP, starts("web"), "has started already"),
    (UP, becomes_ready("web"), "is ready already"),
    (UP, accepts("web"), "no command of 'web' waits"),
    (UP, late(accepts("web", run=7)), "a start of run 7 of 'web' was never commanded"),
    (UP, ends("web", Stopped()), "nobody asked for a stop"),
    (UP, ends("web", Unhealthy(check="liveness")), "only the operator ends a run"),
    (
        UP,
        late(ends("web", GroupEnded(group="g", by="a", restart_at=None))),
        "only the operator ends a run",
    ),
    (UP, fails_check("web"), "'web' has no liveness check"),
    (Scenario.of(CHECKED), fails_check("web"), "is not asked now"),
    (Scenario.of(CHECKED), late(fails_check("web", run=7)), "never commanded"),
    (UP, looks(), "nobody asked for a look"),
    (UP, comes_up("other"), "there is no container 'other', but web"),
    (
        UP.when(after="5s"),
        happens(ContainerStarted(at=0, name="web", run=1)),
        "time runs backwards, from 5000 to 0",
    ),
    (
        UP.when(crashes("web")),
        is_seen("web", SeenRunning()),
        "run 1 of 'web' has ended already",
    ),
]


@pytest.mark.parametrize(("scenario", "act", "why"), IMPOSSIBLE)
def test_what_no_platform_could_produce_is_refused_with_its_line(
    scenario: Scenario, act: Act, why: str
) -> None:
    with pytest.raises(ImpossibleHistory) as refusal:
        _ = scenario.when(act)
    assert why in refusal.value.what
    assert refusal.value.what.startswith(f"line {len(scenario.lines) + 1}: ")
    assert act.source() in refusal.value.what


def test_late_and_repeated_news_are_possible_and_change_nothing() -> None:
    down = UP.when(crashes("web"), after="1s")
    again = down.when(late(crashes("web")), late(becomes_ready("web")))
    assert again.fleet.containers == down.fleet.containers
    assert rerun(again).fleet == again.fleet


def test_an_epoch_never_repeats_itself() -> None:
    taken = UP.when(restarts_operator())
    assert taken.fleet.epoch == 2
    booted = taken.tale.steps[-2].event
    with pytest.raises(ImpossibleHistory, match="epoch 2 is not higher than 2"):
        _ = taken.when(happens(booted))


def test_every_part_of_the_platform_can_be_played_and_printed() -> None:
    told = (
        Scenario.of(CHECKED, answers_looks=False)
        .when(refuses("web", TimedOut(after_ms=10_000)), after="10s")
        .when(after="2s")
        .when(refuses("web", NoCapacity()))
        .then(phase("web", "backing_off"), counts("web", 0))
        .when(after="2s")
        .when(fails_to_start("web"))
        .then(counts("web", 1))
        .when(comes_up("web"), after="1m")
        .when(passes_check("web"))
        .then(is_ready("web"))
        .when(loses_sight("web"))
        .then(phase("web", "unknown"))
        .when(looks(complete=False), is_seen("web", SeenRunning(ready=True)))
        .then(phase("web", "running"))
        .when(fails_check("web", cause="503"), after="1s")
        .then(phase("web", "stopping"))
        .when(refuses("web", Unreachable(cause="cut off")))
        .when(after="2s")
        .when(comes_down("web"))
        .then(rule("web", "failure_backoff"), counts("web", 2))
        .when(comes_up("web"), after="1m")
        .when(vanishes("web"))
        .then(phase("web", "backing_off"))
        .when(comes_up("web"), after="1m")
        .when(ends("web", OutOfMemory()))
        .when(asks(Reconcile()), after="20m")
        .when(happens(FleetObserved(at=1_573_000, complete=True)))
    )
    again = rerun(told)
    assert again.fleet == told.fleet
    assert again.story() == told.story()


def test_a_success_is_done() -> None:
    _ = UP.when(succeeds("web")).then(phase("web", "completed")).obeys()


def test_a_raw_event_is_checked_too() -> None:
    end = ContainerEnded(at=0, name="web", run=1, exit=Exited(code=3))
    told = UP.when(happens(end)).then(counts("web", 1))
    assert rerun(told).fleet == told.fleet


def test_a_fleet_or_containers_are_given_and_nothing_else() -> None:
    fleet = FleetSpec(name="mine", containers=(WEB,))
    assert Scenario.of(fleet).fleet.name == "mine"
    for wrong in ((), (fleet, WEB), ("web",)):
        with pytest.raises(TypeError, match="expected one FleetSpec"):
            _ = Scenario.of(*wrong)


def test_a_law_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match="there is no law 'gravity'"):
        _ = UP.obeys("gravity")


def test_a_scenario_is_a_value_and_its_beginning_can_be_shared() -> None:
    one, other = UP.when(crashes("web")), UP.when(succeeds("web"))
    _ = one.then(phase("web", "backing_off"))
    _ = other.then(phase("web", "completed"))
    _ = UP.then(phase("web", "running"))
    first = UP.tale.commands_since(0)
    assert first == (StartContainer(name="web", run=1, revision=1),)
