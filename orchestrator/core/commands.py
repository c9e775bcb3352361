"""What the operator is to do: one class a command, all facts in it.

A command names its run, the idempotency key at the platform: the same command twice
does the same as once. A start does not carry the spec; the revision says which one.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, TypeAlias

import attrs

from orchestrator.core.evolving import all_quick
from orchestrator.core.moments import Millis

__all__ = (
    "COMMAND_KINDS",
    "Command",
    "CommandKind",
    "ContainerCommand",
    "DestroyContainer",
    "FleetCommand",
    "ForgetContainer",
    "ObserveFleet",
    "RollService",
    "SendNotice",
    "StartContainer",
    "StopContainer",
)


@attrs.frozen(kw_only=True, weakref_slot=False)
class StartContainer:
    """Start run *run* of a container with the spec of *revision*."""

    name: str
    run: int
    revision: int


@attrs.frozen(kw_only=True, weakref_slot=False)
class StopContainer:
    """Signal the run, and kill it when it has not ended after *grace_ms*."""

    name: str
    run: int
    signal: str
    grace_ms: Millis


@attrs.frozen(kw_only=True, weakref_slot=False)
class DestroyContainer:
    """Kill the run now, with everything that belongs to it."""

    name: str
    run: int


@attrs.frozen(kw_only=True, weakref_slot=False)
class ForgetContainer:
    """Remove what the platform keeps of a container at rest (records, logs)."""

    name: str
    run: int


@attrs.frozen
class ObserveFleet:
    """Look at every container of the platform and report what differs."""


@attrs.frozen(kw_only=True, weakref_slot=False)
class SendNotice:
    """Tell the receiver of a notice; it was tried *attempt* - 1 times before."""

    number: int
    attempt: int


@attrs.frozen(kw_only=True, weakref_slot=False)
class RollService:
    """Have the platform bring the image of a revision to a service's instances."""

    service: str
    revision: int


ContainerCommand: TypeAlias = (
    StartContainer | StopContainer | DestroyContainer | ForgetContainer
)
FleetCommand: TypeAlias = ObserveFleet | SendNotice | RollService
"""What concerns no container alone."""

Command: TypeAlias = ContainerCommand | FleetCommand

all_quick(Command)


class CommandKind(StrEnum):
    """Which command an outcome belongs to."""

    START = "start"
    STOP = "stop"
    DESTROY = "destroy"
    FORGET = "forget"


COMMAND_KINDS: Final[dict[type[ContainerCommand], CommandKind]] = {
    StartContainer: CommandKind.START,
    StopContainer: CommandKind.STOP,
    DestroyContainer: CommandKind.DESTROY,
    ForgetContainer: CommandKind.FORGET,
}
"""Which kind the outcome of a command is of."""
