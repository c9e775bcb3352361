"""A rehearsal sums up a run: what was drawn, what came of it, what held."""

from __future__ import annotations

import attrs
import pytest

from orchestrator.core.commands import StartContainer
from orchestrator.core.dependencies import Condition
from orchestrator.core.errors import PolicyNotRegistered
from orchestrator.core.events import TimeReached
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.groups import GroupStrategy, Membership
from orchestrator.core.health import HealthCheck, HealthChecks, HttpProbe
from orchestrator.core.invariants import INVARIANTS
from orchestrator.core.policies import (
    CrashLimit,
    CustomPolicyRef,
    OnLoop,
    RestartPolicy,
    When,
)
from orchestrator.core.requests import Apply
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import empty_fleet
from orchestrator.core.steps import Step
from orchestrator.core.table import Table
from orchestrator.simulation.changes import ask
from orchestrator.simulation.characters import Character, draw_characters
from orchestrator.simulation.chronicle import Chronicle, Look
from orchestrator.simulation.dice import Dice
from orchestrator.simulation.faults import FaultPlan, Stretch, calm
from orchestrator.simulation.moments_of import Telling
from orchestrator.simulation.profiles import PROFILES
from orchestrator.simulation.rehearsals import (
    TROUBLES_MAX,
    Rehearsal,
    Wish,
    _doomed,
    _Stagehand,
    rehearse,
)
from orchestrator.simulation.runs import start_run

HOUR = 3_600_000
CHECK = HealthCheck(probe=HttpProbe(port="http"))


def spec(name: str, **more: object) -> ContainerSpec:
    plain = ContainerSpec(
        name=name,
        command=("run",),
        ports=Table.of([("http", 80)]),
        health=HealthChecks(liveness=CHECK, readiness=CHECK),
    )
    return attrs.evolve(plain, **more)  # type: ignore[arg-type]


def fleet(count: int = 8, **more: object) -> FleetSpec:
    specs = tuple(spec(f"c{number}", **more) for number in range(count))
    return FleetSpec(name="shop", containers=specs)


def rehearsed(wish: Wish) -> Rehearsal:
    shown = rehearse(wish)
    assert isinstance(shown, Rehearsal), shown
    return shown


