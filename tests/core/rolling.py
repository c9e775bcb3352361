"""A service that is rolled out on a platform that obeys, with faults where asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from orchestrator.core.admit import admit
from orchestrator.core.commands import (
    Command,
    DestroyContainer,
    ForgetContainer,
    StartContainer,
    StopContainer,
)
from orchestrator.core.custom import NO_POLICIES, CustomPolicies
from orchestrator.core.events import (
    CommandAccepted,
    CommandKind,
    ContainerEnded,
    ContainerReady,
    ContainerStarted,
    Event,
    FleetObserved,
    TimeReached,
)
from orchestrator.core.exits import Exited
from orchestrator.core.exits import Stopped as StoppedExit
from orchestrator.core.fleet_specs import FleetSettings, FleetSpec
from orchestrator.core.lineages import (
    Lineage,
    Rollout,
    RolloutAction,
    RolloutStatus,
)
from orchestrator.core.moments import Moment
from orchestrator.core.phases import Unknown
from orchestrator.core.requests import Apply, Request, Roll, Scale
from orchestrator.core.rollout_info import newest_rollout
from orchestrator.core.rollout_policies import RolloutPolicy, Share
from orchestrator.core.scaling import is_ready, members
from orchestrator.core.services import Service, replica_of
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import Container
from orchestrator.core.wake import wake_at, wake_at_fleet

from .examples import Story, spec

START_MS = 1_000
"""What a start takes on this platform."""

STEPS_MAX = 5_000


def policy(**more: Any) -> RolloutPolicy:
    return attrs.evolve(
        RolloutPolicy(
            max_unavailable=Share(1),
            min_ready_ms=2_000,
            container_deadline_ms=60_000,
            progress_deadline_ms=120_000,
        ),
        **more,
    )


def served(
    replicas: int,
    image: str = "one",
    rollout: RolloutPolicy | None = None,
    others: tuple[ContainerSpec, ...] = (),
    **more: Any,
) -> FleetSpec:
    template = spec(**{"name": "web", "image": image, **more})
    service = Service(template=template, replicas=replicas, rollout=rollout)
    own = tuple(replica_of(service, index) for index in range(replicas))
    return FleetSpec(
        name="demo",
        settings=FleetSettings(max_concurrent_starts=100),
        containers=(*own, *others),
        services=(service,),
    )


def no_fault(_: Container) -> bool:
    return False


class Rolling(Story):
    """A story with a platform: what is ordered happens, a little later.

    ``is_broken`` says whose runs crash instead of becoming ready, ``is_slow`` whose
    never become it.
    """

    def __init__(self, policies: CustomPolicies = NO_POLICIES) -> None:
        super().__init__(policies=policies)
        self.is_broken: Callable[[Container], bool] = no_fault
        self.is_slow: Callable[[Container], bool] = no_fault
        self.agenda: list[tuple[Moment, int, Event]] = []
        self.count = 0
        self.least: int | None = None
        self.most = 0

    def happens(self, event: Event) -> Rolling:
        if not hasattr(self, "agenda"):  # while it is made
            super().happens(event)
            return self
        super().happens(event)
        for command in self.orders():
            self._obey(command)
        present = members(self.fleet.containers.values(), "web")
        up = sum(map(is_ready, present))
        self.least = up if self.least is None else min(self.least, up)
        self.most = max(self.most, len(present))
        return self

    def _later(self, wait: int, make: Callable[[Moment], Event]) -> None:
        self.count += 1
        at = self.fleet.at + wait
        self.agenda.append((at, self.count, make(at)))

    def _obey(self, command: Command) -> None:
        match command:
            case StartContainer(name=name, run=run):
                self._start(name, run)
            case (
                StopContainer(name=name, run=run) | DestroyContainer(name=name, run=run)
            ):
                self._later(
                    500,
                    lambda at: ContainerEnded(
                        at=at, name=name, run=run, exit=StoppedExit()
                    ),
                )
            case ForgetContainer(name=name, run=run):
                kind = CommandKind.FORGET
                self._later(
                    10,
                    lambda at: CommandAccepted(at=at, name=name, run=run, kind=kind),
                )
            case _:
                pass

    def _start(self, name: str, run: int) -> None:
        kind = CommandKind.START
        self._later(
            10, lambda at: CommandAccepted(at=at, name=name, run=run, kind=kind)
        )
        self._later(20, lambda at: ContainerStarted(at=at, name=name, run=run))
        container = self.fleet.containers.get(name)
        if container is not None and self.is_broken(container):
            end = Exited(code=1)
            self._later(
                START_MS,
                lambda at: ContainerEnded(at=at, name=name, run=run, exit=end),
            )
        elif container is None or not self.is_slow(container):
            self._later(START_MS, lambda at: ContainerReady(at=at, name=name, run=run))

    def _next(self) -> Event | None:
        """Return what comes next: something on the agenda, or a time."""
        fleet = self.fleet
        times: list[tuple[Moment, str | None]] = []
        fleet_at = wake_at_fleet(fleet)
        if fleet_at is not None and fleet.rolling:
            times.append((fleet_at, None))
        for name in fleet.diverged:
            own = wake_at(fleet.containers[name], fences=fleet.fences)
            if own is not None:
                times.append((own, name))
        first = min(self.agenda, default=None, key=lambda each: each[:2])
        soonest = min(times, default=None, key=lambda each: (each[0], each[1] or ""))
        if first is None and soonest is None:
            return None
        if first is not None and (soonest is None or first[0] <= soonest[0]):
            self.agenda.remove(first)
            return attrs.evolve(first[2], at=max(first[0], fleet.at))
        assert soonest is not None
        return TimeReached(at=max(soonest[0], fleet.at), name=soonest[1])

    def look(self) -> Rolling:
        """Have the platform show all that it has, as it is believed to be."""
        at = self.fleet.at
        for container in list(self.fleet.containers.values()):
            if isinstance(container.phase, Unknown):
                run, gone = container.run, Exited(code=1)
                end = ContainerEnded(at=at, name=container.name, run=run, exit=gone)
                self.happens(end)
        self.happens(FleetObserved(at=at, complete=True))
        return self

    def goes_on(
        self,
        until: Callable[[Rolling], bool] | None = None,
        limit: int | None = None,
    ) -> Rolling:
        """Let things happen until something holds, or nothing comes any more.

        *limit* ends it after so many.
        """
        for _ in range(STEPS_MAX if limit is None else limit):
            if until is not None and until(self):
                return self
            event = self._next()
            if event is None:
                assert until is None, "nothing comes any more"
                return self
            self.happens(event)
        assert limit is not None, "it never ends"
        return self

    def told(self, fleet: FleetSpec, **more: Any) -> Rolling:
        self.asked(Apply(spec=fleet, by="ann", **more))
        return self

    @staticmethod
    def applied(fleet: FleetSpec) -> Apply:
        return Apply(spec=fleet, by="ann")

    def admitted(self, request: Request) -> Event:
        return admit(self.fleet, request, self.fleet.at, self.policies).unwrap()

    def roll(self, action: str, to: int | None = None) -> Rolling:
        wish = Roll(service="web", action=RolloutAction(action), to=to, by="ann")
        self.asked(wish)
        return self

    def scaled(self, replicas: int) -> Rolling:
        self.asked(Scale(service="web", replicas=replicas, by="ann"))
        return self

    @property
    def lineage(self) -> Lineage:
        return self.fleet.lineages["web"]

    @property
    def rollout(self) -> Rollout:
        rollout = newest_rollout(self.lineage)
        assert rollout is not None
        return rollout

    def status(self) -> RolloutStatus:
        return self.rollout.status

    def images(self) -> list[tuple[str, str]]:
        return [
            (each.name, str(each.spec.image))
            for each in members(self.fleet.containers.values(), "web")
        ]

    def watched(self) -> Rolling:
        """Forget how few there were, and how many, until now."""
        self.least, self.most = None, 0
        return self


def told(replicas: int, rollout: RolloutPolicy | None = None) -> Rolling:
    """Return a service of which all replicas are up."""
    return Rolling().told(served(replicas, rollout=rollout)).goes_on().watched()
