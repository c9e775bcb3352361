"""Small fleets and containers that several tests begin from."""

from __future__ import annotations

import attrs

from orchestrator.core.admit import admit
from orchestrator.core.commands import Command
from orchestrator.core.custom import NO_POLICIES, CustomPolicies
from orchestrator.core.errors import RequestError
from orchestrator.core.events import (
    Booted,
    CommandAccepted,
    CommandKind,
    ContainerEnded,
    ContainerReady,
    ContainerStarted,
    Event,
    FleetObserved,
    HealthChanged,
    TimeReached,
)
from orchestrator.core.exits import Exit, Exited
from orchestrator.core.fleet_specs import FleetSettings, FleetSpec
from orchestrator.core.health import CheckKind
from orchestrator.core.invariants import violations
from orchestrator.core.policies import RestartPolicy
from orchestrator.core.reduce import reduce
from orchestrator.core.requests import Apply, Request
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import Container, Fleet, empty_fleet
from orchestrator.core.steps import Step

NO_JITTER = RestartPolicy(
    backoff=attrs.evolve(RestartPolicy().backoff, jitter=0.0),
)
SETTINGS = FleetSettings()


def spec(
    name: str = "web", policy: RestartPolicy = NO_JITTER, **more: object
) -> ContainerSpec:
    bare = ContainerSpec(name=name, command=("run",), restart=policy)
    return attrs.evolve(bare, **more)  # type: ignore[arg-type]


class Story:
    """A fleet, told event by event; ``orders`` are the commands of the last one."""

    def __init__(
        self,
        *specs: ContainerSpec,
        settings: FleetSettings = SETTINGS,
        policies: CustomPolicies = NO_POLICIES,
    ) -> None:
        self.fleet: Fleet = empty_fleet("demo")
        self.policies = policies
        self._commands: tuple[Command, ...] = ()
        self.happens(Booted(at=0, epoch=1, rules=1, fences=True))
        if specs:
            self.asked(self.apply(*specs, settings=settings))
        self.happens(FleetObserved(at=0, complete=True))

    @staticmethod
    def apply(*specs: ContainerSpec, settings: FleetSettings = SETTINGS) -> Apply:
        return Apply(spec=FleetSpec(name="demo", settings=settings, containers=specs))

    def happens(self, event: Event) -> Story:
        before = self.fleet
        transition = reduce(before, event, self.policies)
        step = Step(
            before=before,
            event=event,
            after=transition.fleet,
            commands=transition.commands,
            touched=transition.touched,
        )
        assert violations(step) == ()
        self.fleet, self._commands = transition.fleet, transition.commands
        return self

    def asked(self, request: Request, at: int | None = None) -> Story:
        moment = self.fleet.at if at is None else at
        return self.happens(admit(self.fleet, request, moment, self.policies).unwrap())

    def orders(self) -> tuple[Command, ...]:
        return self._commands

    def refused(self, request: Request) -> RequestError:
        return admit(self.fleet, request, self.fleet.at, self.policies).failure()

    def container(self, name: str = "web") -> Container:
        container = self.fleet.containers.get(name)
        assert container is not None
        return container

    def accepted(
        self, name: str = "web", kind: CommandKind = CommandKind.START
    ) -> Story:
        run = self.container(name).run
        return self.happens(
            CommandAccepted(at=self.fleet.at, name=name, run=run, kind=kind)
        )

    def started(self, name: str = "web", at: int | None = None) -> Story:
        moment = self.fleet.at if at is None else at
        run = self.container(name).run
        return self.happens(ContainerStarted(at=moment, name=name, run=run))

    def ready(self, name: str = "web", at: int | None = None) -> Story:
        self.started(name, at)
        run = self.container(name).run
        return self.happens(ContainerReady(at=self.fleet.at, name=name, run=run))

    def ended(
        self,
        exit_: Exit = Exited(code=1),  # noqa: B008 - a frozen value
        name: str = "web",
        at: int | None = None,
    ) -> Story:
        moment = self.fleet.at if at is None else at
        run = self.container(name).run
        return self.happens(ContainerEnded(at=moment, name=name, run=run, exit=exit_))

    def checked(
        self,
        check: CheckKind,
        *,
        passing: bool,
        name: str = "web",
        at: int | None = None,
        cause: str = "",
    ) -> Story:
        moment = self.fleet.at if at is None else at
        run = self.container(name).run
        return self.happens(
            HealthChanged(
                at=moment,
                name=name,
                run=run,
                check=check,
                passing=passing,
                cause=cause,
            )
        )

    def time(self, at: int, name: str | None = "web") -> Story:
        return self.happens(TimeReached(at=at, name=name))

    def phase(self, name: str = "web") -> str:
        return type(self.container(name).phase).__name__
