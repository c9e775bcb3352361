"""Runs: what befalls operators, their commands, looks and news, and what they ask."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from orchestrator.core.commands import StartContainer
from orchestrator.core.errors import (
    ContainerNotFound,
    JournalUnavailable,
    OperatorClosed,
    StaleOperator,
)
from orchestrator.core.events import (
    Booted,
    CommandFailed,
    ContainerErrored,
    ContainerObserved,
    FleetObserved,
    HealthChanged,
)
from orchestrator.core.exits import Unhealthy
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.health import (
    CheckKind,
    HealthCheck,
    HealthChecks,
    HttpProbe,
    TcpProbe,
)
from orchestrator.core.observations import SeenUnreachable
from orchestrator.core.phases import Running
from orchestrator.core.reduce import fold
from orchestrator.core.requests import Apply, Reconcile, Start, Stop
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import empty_fleet
from orchestrator.core.steps import Step
from orchestrator.core.table import Table
from orchestrator.simulation.characters import Character
from orchestrator.simulation.faults import Doom, FaultPlan, Stretch, calm
from orchestrator.simulation.runs import Run, start_run
from orchestrator.simulation.stage import Clock

MINUTE = 60_000
FOREVER = 10 * 24 * 60 * MINUTE


class Seen:
    """A run of one container, and all of its steps."""

    def __init__(
        self, plan: FaultPlan, character: Character = Character.STEADY, **spec: Any
    ) -> None:
        self.steps: list[Step] = []
        self.run = start_run(1, plan, {"a": character}, on_step=self.steps.append)
        self.spec = ContainerSpec(
            name="a", command=("run",), ports=Table.of([("http", 80)]), **spec
        )
        self.declare()

    def declare(self) -> None:
        fleet = FleetSpec(name="simulated", containers=(self.spec,))
        while self.run.ask(Apply(spec=fleet)) is not None:
            self.run.run_until(self.run.now + 1_000)

    def events(self, kind: type) -> list[Any]:
        return [step.event for step in self.steps if isinstance(step.event, kind)]

    def starts(self) -> list[int]:
        return [
            command.run
            for step in self.steps
            for command in step.commands
            if isinstance(command, StartContainer)
        ]

    def is_ready(self) -> bool:
        phase = self.run.fleet.containers["a"].phase
        return isinstance(phase, Running) and phase.ready_at is not None


def broken(**rates: Any) -> FaultPlan:
    return FaultPlan(until=FOREVER, **rates)


def checks(kind: str, probe: Any = None, **more: int) -> dict[str, Any]:
    check = HealthCheck(probe=probe or HttpProbe(port="http"), **more)
    return {"health": HealthChecks(**{kind: check})}


def test_a_request_is_answered() -> None:
    seen = Seen(calm())
    refusal = seen.run.ask(Stop(name="other"))
    assert isinstance(refusal, ContainerNotFound)
    seen.run.run_until(10_000)
    assert seen.is_ready()
    assert seen.run.ask(Start(name="a")) is None


def test_without_an_operator_requests_are_refused_and_news_wait() -> None:
    seen = Seen(calm(), Character.FLAKY)
    seen.run.run_until(10_000)
    assert seen.run.operator is not None
    seen.run.operator.die()
    assert isinstance(seen.run.ask(Reconcile()), OperatorClosed)
    booted = len(seen.events(Booted))
    seen.run.run_until(10 * MINUTE)
    assert len(seen.events(Booted)) == booted + 1


def test_who_is_dead_does_not_die_again() -> None:
    seen = Seen(calm())
    operator = seen.run.operator
    assert operator is not None
    operator.die()
    operator.die()
    seen.run.run_until(MINUTE)
    assert seen.run.boots == 2


def test_an_operator_is_killed_over_and_over_and_loses_nothing() -> None:
    seen = Seen(broken(kill_operator_every_ms=20_000))
    seen.run.run_until(30 * MINUTE)
    assert seen.run.boots > 10
    assert seen.starts() == [1]
    assert seen.is_ready()


def test_a_kill_that_comes_after_all_has_healed_does_not_happen() -> None:
    plan = FaultPlan(until=MINUTE, kill_operator_every_ms=10_000_000)
    seen = Seen(plan)
    seen.run.run_until(10 * MINUTE)
    seen.run.run_until(400 * MINUTE)
    assert seen.run.boots == 1


def test_killed_within_steps_the_journal_is_still_the_fleet() -> None:
    seen = Seen(broken(killed_in_step=100), Character.FLAKY)
    seen.run.run_until(30 * MINUTE)
    assert seen.run.boots > 10
    journal = seen.run.journal
    assert fold(empty_fleet("simulated"), journal) == seen.run.fleet
    seen.run.heal({})
    seen.run.run_until(seen.run.now + 15 * MINUTE)
    assert seen.is_ready()


def test_while_the_journal_is_down_requests_are_refused_and_facts_wait() -> None:
    down = (Stretch(begins=5_000, ends=60_000),)
    seen = Seen(broken(journal_down=down), Character.DEAD)
    seen.run.run_until(10_000)
    assert isinstance(seen.run.ask(Stop(name="a")), JournalUnavailable)
    before = len(seen.steps)
    seen.run.run_until(59_999)
    assert len(seen.steps) == before
    seen.run.run_until(2 * MINUTE)
    assert len(seen.steps) > before
    moments = [step.after.at for step in seen.steps]
    assert moments == sorted(moments)


def test_killed_while_the_journal_is_down_the_news_are_told_again() -> None:
    down = (Stretch(begins=300, ends=30_000),)
    seen = Seen(broken(journal_down=down, kill_operator_every_ms=4_000))
    seen.run.run_until(5 * MINUTE)
    assert seen.run.boots > 2
    assert seen.is_ready()
    assert seen.starts() == [1]


def test_a_killed_operator_does_not_go_on_with_what_waited() -> None:
    down = (Stretch(begins=300, ends=30_000),)
    plan = broken(journal_down=down, killed_in_step=900)
    seen = Seen(attrs.evolve(plan, killed_in_step=0), Character.DEAD)
    seen.run.run_until(29_000)
    seen.run.plan = plan
    seen.run.run_until(40_000)
    seen.run.heal({})
    seen.run.run_until(30 * MINUTE)
    assert fold(empty_fleet("simulated"), seen.run.journal) == seen.run.fleet


def test_an_operator_that_was_replaced_changes_nothing_and_stands_down() -> None:
    stale: list[Step] = []
    seen = Seen(broken(second_operator_every_ms=60_000), Character.FLAKY)
    seen.run.on_stale_step = stale.append
    seen.run.run_until(60 * MINUTE)
    assert seen.run.replaced > 5
    refused = [
        step
        for step in stale
        if isinstance(step.event, CommandFailed)
        and isinstance(step.event.error, StaleOperator)
    ]
    assert seen.run.world.stale_orders == len(refused)
    looks = [step for step in stale if isinstance(step.event, FleetObserved)]
    assert all(not step.event.complete for step in looks if step.event.cause)  # type: ignore[union-attr]
    assert looks
    assert fold(empty_fleet("simulated"), seen.run.journal) == seen.run.fleet


def test_who_is_down_is_not_replaced() -> None:
    plan = broken(second_operator_every_ms=15_000, kill_operator_every_ms=5_000)
    seen = Seen(plan)
    seen.run.run_until(30 * MINUTE)
    assert seen.run.boots > seen.run.replaced > 0


def test_clocks_jump_and_time_in_the_journal_does_not_run_backwards() -> None:
    plan = broken(clock_jumps_every_ms=30_000, kill_operator_every_ms=40_000)
    seen = Seen(plan, Character.FLAKY)
    troubles: list[str] = []
    seen.run.on_trouble = lambda what, _: troubles.append(what)
    seen.run.run_until(30 * MINUTE)
    moments = [step.after.at for step in seen.steps]
    assert moments == sorted(moments)
    assert moments[-1] > 30 * MINUTE
    assert "clock set" in troubles


def test_a_clock_follows_a_leap_forward_and_no_step_back() -> None:
    run = start_run(1, calm(), {}, on_step=lambda _: None)
    clock = Clock(stage=run.stage, not_before=0)
    run.stage.skew_ms = 900
    assert clock.now() == 0
    run.stage.skew_ms = 5_000
    assert clock.now() == 5_000
    run.stage.skew_ms = -5_000
    assert clock.now() == 5_000
    assert clock.world_moment(5_000) == 0
    later = Clock(stage=run.stage, not_before=77_000)
    assert later.now() == 77_000


def test_what_is_rolled_out_is_started_again() -> None:
    seen = Seen(broken(rollout_every_ms=60_000))
    seen.run.run_until(60 * MINUTE)
    assert len(seen.starts()) > 5
    assert seen.run.fleet.containers["a"].history.crashes_total == 0


@pytest.mark.parametrize(
    "rate",
    [
        "start_refused",
        "refused",
        "no_capacity",
        "rate_limited",
        "quota_exceeded",
        "unauthorized",
        "missing_secret",
        "env_vars_failed",
        "unreachable",
        "unanswered",
        "acknowledgement_lost",
    ],
)
def test_a_command_that_fails_says_so(rate: str) -> None:
    seen = Seen(broken(**{rate: 1_000}))
    seen.run.run_until(MINUTE)
    assert seen.events(CommandFailed)
    has_effect = rate == "acknowledgement_lost"
    assert bool(seen.run.world.lives) is has_effect


def test_a_stop_that_fails_is_given_again() -> None:
    seen = Seen(broken(stop_fails=500))
    seen.run.run_until(MINUTE)
    seen.run.ask(Stop(name="a"))
    seen.run.run_until(10 * MINUTE)
    assert seen.run.world.lives["a"].has_ended(seen.run.now)


def test_in_a_capacity_storm_no_start_finds_room() -> None:
    seen = Seen(broken(capacity_storms=(Stretch(begins=0, ends=5 * MINUTE),)))
    seen.run.run_until(5 * MINUTE - 1)
    assert not seen.run.world.lives
    seen.run.run_until(7 * MINUTE)
    assert seen.is_ready()


def test_a_slow_start_may_run_into_its_timeout() -> None:
    seen = Seen(broken(slow_start=1_000), start_timeout_ms=5_000)
    seen.run.run_until(20 * MINUTE)
    assert len(seen.starts()) > 1


@pytest.mark.parametrize("rate", ["event_late", "event_reordered", "event_repeated"])
def test_news_that_are_late_or_told_twice_change_nothing_in_the_end(rate: str) -> None:
    seen = Seen(broken(**{rate: 1_000}))
    seen.run.run_until(5 * MINUTE)
    assert seen.is_ready()
    assert seen.starts() == [1]


def test_old_news_are_told_again_and_ignored() -> None:
    seen = Seen(broken(event_stale=1_000), Character.FLAKY)
    seen.run.run_until(60 * MINUTE)
    assert seen.run.fleet.ignored > 3


def test_what_nobody_tells_is_seen_by_looks() -> None:
    seen = Seen(broken(event_lost=1_000))
    seen.run.run_until(5 * MINUTE)
    assert seen.events(ContainerObserved)
    assert seen.is_ready()


def test_what_vanishes_is_started_again() -> None:
    seen = Seen(broken(vanished=300), Character.JOB)
    seen.run.run_until(60 * MINUTE)
    assert len(seen.starts()) > 1


def test_sight_is_lost_and_found() -> None:
    seen = Seen(broken(lost_sight=1_000))
    seen.run.run_until(5 * MINUTE)
    assert seen.events(ContainerErrored)
    assert seen.is_ready()


def test_what_has_ended_is_not_lost_sight_of() -> None:
    seen = Seen(broken(lost_sight=1_000), Character.DEAD)
    seen.run.run_until(MINUTE)
    assert all(
        event.run <= seen.starts()[-1] for event in seen.events(ContainerErrored)
    )


def test_looks_fail_miss_some_or_show_an_older_one() -> None:
    seen = Seen(broken(look_fails=300, incomplete_look=300, stale_look=500))
    seen.run.run_until(60 * MINUTE)
    looks = seen.events(FleetObserved)
    assert any(look.cause for look in looks)
    assert any(not look.complete and not look.cause for look in looks)
    assert any(look.complete for look in looks)


def test_a_look_may_be_unable_to_tell() -> None:
    seen = Seen(broken(unreachable_look=1_000))
    seen.run.run_until(5 * MINUTE)
    sights = [event.sight for event in seen.events(ContainerObserved)]
    assert SeenUnreachable() in sights


# Health checks


def test_only_a_changed_verdict_becomes_an_event() -> None:
    seen = Seen(calm(), **checks("readiness", period_ms=1_000))
    seen.run.run_until(60 * MINUTE)
    [told] = seen.events(HealthChanged)
    assert (told.check, told.passing) == (CheckKind.READINESS, True)


def test_a_check_begins_after_its_delay() -> None:
    seen = Seen(calm(), **checks("startup", initial_delay_ms=7_000))
    seen.run.run_until(MINUTE)
    [told] = seen.events(HealthChanged)
    ready = next(
        event for event in map(_event, seen.steps) if hasattr(event, "addresses")
    )
    assert told.at == ready.at + 7_000


def _event(step: Step) -> Any:
    return step.event


def test_a_hung_run_is_found_and_replaced() -> None:
    seen = Seen(
        calm(), Character.HUNG, **checks("liveness", period_ms=10_000), stop_grace_ms=0
    )
    seen.run.run_until(24 * 60 * MINUTE)
    hung = [one for one in seen.events(HealthChanged) if not one.passing]
    assert len(hung) > 3
    assert {one.check for one in hung} == {CheckKind.LIVENESS}
    last = seen.run.fleet.containers["a"].last
    assert last is not None
    assert last.exit == Unhealthy(check="liveness")


def test_an_open_port_of_a_hung_process_says_nothing() -> None:
    seen = Seen(
        calm(), Character.HUNG, **checks("liveness", probe=TcpProbe(port="http"))
    )
    seen.run.run_until(24 * 60 * MINUTE)
    assert seen.events(HealthChanged) == []
    assert seen.starts() == [1]


def test_readiness_comes_and_goes_and_nothing_is_restarted() -> None:
    seen = Seen(calm(), Character.FLAPPING, **checks("readiness"))
    seen.run.run_until(6 * 60 * MINUTE)
    verdicts = [one.passing for one in seen.events(HealthChanged)]
    assert len(verdicts) > 5
    assert verdicts == [place % 2 == 0 for place in range(len(verdicts))]
    assert seen.starts() == [1]


def test_skipping_what_cannot_change_is_the_same_as_asking_every_time() -> None:
    def told(plan: FaultPlan) -> list[tuple[int, bool]]:
        seen = Seen(plan, Character.FLAPPING, **checks("readiness", period_ms=3_000))
        seen.run.run_until(3 * 60 * MINUTE)
        return [(one.at, one.passing) for one in seen.events(HealthChanged)]

    skipping, asking = told(calm()), told(FaultPlan(until=FOREVER, answer_unknown=-1))
    assert skipping == asking
    assert len(skipping) > 3


def test_a_check_that_nobody_hears_changes_nothing() -> None:
    seen = Seen(broken(answer_unknown=1_000), **checks("liveness"))
    seen.run.run_until(60 * MINUTE)
    assert seen.starts() == [1]


def test_wrong_answers_in_a_row_end_a_run() -> None:
    seen = Seen(broken(answer_wrong=900), **checks("liveness"))
    seen.run.run_until(60 * MINUTE)
    assert len(seen.starts()) > 1


def test_a_run_that_ends_untold_is_found_by_its_check() -> None:
    seen = Seen(broken(event_lost=0), **checks("liveness", period_ms=1_000))
    seen.run.run_until(70_000)
    seen.run.plan = broken(event_lost=1_000)
    seen.run.world.roll_out("a", seen.run.now)
    seen.run.run_until(90_000)
    assert [one.passing for one in seen.events(HealthChanged)] == [False]


def test_a_check_that_a_new_spec_has_not_is_not_asked_any_more() -> None:
    seen = Seen(calm(), Character.FLAPPING, **checks("readiness"))
    seen.run.run_until(MINUTE)
    seen.spec = attrs.evolve(seen.spec, health=HealthChecks())
    seen.declare()
    told = len(seen.events(HealthChanged))
    seen.run.run_until(6 * 60 * MINUTE)
    assert len(seen.events(HealthChanged)) == told


# Healing


@pytest.mark.parametrize("doom", Doom)
def test_the_doomed_stay_as_they_are(doom: Doom) -> None:
    seen = Seen(calm(), **checks("liveness"))
    seen.run.run_until(MINUTE)
    seen.run.heal({"a": doom})
    seen.run.ask(Start(name="a", force=True))
    seen.run.run_until(30 * MINUTE)
    assert not seen.is_ready()


def test_when_all_heals_there_is_an_operator_at_once() -> None:
    seen = Seen(broken(kill_operator_every_ms=1_000), Character.DEAD)
    seen.run.run_until(10_000)
    if seen.run.operator is not None:
        seen.run.operator.die()
    seen.run.heal({})
    assert seen.run.ask(Reconcile()) is None
    seen.run.run_until(seen.run.now + 20 * MINUTE)
    assert seen.is_ready()


def test_the_same_seed_runs_the_same() -> None:
    def journal(seed: int) -> list[object]:
        run: Run = start_run(
            seed,
            broken(event_late=500, kill_operator_every_ms=9_000),
            {"a": Character.FLAKY},
            on_step=lambda _: None,
        )
        run.ask(Reconcile())
        run.run_until(MINUTE)
        return list(run.journal)

    assert journal(1) == journal(1)
    assert journal(1) != journal(2)


def test_a_run_may_keep_no_journal() -> None:
    run = start_run(1, calm(), {}, on_step=lambda _: None, keeps_journal=False)
    run.run_until(MINUTE)
    run.boot()
    assert run.journal == []
    assert run.fleet.epoch == 2
