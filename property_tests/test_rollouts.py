"""Whatever befalls a rollout: it keeps its bounds, it ends, and it says why.

Histories are random: policies and strategies of any kind, crashes, stops by the owner,
scales, applies, requests, lost sight, boots, time. After each step the invariants of
the core hold, among them the bounds (``core.rollout_laws``).
"""

# mypy: disable-error-code="mutable-override"
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
from hypothesis import assume, given
from hypothesis import strategies as st
from returns.result import Success

from orchestrator.codec.wire import decode_event, encode_event
from orchestrator.core.admit import admit
from orchestrator.core.custom import CustomPolicies, registered
from orchestrator.core.events import (
    Booted,
    ContainerEnded,
    ContainerErrored,
    Event,
    FleetObserved,
)
from orchestrator.core.exits import Exited
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.lineages import ENDED, RolloutAction, RolloutStatus, Roster
from orchestrator.core.phases import live_run
from orchestrator.core.planning import Masks, PlanAction, plan
from orchestrator.core.reduce import fold
from orchestrator.core.requests import Apply, Request, Roll, Scale, Start, Stop
from orchestrator.core.rollout_info import newest_rollout
from orchestrator.core.rollout_policies import (
    WHOLE,
    CanaryStep,
    OnFailure,
    Promotion,
    RolloutPolicy,
    Share,
)
from orchestrator.core.rosters import scan
from orchestrator.core.scaling import indexes, members
from orchestrator.core.state import Fleet
from orchestrator.core.strategies import (
    AskPromotion,
    CustomStrategy,
    Finish,
    Move,
    Retire,
    Soak,
    View,
)
from orchestrator.core.under_way import gauge_of
from orchestrator.core.wake import rollout_due
from tests.core.rolling import Rolling, served

BARE = Masks(spec=lambda it: it, settings=lambda it: it)
NAMES = ("rolling", "canary", "blue_green", "recreate", "own")
WAITING = {RolloutStatus.PAUSED, RolloutStatus.AWAITING_PROMOTION}
SHARES = st.builds(Share, st.integers(0, 4)) | st.builds(
    Share, st.integers(0, 100), is_percent=st.just(value=True)
)
STEPS: st.SearchStrategy[object] = st.one_of(
    st.builds(Move, SHARES, st.booleans()),
    st.builds(Soak, st.sampled_from([0, 1, 5_000])),
    st.just(AskPromotion()),
    st.just(Retire()),
    st.just(Finish()),
    st.just("nonsense"),
)


@st.composite
def policies(draw: st.DrawFn) -> RolloutPolicy:
    down, surge = draw(SHARES), draw(SHARES)
    assume(not down == surge == Share(0))
    steps = st.builds(CanaryStep, share=SHARES, soak_ms=st.sampled_from([0, 9_000]))
    return RolloutPolicy(
        strategy=draw(st.sampled_from(NAMES)),
        max_unavailable=down,
        max_surge=surge,
        steps=tuple(draw(st.lists(steps, max_size=3))),
        promote=draw(st.sampled_from(Promotion)),
        keep_old_ms=draw(st.sampled_from([0, 7_000])),
        min_ready_ms=draw(st.sampled_from([0, 2_000])),
        container_deadline_ms=draw(st.sampled_from([3_000, 60_000])),
        progress_deadline_ms=draw(st.sampled_from([5_000, 90_000])),
        failure_budget=draw(st.sampled_from([Share(0), Share(2), Share(50, True)])),  # noqa: FBT003
        on_failure=draw(st.sampled_from(OnFailure)),
    )


@st.composite
def registers(draw: st.DrawFn) -> CustomPolicies:
    """Draw a strategy of the program's own: any steps, or one that raises."""
    steps = draw(st.lists(STEPS, max_size=5))

    def step(view: View) -> Any:
        return steps[view.step] if view.step < len(steps) else Finish()

    def broken(_: View) -> Any:
        raise OSError

    function = draw(st.sampled_from([step, step, broken]))
    return registered([CustomStrategy(name="own", version=1, step=function)])


FLEETS = st.builds(
    served,
    st.integers(0, 5),
    st.sampled_from(["one", "two", "three"]),
    st.none() | policies(),
    stop_grace_ms=st.sampled_from([5_000, 6_000]),
)
REQUESTS: st.SearchStrategy[Request] = st.one_of(
    st.builds(Apply, spec=FLEETS, keep_scale=st.booleans()),
    st.builds(Scale, service=st.just("web"), replicas=st.integers(0, 5)),
    st.builds(
        Roll,
        service=st.just("web"),
        action=st.sampled_from(RolloutAction),
        to=st.none() | st.integers(1, 4),
    ),
    st.builds(Stop, name=st.sampled_from(["web-0", "web-1", "web-0.r2"])),
    st.builds(Start, name=st.sampled_from(["web-0", "web-1", "web-0.r2"])),
)


