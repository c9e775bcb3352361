"""What the operator is to do: one class a command, all facts in it.

A command names its run, the idempotency key at the platform: the same command twice
does the same as once. A start does not carry the spec; the revision says which one.
"""

from __future__ import annotations

from typing import TypeAlias

import attrs

from orchestrator.core.evolving import all_quick
from orchestrator.core.moments import Millis

__all__ = (
    "Command",
    "ContainerCommand",
    "DestroyContainer",
    "ForgetContainer",
    "ObserveFleet",
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


ContainerCommand: TypeAlias = (
    StartContainer | StopContainer | DestroyContainer | ForgetContainer
)
Command: TypeAlias = ContainerCommand | ObserveFleet

all_quick(Command)
