"""Laws of rollouts in which the platform has a part: whatever it tells, they end."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import attrs
from hypothesis import event as seen
from hypothesis import example, given
from hypothesis import strategies as st
from returns.pipeline import is_successful

from orchestrator.core.admit import admit
from orchestrator.core.commands import (
    Command,
    DestroyContainer,
    ForgetContainer,
    ObserveFleet,
    RollService,
    StartContainer,
    StopContainer,
)
from orchestrator.core.events import (
    COMMAND_KINDS,
    Booted,
    CommandAccepted,
    ContainerEnded,
    ContainerReady,
    ContainerStarted,
    Event,
    FleetObserved,
    TimeReached,
)
from orchestrator.core.exits import Exited, RolledOut
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.invariants import violations
from orchestrator.core.lineages import Rollout, RolloutAction, RolloutStatus
from orchestrator.core.loads import RollOutcome, ServiceRolled
from orchestrator.core.moments import Moment
from orchestrator.core.outstanding import outstanding
from orchestrator.core.phases import live_run
from orchestrator.core.reduce import step_of
from orchestrator.core.requests import Apply, Request, Roll
from orchestrator.core.rollout_policies import OnFailure, RolloutPolicy, Share
from orchestrator.core.services import Service, replica_of
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import Fleet, empty_fleet
from orchestrator.core.wake import wake_at, wake_at_fleet

LIMIT = 60_000
POLICY = RolloutPolicy(
    min_ready_ms=1_000,
    container_deadline_ms=LIMIT,
    progress_deadline_ms=LIMIT,
    failure_budget=Share(2),
)
STEPS_MAX = 3_000
WAITING = {RolloutStatus.PAUSED}
BAD = "web:bad"


def declared(image: str, env: str, policy: RolloutPolicy, count: int) -> FleetSpec:
    template = ContainerSpec(name="web", image=image, command=(env,))
    service = Service(template=template, replicas=count, rollout=policy)
    members = tuple(replica_of(service, index) for index in range(count))
    return FleetSpec(name="demo", containers=members, services=(service,))


@attrs.define
class Life:
    """A fleet on a platform that does what it is told at once, but for rollouts.

    What is made of the bad image ends as soon as it has started. ``rolls`` are the
    commands to roll out that were given, the newest last.
    """

    policy: RolloutPolicy
    count: int
    fleet: Fleet = attrs.Factory(lambda: empty_fleet("demo"))
    rolls: list[RollService] = attrs.Factory(list)
    standing: str = "web:1"
    steps: int = 0
    _coming: deque[Event] = attrs.Factory(deque)

    def happens(self, event: Event) -> None:
        """Let something happen, and all that comes of it at once."""
        self._coming.append(event)
        while self._coming:
            self.steps += 1
            assert self.steps < STEPS_MAX, "it goes on and on"
            at = self.fleet.at
            step = step_of(self.fleet, attrs.evolve(self._coming.popleft(), at=at))
            assert violations(step) == ()
            self.fleet = step.after
            self._hold()
            for command in step.commands:
                self._coming.extend(self._answers(command))

    def _hold(self) -> None:
        """Hold what is always so."""
        rollout = self.rollout()
        if rollout is None or rollout.roll is None:
            return
        if rollout.status is RolloutStatus.PREPARING:
            assert not rollout.roll.done
        if rollout.status is RolloutStatus.DONE:
            assert rollout.roll.done

    def _answers(self, command: Command) -> Iterator[Event]:
        match command:
            case StartContainer(name=name, run=run):
                yield self._accepted(command)
                yield ContainerStarted(at=0, name=name, run=run)
                if self.standing == BAD:
                    yield ContainerEnded(at=0, name=name, run=run, exit=Exited(code=1))
                else:
                    yield ContainerReady(at=0, name=name, run=run)
            case (
                StopContainer(name=name, run=run) | DestroyContainer(name=name, run=run)
            ):
                yield self._accepted(command)
                yield ContainerEnded(at=0, name=name, run=run, exit=Exited(code=0))
            case ForgetContainer():
                yield self._accepted(command)
            case ObserveFleet():
                yield FleetObserved(at=0, complete=True)
            case RollService():
                self.rolls.append(command)
            case _:
                pass

    @staticmethod
    def _accepted(
        command: StartContainer | StopContainer | DestroyContainer | ForgetContainer,
    ) -> Event:
        kind = COMMAND_KINDS[type(command)]
        return CommandAccepted(at=0, name=command.name, run=command.run, kind=kind)

    def boots(self, *, rolls: bool) -> None:
        epoch = self.fleet.epoch + 1
        self.happens(Booted(at=0, epoch=epoch, rules=3, fences=True, rolls=rolls))

    def asks(self, request: Request) -> None:
        """Make a request; one that is refused changes nothing."""
        answer = admit(self.fleet, request, self.fleet.at)
        if is_successful(answer):
            self.happens(answer.unwrap())

    def applies(self, image: str, env: str = "serve") -> None:
        self.asks(Apply(spec=declared(image, env, self.policy, self.count)))

    def tells(self, outcome: RollOutcome, updated: int, revision: int | None) -> None:
        """Have the platform tell of its rollout, or of one that nobody waits for."""
        if revision is None:
            revision = self.rolls[-1].revision if self.rolls else 1
        if outcome is RollOutcome.DONE or updated:
            self._replaces(revision, updated)
        self.happens(
            ServiceRolled(
                at=0,
                service="web",
                revision=revision,
                outcome=outcome,
                updated=updated,
                total=self.count,
                id="r" if updated else "",
                behind=("web-0",) if updated == 1 else (),
            )
        )

    def _replaces(self, revision: int, updated: int) -> None:
        """Have some replaced: what starts from now on is of the new image."""
        lineage = self.fleet.lineages.get("web")
        kept = None if lineage is None else lineage.revision(revision)
        if kept is not None:
            self.standing = kept.template.image or ""
        for name, container in self.fleet.containers.items():
            run = live_run(container.phase)
            if run is not None and container.spec.replica < updated:
                self.happens(ContainerEnded(at=0, name=name, run=run, exit=RolledOut()))

    def passes(self, ms: int) -> None:
        """Let time pass, and what is due happen."""
        until = self.fleet.at + ms
        while (due := self._next()) is not None and due[0] <= until:
            at, name = due
            self.fleet = attrs.evolve(self.fleet, at=max(self.fleet.at, at))
            self.happens(TimeReached(at=0, name=name))
        self.fleet = attrs.evolve(self.fleet, at=until)

    def _next(self) -> tuple[Moment, str | None] | None:
        dues: list[tuple[Moment, str | None]] = []
        at = wake_at_fleet(self.fleet)
        dues += [] if at is None else [(at, None)]
        for name, container in self.fleet.containers.items():
            at = wake_at(container, fences=True)
            dues += [] if at is None else [(at, name)]
        return min(dues, key=lambda due: due[0], default=None)

    def rollout(self) -> Rollout | None:
        lineage = self.fleet.lineages.get("web")
        if lineage is None:
            return None
        return lineage.rollout or (lineage.past[-1] if lineage.past else None)


TOLD = st.tuples(
    st.just("tells"),
    st.sampled_from(RollOutcome),
    st.integers(0, 3),
    st.none() | st.none() | st.integers(1, 4),
)
ASKED = st.tuples(st.just("asks"), st.sampled_from(RolloutAction))
APPLIED = st.tuples(
    st.just("applies"),
    st.sampled_from(["web:1", "web:2", BAD]),
    st.sampled_from(["serve", "other"]),
)
BOOTED = st.tuples(st.just("boots"), st.booleans())
PASSED = st.tuples(st.just("passes"), st.sampled_from([1, 1_000, LIMIT // 2, LIMIT]))
PLANS = st.lists(TOLD | TOLD | ASKED | APPLIED | BOOTED | PASSED, max_size=12)
POLICIES = st.builds(
    attrs.evolve,
    st.just(POLICY),
    strategy=st.sampled_from(["rolling", "recreate", "blue_green"]),
    max_surge=st.sampled_from([Share(0), Share(1)]),
    on_failure=st.sampled_from([OnFailure.REVERT, OnFailure.HOLD]),
)


def lived(policy: RolloutPolicy, count: int, plan: list[tuple[Any, ...]]) -> Life:
    it = Life(policy=policy, count=count)
    it.boots(rolls=True)
    it.applies("web:1")
    it.passes(2_000)
    it.applies("web:2")
    for deed in plan:
        match deed:
            case ("tells", outcome, updated, revision):
                it.tells(outcome, min(updated, count), revision)
            case ("asks", action):
                it.asks(Roll(service="web", action=action))
            case ("applies", image, env):
                it.applies(image, env)
            case ("boots", rolls):
                it.boots(rolls=rolls)
            case ("passes", ms):
                it.passes(ms)
            case _:
                raise AssertionError(deed)
    return it


@given(POLICIES, st.integers(1, 3), PLANS)
@example(POLICY, 2, [("tells", RollOutcome.PROGRESSING, 1, None), ("boots", False)])
@example(POLICY, 2, [("tells", RollOutcome.FAILED, 0, None)])
@example(
    POLICY,
    2,
    [("asks", RolloutAction.PAUSE), ("tells", RollOutcome.FAILED, 0, None)],
)
def test_whatever_the_platform_tells_or_never_tells_a_rollout_ends(
    policy: RolloutPolicy, count: int, plan: list[tuple[Any, ...]]
) -> None:
    it = lived(policy, count, plan)
    it.standing = it.standing.replace("bad", "2")  # what is bad is mended by now
    if (rollout := it.rollout()) is not None and rollout.status in WAITING:
        it.asks(Roll(service="web", action=RolloutAction.RESUME))
    it.passes(10 * LIMIT)
    rollout = it.rollout()
    assert rollout is not None
    seen(f"it is {rollout.status}")
    assert "web" not in it.fleet.rolling, rollout
    assert rollout.reason != ""


@given(POLICIES, st.integers(1, 3), PLANS)
def test_what_waits_for_the_platform_is_given_again_and_nothing_else(
    policy: RolloutPolicy, count: int, plan: list[tuple[Any, ...]]
) -> None:
    it = lived(policy, count, plan)
    rollout = it.rollout()
    waits = (
        rollout is not None
        and "web" in it.fleet.rolling
        and rollout.roll is not None
        and not rollout.roll.done
        and it.fleet.rolls
        and rollout.status is not RolloutStatus.PAUSED  # given again when resumed
    )
    given_again = [
        command for command in outstanding(it.fleet) if isinstance(command, RollService)
    ]
    assert len(given_again) == waits
    known = len(it.rolls)
    it.boots(rolls=True)
    if waits:
        assert it.rolls[known:] == given_again
        assert given_again[0] == it.rolls[known - 1]


@given(POLICIES, st.integers(1, 3), st.sampled_from(["serve", "other"]))
def test_members_of_another_image_move_without_a_restart_of_ours(
    policy: RolloutPolicy, count: int, env: str
) -> None:
    it = Life(policy=policy, count=count)
    it.boots(rolls=True)
    it.applies("web:1")
    it.passes(2_000)
    it.applies("web:2", env)
    it.tells(RollOutcome.PROGRESSING, count, None)
    it.passes(LIMIT // 2)
    before = {name: each.run for name, each in it.fleet.containers.items()}
    it.tells(RollOutcome.DONE, 0, None)
    it.passes(10 * LIMIT)
    rollout = it.rollout()
    assert rollout is not None
    assert rollout.status is RolloutStatus.DONE
    after = {name: each.run for name, each in it.fleet.containers.items()}
    assert (before == after) is (env == "serve")
    assert {each.spec.image for each in it.fleet.containers.values()} == {"web:2"}
