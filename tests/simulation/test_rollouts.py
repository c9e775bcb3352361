"""Rollouts in a simulated world: what is told of them, and when they must be over."""

from __future__ import annotations

import attrs
import pytest

from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.lineages import RolloutAction, RolloutStatus
from orchestrator.core.requests import Apply, Roll, Scale
from orchestrator.core.rollout_policies import (
    CanaryStep,
    OnFailure,
    Promotion,
    RolloutPolicy,
    Share,
)
from orchestrator.core.services import Service, replica_of
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import empty_fleet
from orchestrator.simulation.changes import Change, Changed, ask, with_template
from orchestrator.simulation.characters import Character, Release
from orchestrator.simulation.chronicle import Chronicle
from orchestrator.simulation.faults import FaultPlan
from orchestrator.simulation.rehearsals import (
    TROUBLES_MAX,
    Rehearsal,
    Wish,
    _Stagehand,
    rehearse,
)
from orchestrator.simulation.rollout_settling import (
    astray,
    rollouts_bound,
    under_way,
)
from orchestrator.simulation.rollout_tales import (
    Count,
    MarkKind,
    RolloutTale,
    allowed,
)
from orchestrator.simulation.rollout_watch import (
    MOMENTS_MAX,
    TALES_MAX,
    RolloutTales,
)
from orchestrator.simulation.runs import Run, start_run
from orchestrator.simulation.settling import bound_of

HOUR = 3_600_000
MINUTE = 60_000
WEB = ContainerSpec(name="web", image="web:1", start_timeout_ms=10_000)
CANARY = RolloutPolicy(
    strategy="canary",
    max_unavailable=Share(1),
    steps=(CanaryStep(share=Share(1), soak_ms=30_000),),
    promote=Promotion.MANUAL,
)


def fleet(policy: RolloutPolicy, replicas: int = 4) -> FleetSpec:
    web = Service(template=WEB, replicas=replicas, rollout=policy)
    members = tuple(replica_of(web, index) for index in range(replicas))
    return FleetSpec(name="shop", containers=members, services=(web,))


def released(policy: RolloutPolicy, number: int = 2, replicas: int = 4) -> FleetSpec:
    template = attrs.evolve(WEB, image=f"web:{number}")
    return with_template(fleet(policy, replicas), template)


def rehearsed(policy: RolloutPolicy, *more: Change, **wish: object) -> Rehearsal:
    plain = Wish(
        fleet=fleet(policy),
        seed=1,
        profile="steady",
        span_ms=HOUR,
        keeps=200,
        changes=(
            Change(at=MINUTE, wanted=Apply(spec=released(policy)), words="apply"),
            *more,
        ),
    )
    shown = rehearse(attrs.evolve(plain, **wish))  # type: ignore[arg-type]
    assert isinstance(shown, Rehearsal)
    assert shown.violated == ()
    return shown


def told(policy: RolloutPolicy, *more: Change) -> RolloutTale:
    (tale,) = rehearsed(policy, *more).rollouts
    return tale


def roll(at: int, action: RolloutAction) -> Change:
    wanted = Roll(service="web", action=action)
    return Change(at=at, wanted=wanted, words=f"rollout {action} web")


def words(tale: RolloutTale) -> list[str]:
    return [mark.words for mark in tale.marks]


# What is told


def test_a_rollout_is_told_with_its_end_and_its_extremes() -> None:
    tale = told(RolloutPolicy())
    assert (tale.service, tale.previous, tale.target) == ("web", 1, 2)
    assert tale.status is RolloutStatus.DONE
    assert tale.reason
    assert (tale.replicas, tale.least_allowed, tale.least_available) == (4, 3, 3)
    assert (tale.most_allowed, tale.most_members) == (4, 4)
    assert tale.counts[0].old == 4 - 1
    last = tale.counts[-1]
    assert (last.counted, last.members, last.available) == (4, 4, 4)
    assert words(tale) == ["4 of 4 to be new", "done"]
    moments = [count.at for count in tale.counts]
    assert moments == sorted(moments)
    assert moments[0] == tale.began_at == MINUTE
    assert moments[-1] == tale.ended_at


def test_a_canary_is_told_step_by_step() -> None:
    tale = told(
        CANARY,
        roll(3 * MINUTE, RolloutAction.PAUSE),
        roll(4 * MINUTE, RolloutAction.RESUME),
        roll(5 * MINUTE, RolloutAction.PROMOTE),
        roll(7 * MINUTE, RolloutAction.PROMOTE),
    )
    said = words(tale)
    assert said[:3] == ["1 of 4 to be new", "soaks 30s", "waits to be promoted"]
    assert said[3].startswith("paused")
    assert said[-3:] == ["promoted", "4 of 4 to be new", "done"]
    soak = next(mark for mark in tale.marks if mark.kind is MarkKind.SOAK)
    assert soak.until == soak.at + 30_000


