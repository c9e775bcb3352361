"""What operations answer, besides a container's info; and what a wait waits for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, TypeAlias

import attrs

from orchestrator.core.circumstances import circumstances, is_stuck
from orchestrator.core.commands import Command, FleetCommand
from orchestrator.core.decide import crash_loop
from orchestrator.core.errors import ContainerFailed, CrashLoopDetected
from orchestrator.core.events import Event
from orchestrator.core.explain import why
from orchestrator.core.fleet_specs import FleetSettings
from orchestrator.core.lineages import RolloutStatus
from orchestrator.core.moments import Moment
from orchestrator.core.phases import (
    Asleep,
    Completed,
    CrashLooping,
    Failed,
    Running,
    Stopped,
    Unknown,
    phase_name,
)
from orchestrator.core.services import Service
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import Container, Fleet
from orchestrator.runtime.masks import masked_service, masked_settings, masked_spec

__all__ = (
    "EventRecord",
    "FleetConfig",
    "ReconcileOutcome",
    "ReconcileReport",
    "WaitFor",
    "config_of",
    "failure_of",
    "has_reached",
    "has_settled",
    "is_at_rest",
    "outcomes_of",
    "rolls_on",
)

WaitFor: TypeAlias = Literal["ready", "stopped", "completed", "failed", "settled"]


@attrs.frozen(kw_only=True)
class EventRecord:
    """One row of the journal, for those who follow."""

    seq: int
    event: Event


@attrs.frozen(kw_only=True)
class ReconcileOutcome:
    """What a reconcile did about one container: the first command, or ``none``."""

    name: str
    phase: str
    action: str


@attrs.frozen(kw_only=True)
class ReconcileReport:
    """What a reconcile found and did, one outcome a container."""

    observed_at: Moment
    outcomes: tuple[ReconcileOutcome, ...]
    strangers: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class FleetConfig:
    """The fleet as it is declared now; values that look secret are not shown."""

    name: str
    revision: int
    settings: FleetSettings
    containers: tuple[ContainerSpec, ...]
    services: tuple[Service, ...] = ()


def outcomes_of(
    fleet: Fleet, commands: Iterable[Command]
) -> tuple[ReconcileOutcome, ...]:
    """Return what a reconcile did about each container of the fleet."""
    actions: dict[str, str] = {}
    for command in commands:
        if not isinstance(command, FleetCommand):
            action = type(command).__name__.removesuffix("Container").lower()
            actions.setdefault(command.name, action)
    return tuple(
        ReconcileOutcome(
            name=name,
            phase=phase_name(container.phase),
            action=actions.get(name, "none"),
        )
        for name, container in fleet.containers.items()
    )


def has_reached(fleet: Fleet, container: Container, goal: WaitFor) -> bool:
    """Say whether a container is where somebody waits for it to be.

    One that crash-loops has failed as far as who waits is concerned, as for ``ready``.
    """
    match container.phase, goal:
        case Running(ready_at=ready_at), "ready":
            return ready_at is not None
        case (Completed(), "completed") | (Failed() | CrashLooping(), "failed"):
            return True
        case _, "settled":
            return has_settled(fleet, container)
        case _, "stopped":
            return is_at_rest(container)
        case _:
            return False


def is_at_rest(container: Container) -> bool:
    """Say whether nothing of a container runs or is about to."""
    return isinstance(container.phase, Stopped | Completed | Failed | Asleep)


def has_settled(fleet: Fleet, container: Container) -> bool:
    """Say whether a container has come to where it will stay for a while."""
    rests = Stopped | Completed | Failed | Asleep | CrashLooping | Unknown
    return (
        has_reached(fleet, container, "ready")
        or isinstance(container.phase, rests)
        or is_stuck(fleet, container)
    )


def rolls_on(fleet: Fleet) -> bool:
    """Say whether a rollout goes on by itself; one that waits for its owner, not."""
    rollouts = (fleet.lineages[name].rollout for name in fleet.rolling)
    return any(
        rollout is not None and rollout.status not in _WAITING for rollout in rollouts
    )


_WAITING: Final = {RolloutStatus.PAUSED, RolloutStatus.AWAITING_PROMOTION}


def failure_of(
    fleet: Fleet, container: Container, now: Moment
) -> ContainerFailed | CrashLoopDetected | None:
    """Say why there is no more use in waiting for a container to come up."""
    match container.phase:
        case Failed():
            return ContainerFailed(name=container.name, why=why(container, now))
        case CrashLooping() as phase:
            return crash_loop(container, phase)
        case _ if is_stuck(fleet, container):
            told = why(container, now) + circumstances(fleet, container)
            return ContainerFailed(name=container.name, why=told)
        case _:
            return None


def config_of(fleet: Fleet) -> FleetConfig:
    """Return the fleet as it is declared, without what looks secret."""
    return FleetConfig(
        name=fleet.name,
        revision=fleet.revision,
        settings=masked_settings(fleet.settings),
        containers=tuple(
            masked_spec(container.spec)
            for container in fleet.containers.values()
            if not container.leaving
        ),
        services=tuple(map(masked_service, fleet.services.values())),
    )
