"""What must be commanded, derived from the state alone.

There is no queue of work that a crash could lose. After boot the commands that the
platform has not confirmed are given again; by their run they do the same as once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from orchestrator.core.commands import (
    Command,
    DestroyContainer,
    ForgetContainer,
    StartContainer,
    StopContainer,
)
from orchestrator.core.moments import Millis
from orchestrator.core.noticing import given_again
from orchestrator.core.phases import Escalation, Starting, Stopping
from orchestrator.core.platform_rollouts import rolls_again
from orchestrator.core.state import Container, Fleet

__all__ = ("evictions", "outstanding", "outstanding_of")

EVICTION_GRACE_MS: Final[Millis] = 10_000
"""How long a stranger may take to end; nobody has said what its own grace is."""


def outstanding(fleet: Fleet) -> tuple[Command, ...]:
    """Return what the platform has not yet confirmed, in the order of names.

    Its cost follows what diverges, not the size of the fleet.
    """
    commands: list[Command] = [
        ForgetContainer(name=name, run=run) for name, run in fleet.forgetting.items()
    ]
    for name in fleet.diverged:
        commands += outstanding_of(fleet.containers[name])
    commands += evictions(fleet.evicting.items())
    commands += rolls_again(fleet)
    commands += given_again(fleet.notices)
    return tuple(commands)


def evictions(evicting: Iterable[tuple[str, int]]) -> tuple[Command, ...]:
    """Return the stops of strangers that are to be ended."""
    grace_ms = EVICTION_GRACE_MS
    return tuple(
        StopContainer(name=name, run=run, signal="TERM", grace_ms=grace_ms)
        for name, run in evicting
    )


def outstanding_of(container: Container) -> tuple[Command, ...]:
    """Return the one command of a container that is not yet confirmed, if any."""
    name, spec = container.name, container.spec
    match container.phase:
        case Starting(run=run, accepted=False, retry_at=None):
            revision = container.started_revision
            return (StartContainer(name=name, run=run, revision=revision),)
        case Stopping(run=run, escalation=Escalation.DESTROYED):
            return (DestroyContainer(name=name, run=run),)
        case Stopping(run=run):
            return (
                StopContainer(
                    name=name,
                    run=run,
                    signal=spec.stop_signal,
                    grace_ms=spec.stop_grace_ms,
                ),
            )
        case _:
            return ()