def test_one_that_is_resumed_in_its_middle_says_so() -> None:
    tale = told(
        RolloutPolicy(),
        roll(MINUTE + 5_000, RolloutAction.PAUSE),
        roll(3 * MINUTE, RolloutAction.RESUME),
    )
    said = words(tale)
    assert said[1].startswith("paused")
    assert said[2:] == ["resumed", "done"]


def test_one_that_goes_back_leaves_the_old_ones() -> None:
    bad = Change(
        at=MINUTE,
        wanted=Apply(spec=released(RolloutPolicy())),
        words="apply",
        character=Character.DEAD,
    )
    shown = rehearsed(RolloutPolicy(), changes=(bad,))
    (tale,) = shown.rollouts
    assert tale.status is RolloutStatus.REVERTED
    kinds = [mark.kind for mark in tale.marks]
    assert kinds == [MarkKind.STEP, MarkKind.REVERT, MarkKind.END]
    assert (tale.counts[-1].old, tale.counts[-1].counted) == (4, 0)
    assert tale.least_available == 3
    assert shown.converged is True


def test_a_second_set_is_told_beside_the_first() -> None:
    tale = told(RolloutPolicy(strategy="blue_green", keep_old_ms=30_000))
    assert (tale.least_allowed, tale.most_allowed, tale.most_members) == (4, 8, 8)
    assert tale.least_available == 4
    assert max(count.old + count.counted for count in tale.counts) == 8


def test_all_down_and_up_again_is_told_as_that() -> None:
    tale = told(RolloutPolicy(strategy="recreate"))
    assert (tale.least_allowed, tale.least_available) == (0, 0)


def test_who_is_superseded_is_told_and_so_is_who_supersedes() -> None:
    newer = Apply(spec=released(RolloutPolicy(), 3))
    shown = rehearsed(
        RolloutPolicy(), Change(at=MINUTE + 5_000, wanted=newer, words="apply")
    )
    statuses = [tale.status for tale in shown.rollouts]
    assert statuses == [RolloutStatus.SUPERSEDED, RolloutStatus.DONE]
    about = [noted.what for noted in shown.timeline if noted.about == "web"]
    assert any(what.startswith("rollout of revision 2 superseded") for what in about)
    assert any(what.startswith("rollout of revision 3 done") for what in about)


def test_what_is_refused_is_told() -> None:
    shown = rehearsed(RolloutPolicy(), roll(30_000, RolloutAction.PROMOTE))
    (refused, applied) = shown.changed
    assert "web" in refused.refused
    assert applied == Changed(at=MINUTE, words="apply")


def test_one_that_waits_is_no_reason_not_to_settle() -> None:
    shown = rehearsed(CANARY)
    (tale,) = shown.rollouts
    assert (tale.status, tale.ended_at) == (RolloutStatus.AWAITING_PROMOTION, None)
    assert shown.converged is True


def test_a_restless_owner_is_told_and_the_fleet_settles() -> None:
    shown = rehearsed(RolloutPolicy(), changes=(), profile="restless")
    assert shown.changed
    assert shown.rollouts
    assert shown.converged is not False


def test_what_the_platform_does_for_a_rollout_is_waited_for() -> None:
    run, tales = running(FaultPlan(until=0))
    run.stage.rolls = True
    run.boot()
    _ = ask(run, Apply(spec=fleet(RolloutPolicy())))
    run.run_until(MINUTE)
    _ = ask(run, Apply(spec=released(RolloutPolicy())))
    run.run_until(HOUR)
    (tale,) = tales.told()
    assert tale.status is RolloutStatus.DONE
    assert words(tale)[0] == "the platform prepares it"


def test_a_platform_that_cannot_do_its_part_has_the_rollout_go_back() -> None:
    run, tales = running(FaultPlan(until=HOUR))
    run.stage.rolls = True
    run.boot()
    _ = ask(run, Apply(spec=fleet(RolloutPolicy())))
    run.run_until(MINUTE)
    run.plan = FaultPlan(until=2 * MINUTE, refused=1_000)
    _ = ask(run, Apply(spec=released(RolloutPolicy())))
    run.run_until(HOUR)
    (tale,) = tales.told()
    assert tale.status in {RolloutStatus.REVERTED, RolloutStatus.HELD}
    assert "the platform erred" in tale.reason


# Bounds of what is kept