@attrs.frozen
class Crash:
    """The so many-th container that lives ends by itself."""

    number: int


@attrs.frozen
class Lose:
    """The platform loses sight of the so many-th container that lives."""

    number: int


@attrs.frozen
class Boot:
    """Another operator takes over, and looks."""


@attrs.frozen
class GoOn:
    """Things happen, so many."""

    number: int


@attrs.frozen
class Break:
    """What is of an image crashes from now on."""

    image: str


Act = Request | Crash | Lose | Boot | GoOn | Break
ACTS: st.SearchStrategy[Act] = st.one_of(
    REQUESTS,
    st.builds(Crash, st.integers(0, 5)),
    st.builds(Lose, st.integers(0, 5)),
    st.just(Boot()),
    st.builds(GoOn, st.integers(1, 40)),
    st.builds(GoOn, st.integers(1, 40)),
    st.builds(Break, st.sampled_from(["two", "three", "none"])),
)


class Recorded(Rolling):
    """A story that keeps its events and what it began from."""

    def __init__(self, policies: CustomPolicies) -> None:
        self.events: list[Event] = []
        super().__init__(policies=policies)

    def happens(self, event: Event) -> Rolling:
        self.events.append(event)
        return super().happens(event)

    def act(self, act: Act) -> None:
        match act:
            case Crash(number=number):
                self._of_a_live_one(number, _crashed)
            case Lose(number=number):
                self._of_a_live_one(number, _lost)
            case Boot():
                at, epoch = self.fleet.at, self.fleet.epoch + 1
                self.happens(Booted(at=at, epoch=epoch, rules=3, fences=True))
                self.happens(FleetObserved(at=at, complete=True))
            case GoOn(number=number):
                self.goes_on(limit=number)
            case Break(image=image):
                self.is_broken = lambda each: each.spec.image == image
            case _:
                answer = admit(self.fleet, act, self.fleet.at, self.policies)
                if isinstance(answer, Success):
                    self.happens(answer.unwrap())

    def _of_a_live_one(
        self, number: int, make: Callable[[int, str, int], Event]
    ) -> None:
        live = [
            (each.name, run)
            for each in self.fleet.containers.values()
            if (run := live_run(each.phase)) is not None
        ]
        if live:
            name, run = live[number % len(live)]
            self.happens(make(self.fleet.at, name, run))


def _crashed(at: int, name: str, run: int) -> Event:
    return ContainerEnded(at=at, name=name, run=run, exit=Exited(code=3))


def _lost(at: int, name: str, run: int) -> Event:
    return ContainerErrored(at=at, name=name, run=run, cause="gone")


@st.composite
def stories(draw: st.DrawFn) -> Recorded:
    story = Recorded(draw(registers()))
    story.act(Apply(spec=draw(FLEETS)))
    for act in draw(st.lists(ACTS, max_size=12)):
        story.act(act)
    return story


def plain(roster: Roster) -> dict[str, object]:
    """Return an index without the moments, and with who is about to count as one."""
    waiting = sorted({*roster.moved, *roster.counted})
    tables = ("old", "old_down", "lost", "resting", "drained", "living", "kept_up")
    rows: dict[str, object] = {name: list(getattr(roster, name)) for name in tables}
    going = list(roster.going)
    return rows | {"new": waiting, "kept": list(roster.kept), "going": going}


@given(story=stories())
def test_the_index_of_a_rollout_is_what_a_scan_makes_it(story: Recorded) -> None:
    fleet = story.fleet
    for service in fleet.rolling:
        rollout = fleet.lineages[service].rollout
        assert rollout is not None
        found = scan(fleet.containers.values(), gauge_of(rollout, fleet.at))
        assert plain(rollout.roster) == plain(found)
        assert len(rollout.roster.due) == len(rollout.roster.moved)