def wish(profile: str, *, seed: int = 1, span_ms: int = HOUR, keeps: int = 20) -> Wish:
    return Wish(fleet=fleet(), seed=seed, profile=profile, span_ms=span_ms, keeps=keeps)


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_can_be_rehearsed_and_every_invariant_holds(profile: str) -> None:
    few = attrs.evolve(wish(profile, span_ms=HOUR // 2), fleet=fleet(3))
    shown = rehearsed(few)
    assert shown.violated == ()
    assert shown.held == tuple(INVARIANTS)
    assert shown.converged is True
    assert sum(shown.events.values()) == shown.steps


def test_where_all_is_steady_all_is_ready_all_the_time() -> None:
    shown = rehearsed(wish("steady"))
    assert {*shown.characters.values()} == {Character.STEADY}
    assert shown.doomed == {}
    for lane in shown.lanes:
        assert (lane.uptime.starts, lane.uptime.restarts, lane.uptime.crashes) == (
            1,
            0,
            0,
        )
        assert lane.uptime.ready_ms / lane.uptime.wanted_ms > 0.999
        assert set(lane.looks()[1:-1]) == {Look.READY}


def test_the_sums_of_a_lane_are_its_span() -> None:
    shown = rehearsed(wish("all", seed=3))
    for lane in shown.lanes:
        assert 0 <= HOUR - sum(lane.uptime.phase_ms.values()) < 1_000
        assert lane.uptime.ready_ms <= lane.uptime.wanted_ms
        assert sum(lane.crashed_in.values()) == lane.uptime.crashes
        assert sum(lane.started_in.values()) == lane.uptime.starts
    assert any(lane.uptime.crashes for lane in shown.lanes)


def test_the_same_wish_comes_true_the_same_way() -> None:
    short = attrs.evolve(wish("all", seed=5, span_ms=HOUR // 3), fleet=fleet(4))
    one, other = rehearsed(short), rehearsed(short)
    assert one.timeline == other.timeline
    assert one.events == other.events
    assert rehearsed(attrs.evolve(short, seed=6)).events != one.events


def test_the_timeline_is_bounded_and_in_order() -> None:
    shown = rehearsed(wish("all", seed=5, keeps=7, span_ms=HOUR // 3))
    moments = [noted.at for noted in shown.timeline]
    assert len(moments) == 7
    assert moments == sorted(moments)
    assert shown.left_out > 0
    assert any(noted.what == "all faults end" for noted in shown.timeline)
    nothing = rehearsed(wish("all", seed=5, keeps=0, span_ms=HOUR // 3))
    assert nothing.timeline == ()
    assert nothing.left_out == shown.left_out + 7


def test_all_that_happens_has_its_words() -> None:
    told: set[str] = set()
    for seed in range(5):
        shown = rehearsed(wish("all", seed=seed, keeps=3_000))
        told |= {
            noted.what.partition(":")[0].partition(" (")[0] for noted in shown.timeline
        }
    assert told >= {
        "declared",
        "ready",
        "not ready any more",
        "ended",
        "completed",
        "crash-looping",
        "out of sight",
        "is stopped",
        "has been destroyed",
        "operator killed",
        "second operator",
        "rollout",
        "clock set",
        "liveness check fails",
        "readiness check passes again",
    }


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (RestartPolicy(when=When.NEVER), "failed for good"),
        (RestartPolicy(crash=CrashLimit(on_loop=OnLoop.HOLD)), "held"),
    ],
    ids=["never", "hold"],
)
def test_who_is_given_up_is_told(policy: RestartPolicy, words: str) -> None:
    told = [
        noted.what
        for seed in range(4)
        for noted in rehearsed(
            Wish(
                fleet=fleet(restart=policy),
                seed=seed,
                profile="calm",
                span_ms=HOUR,
                keeps=500,
            )
        ).timeline
    ]
    assert any(what.startswith(words) for what in told)


def test_who_is_asleep_is_told() -> None:
    seed = next(
        seed
        for seed in range(99)
        if Character.SLEEPER in draw_characters(seed, ("c0",)).values()
    )
    sleeps = fleet(1, keep_alive=False)
    shown = rehearsed(
        Wish(fleet=sleeps, seed=seed, profile="calm", span_ms=6 * HOUR, keeps=99)
    )
    assert any(noted.what == "asleep" for noted in shown.timeline)
    assert any(Look.AT_REST in lane.looks() for lane in shown.lanes)


def test_a_span_that_is_too_short_tells_nothing() -> None:
    shown = rehearsed(wish("all", span_ms=2_000))
    assert shown.converged is None
    assert shown.bound_ms > 2_000


def test_a_fleet_without_containers_is_settled() -> None:
    nobody = Wish(fleet=FleetSpec(name="none"), seed=1, profile="all", span_ms=2 * HOUR)
    assert rehearsed(nobody).converged is True


def test_the_doomed_keep_their_group_from_settling() -> None:
    group = Membership(group="g", strategy=GroupStrategy.ONE_FOR_ALL, position=0)
    members = tuple(spec(f"c{number}", group=group) for number in range(6))
    alone = tuple(spec(f"d{number}") for number in range(6))
    together = FleetSpec(name="shop", containers=members + alone)
    wishes = (
        Wish(fleet=together, seed=seed, profile="stop_fails", span_ms=HOUR // 2)
        for seed in range(999)
    )
    names = tuple(spec.name for spec in together.containers)
    spoilt = next(
        wish for wish in wishes if "c0" in _doomed(wish, PROFILES["stop_fails"], names)
    )
    shown = rehearsed(spoilt)
    assert "c0" in shown.doomed
    assert shown.converged is True


def test_who_waits_for_others_is_drawn_and_told_as_waiting() -> None:
    job = spec("job", restart=RestartPolicy(when=When.ALWAYS))
    needs = Table.of([("job", Condition.COMPLETED)])
    waits = FleetSpec(name="shop", containers=(job, spec("web", depends_on=needs)))
    shown = rehearsed(Wish(fleet=waits, seed=1, profile="steady", span_ms=HOUR))
    (web,) = [lane for lane in shown.lanes if lane.name == "web"]
    assert set(web.looks()) == {Look.WAITING}
    assert "waits for job" in [noted.what for noted in shown.timeline]
    assert shown.characters["job"] is Character.JOB


def test_one_that_waits_for_another_one_next_is_told_of_that() -> None:
    needs = Table.of([("a", Condition.READY), ("b", Condition.COMPLETED)])
    both = (spec("a"), spec("b"), spec("web", depends_on=needs))
    waits = FleetSpec(name="shop", containers=both)
    shown = rehearsed(Wish(fleet=waits, seed=1, profile="steady", span_ms=HOUR))
    told = [noted.what for noted in shown.timeline if noted.about == "web"]
    assert told[:2] == ["waits for a", "waits for b"]
    assert shown.converged is True


def test_a_fleet_is_declared_as_soon_as_it_can_be_written_down() -> None:
    plan = FaultPlan(until=HOUR, journal_down=(Stretch(begins=0, ends=5_000),))
    run = start_run(1, plan, {}, on_step=lambda _: None)
    assert ask(run, Apply(spec=fleet(1))) == ""
    assert run.now >= 5_000
    assert "c0" in run.fleet.containers


def test_a_custom_policy_that_is_not_registered_is_refused() -> None:
    custom = RestartPolicy(custom=CustomPolicyRef(name="ours", version=1))
    refused = rehearse(
        Wish(fleet=fleet(restart=custom), seed=1, profile="calm", span_ms=HOUR)
    )
    assert isinstance(refused, PolicyNotRegistered)


# The chronicle


def test_an_invariant_that_does_not_hold_is_named_with_its_first_step() -> None:
    chronicle = Chronicle(now=lambda: 5, span_ms=1_000)
    before = attrs.evolve(empty_fleet("a"), at=9)
    backwards = Step(
        before=before,
        event=TimeReached(at=1),
        after=attrs.evolve(before, at=1),
        commands=(),
        touched=(),
    )
    chronicle.take(backwards)
    chronicle.take(backwards)
    [wrong] = chronicle.violated.values()
    assert (wrong.name, wrong.step, wrong.at, wrong.count) == (
        "time never runs backwards",
        1,
        5,
        2,
    )
    assert wrong.name not in chronicle.held()
    assert "VIOLATED" in chronicle.timeline()[0].what


def test_a_fleet_that_comes_to_rest_is_settled_until_it_moves() -> None:
    chronicle = Chronicle(now=lambda: 7, span_ms=1_000)
    rest = empty_fleet("a")

    def take(*diverged: str) -> None:
        after = attrs.evolve(rest, diverged=Table.of((name, None) for name in diverged))
        step = Step(
            before=rest, event=TimeReached(at=0), after=after, commands=(), touched=()
        )
        chronicle.take(step)

    take()
    settled = [chronicle.settled_at]
    take("x")
    settled.append(chronicle.settled_at)
    chronicle.ignored = {"x": None}
    take("x")
    settled.append(chronicle.settled_at)
    assert settled == [7, None, 7]


def test_what_leaves_the_fleet_leaves_its_lane_as_it_was() -> None:
    steps: list[Step] = []
    run = start_run(1, calm(), {}, on_step=steps.append)
    chronicle = Chronicle(now=lambda: run.now, span_ms=1_000, keeps=1)
    command = StartContainer(name="gone", run=1, revision=1)
    step = attrs.evolve(steps[0], commands=(command,), touched=("gone",))
    chronicle.take(step)
    run.run_until(2_000)
    chronicle.take(step)
    chronicle.close(2_000)
    lane = chronicle.lanes["gone"]
    assert (lane.uptime.starts, lane.uptime.wanted_ms) == (2, 0)
    assert set(lane.looks()) == {Look.NOT_THERE}


def test_what_is_told_often_is_worth_less() -> None:
    chronicle = Chronicle(now=lambda: 0, span_ms=1_000, keeps=3)
    for _ in range(9):
        chronicle.note(0, Telling(about="a", what="loud: again", weight=50))
    chronicle.note(1, Telling(about="b", what="quiet: once", weight=30))
    assert [noted.about for noted in chronicle.timeline()] == ["a", "a", "b"]


def test_marks_of_trouble_are_bounded() -> None:
    hand = _Stagehand(chronicle=Chronicle(now=lambda: 1, span_ms=1_000))
    for _ in range(TROUBLES_MAX + 1):
        hand.note("operator killed", "")
    assert hand.troubles == [(1, "operator killed")] * TROUBLES_MAX


def test_dice_are_fair_enough() -> None:
    dice = Dice(3)
    rolls = [dice.between(1, 6) for _ in range(600)]
    assert {1, 2, 3, 4, 5, 6} == set(rolls)
    assert all(60 < rolls.count(face) < 150 for face in set(rolls))
    assert {dice.pick("ab") for _ in range(50)} == {"a", "b"}
    assert not dice.happens(0)
    assert dice.happens(1_000)