def running(plan: FaultPlan) -> tuple[Run, RolloutTales]:
    tales = RolloutTales()
    run = start_run(1, plan, {}, on_step=lambda _: None)
    run.on_step = lambda step: tales.take(step, run.now)
    return run, tales


def test_nothing_that_is_kept_grows_without_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    where = "orchestrator.simulation.rollout_watch"
    assert (MOMENTS_MAX, TALES_MAX) == (2_000, 500)
    monkeypatch.setattr(f"{where}.MOMENTS_MAX", 2)
    monkeypatch.setattr(f"{where}.TALES_MAX", 1)
    shown = rehearsed(
        CANARY,
        Change(at=2 * MINUTE, wanted=Apply(spec=released(CANARY, 3)), words="apply"),
    )
    (tale,) = shown.rollouts
    assert (len(tale.counts), len(tale.marks)) == (2, 2)


def test_changes_that_are_kept_are_bounded() -> None:
    hand = _Stagehand(chronicle=Chronicle(now=lambda: 1, span_ms=1_000))
    for _ in range(TROUBLES_MAX + 1):
        hand.change(Changed(at=1, words="scale", refused="no"))
    assert len(hand.changed) == TROUBLES_MAX


def test_what_is_allowed_follows_from_the_policy() -> None:
    assert allowed(RolloutPolicy(max_surge=Share(2)), 8) == (6, 10)
    assert allowed(RolloutPolicy(strategy="recreate"), 8) == (0, 8)
    assert Count(at=1, counted=1, ready=2, unready=3, old=4, old_down=5).members == 15


# Settling


def test_a_rollout_under_way_must_be_over_within_its_bound() -> None:
    run, _ = running(FaultPlan(until=0))
    assert rollouts_bound(empty_fleet("none")) == 0
    _ = ask(run, Apply(spec=fleet(CANARY)))
    run.run_until(MINUTE)
    assert rollouts_bound(run.fleet) == 0
    _ = ask(run, Apply(spec=released(CANARY)))
    assert under_way(run.fleet) == ("web",)
    assert rollouts_bound(run.fleet) > 2 * CANARY.progress_deadline_ms
    assert rollouts_bound(run.fleet) > bound_of(run.fleet)
    run.run_until(3 * MINUTE)
    assert under_way(run.fleet) == ()
    assert astray(run.fleet) == ()


def test_replicas_are_astray_only_where_nothing_has_left_them_so() -> None:
    hold = RolloutPolicy(on_failure=OnFailure.HOLD)
    run, _ = running(FaultPlan(until=0))
    _ = ask(run, Apply(spec=fleet(hold)))
    run.run_until(MINUTE)
    new = released(hold)
    bad = Release(template=new.services[0].template, character=Character.DEAD)
    run.stage.releases.append(bad)
    _ = ask(run, Apply(spec=new))
    run.run_until(HOUR)
    assert run.fleet.lineages["web"].past[-1].status is RolloutStatus.HELD
    assert astray(run.fleet) == ()
    one = run.fleet.containers["web-3"]
    done = attrs.evolve(
        run.fleet.lineages["web"].past[-1], status=RolloutStatus.REVERTED
    )
    lineage = attrs.evolve(run.fleet.lineages["web"], past=(done,))
    mixed = attrs.evolve(
        run.fleet,
        containers=run.fleet.containers.put("web-3", attrs.evolve(one, generation=7)),
        lineages=run.fleet.lineages.put("web", lineage),
    )
    assert "web-3" in astray(mixed)


def test_a_service_without_replicas_has_nothing_to_roll() -> None:
    run, tales = running(FaultPlan(until=0))
    _ = ask(run, Apply(spec=fleet(RolloutPolicy())))
    run.run_until(MINUTE)
    _ = ask(run, Apply(spec=released(RolloutPolicy())))
    _ = ask(run, Scale(service="web", replicas=0))
    run.run_until(HOUR)
    (tale,) = tales.told()
    assert tale.status is RolloutStatus.DONE
    assert tale.counts[-1].members == 0


def test_a_service_that_is_gone_takes_its_rollout_along() -> None:
    run, tales = running(FaultPlan(until=0))
    _ = ask(run, Apply(spec=fleet(RolloutPolicy())))
    run.run_until(MINUTE)
    _ = ask(run, Apply(spec=released(RolloutPolicy())))
    _ = ask(run, Apply(spec=FleetSpec(name="shop")))
    run.run_until(HOUR)
    (tale,) = tales.told()
    assert tale.ended_at == MINUTE
    assert tale.counts[-1].members == 0
    assert astray(run.fleet) == ()