@given(story=stories())
def test_who_is_due_is_known_without_looking_at_all(story: Recorded) -> None:
    """A rollout is never woken later than time has something to do with it."""
    fleet, expected = story.fleet, list[tuple[int, str]]()
    for service in fleet.rolling:
        rollout = fleet.lineages[service].rollout
        assert rollout is not None
        due, wakes_at = rollout_due(rollout), rollout.wakes_at
        if wakes_at is None:
            assert due is None
        else:
            assert due is None or wakes_at <= max(due, fleet.at)
            expected.append((wakes_at, service))
    assert list(fleet.rolls_at) == sorted(expected)
    for _ in range(5):
        at, first = story.fleet.at, story.fleet.rolls_at.first()
        if first is None or first[0][0] > at:
            return  # and it comes to rest: nobody is woken for ever
        story.time(at, None)
    raise AssertionError(story.fleet.rolls_at)


@given(story=stories())
def test_once_faults_stop_each_rollout_ends_or_waits_with_a_reason(
    story: Recorded,
) -> None:
    story.is_broken = lambda _: False
    story.look()
    story.goes_on()
    lineage = story.fleet.lineages.get("web")
    rollout = None if lineage is None else newest_rollout(lineage)
    if rollout is None:
        return
    assert rollout.status in ENDED | WAITING
    assert rollout.reason or rollout.status is RolloutStatus.AWAITING_PROMOTION


@given(story=stories())
def test_a_fold_is_what_its_steps_were_also_through_rollouts(story: Recorded) -> None:
    first = Recorded(story.policies)
    assert fold(Fleet(name="demo"), story.events, story.policies) == story.fleet
    assert first.fleet.name == "demo"
    for event in story.events:
        assert decode_event(encode_event(event)) == Success(event)


@given(story=stories(), fleet=FLEETS)
def test_to_apply_twice_is_to_apply_once(story: Recorded, fleet: FleetSpec) -> None:
    story.act(Apply(spec=fleet))
    once = story.fleet
    story.act(Apply(spec=fleet))
    assert story.fleet.lineages.get("web") == once.lineages.get("web")
    assert story.fleet == once


@given(story=stories())
def test_there_are_as_many_indexes_as_replicas_are_asked_for(story: Recorded) -> None:
    present = members(story.fleet.containers.values(), "web")
    assert len(indexes(present)) == story.fleet.services["web"].replicas
    assert len(present) <= 2 * len(indexes(present))


@given(
    register=registers(),
    first=st.integers(1, 5),
    policy=policies(),
)
def test_a_rollout_in_which_nothing_fails_counts_no_crash(
    register: CustomPolicies, first: int, policy: RolloutPolicy
) -> None:
    story = Recorded(register)
    story.told(served(first, "one", policy)).goes_on()
    story.told(served(first, "two", policy)).goes_on()
    for container in story.fleet.containers.values():
        assert container.history.crashes_total == 0
        assert container.history.failures == ()
    assert story.status() in ENDED | WAITING


@given(first=st.integers(1, 5), policy=policies(), detour=st.integers(0, 9))
def test_whatever_the_way_a_spec_settles_alike(
    first: int, policy: RolloutPolicy, detour: int
) -> None:
    assume(policy.strategy != "own" and policy.promote is Promotion.AUTO)
    patient = attrs.evolve(
        policy, container_deadline_ms=600_000, progress_deadline_ms=600_000
    )
    story = Recorded(registered([]))
    story.told(served(first, "one", patient)).goes_on()
    if detour:
        story.told(served(first, "three", patient)).goes_on(limit=detour)
    story.told(served(first, "two", patient)).goes_on()
    present = members(story.fleet.containers.values(), "web")
    assert [each.spec.image for each in present] == ["two"] * first
    assert story.status() is RolloutStatus.DONE
    assert story.lineage.good == story.lineage.serving


@given(story=stories(), fleet=FLEETS)
def test_a_plan_names_whom_a_rollout_moves(story: Recorded, fleet: FleetSpec) -> None:
    before, request = story.fleet, Apply(spec=fleet)
    answer = plan(before, request, before.at, story.policies, masks=BARE)
    if not isinstance(answer, Success):
        return
    found = answer.unwrap()
    story.act(request)
    named = {change.name for change in found.changes}
    for name, container in before.containers.items():
        if name not in named:
            assert story.fleet.containers.get(name) == container
    rolled = [each.name for each in found.changes if each.action is PlanAction.ROLL]
    assert not rolled or story.fleet.rolling or story.lineage.past
    story.act(request)
    again = plan(story.fleet, request, before.at, story.policies, masks=BARE)
    assert again.unwrap().is_empty


def test_the_whole_is_all_of_any_number() -> None:
    assert [WHOLE.up(number) for number in (0, 1, 7)] == [0, 1, 7]
