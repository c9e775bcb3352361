"""How a run ends: a sum type that says what is known, never more.

``outcome`` is the one table that says what an exit counts as, unless the policy has a
rule of its own for it (``core.exit_rules``). ``Lost`` is not ``Exited(code=0)``: an
end that nobody saw is never read as success.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias, assert_never

import attrs
from attrs.validators import ge, le

from orchestrator.core.errors import (
    EnvVarsFailed,
    NoCapacity,
    QuotaExceeded,
    RateLimited,
    SecretMissing,
    Unauthorized,
)
from orchestrator.core.moments import Moment

__all__ = (
    "Exit",
    "Exited",
    "GroupEnded",
    "Lost",
    "Obstacle",
    "OutOfMemory",
    "Outcome",
    "RolledOut",
    "Signaled",
    "Slept",
    "StartFailed",
    "Stopped",
    "Unhealthy",
    "exit_text",
    "outcome",
)


@attrs.frozen(kw_only=True)
class Exited:
    """The process returned a code."""

    code: int = attrs.field(validator=[ge(0), le(255)])


@attrs.frozen(kw_only=True)
class Signaled:
    """The process was killed by a signal that we did not send."""

    signal: int = attrs.field(validator=[ge(1), le(64)])


@attrs.frozen
class OutOfMemory:
    """The platform says that the process used more memory than it may."""


@attrs.frozen(kw_only=True)
class StartFailed:
    """No process was seen to end: spawn refused, image missing, not ready in time."""

    reason: str


@attrs.frozen(kw_only=True)
class Unhealthy:
    """We ended the run because a liveness check failed."""

    check: str


@attrs.frozen
class RolledOut:
    """The platform or our rollout replaced the run."""


@attrs.frozen
class Slept:
    """The platform stopped the run because it was idle."""


@attrs.frozen
class Stopped:
    """We stopped the run on request."""


@attrs.frozen(kw_only=True)
class GroupEnded:
    """We ended the run because *by*, a member of its group, has ended.

    ``restart_at`` is when *by* starts again; None: it does not, and this one waits.
    """

    group: str
    by: str
    restart_at: Moment | None


@attrs.frozen
class Lost:
    """The run is gone, and nobody knows why."""


Obstacle: TypeAlias = (
    NoCapacity
    | RateLimited
    | QuotaExceeded
    | Unauthorized
    | SecretMissing
    | EnvVarsFailed
)
"""What kept a run from beginning without being the container's fault."""

Exit: TypeAlias = (
    Exited
    | Signaled
    | OutOfMemory
    | StartFailed
    | Unhealthy
    | RolledOut
    | Slept
    | Stopped
    | GroupEnded
    | Lost
    | Obstacle
)


class Outcome(StrEnum):
    """What an exit counts as."""

    CLEAN = "clean"
    FAILURE = "failure"
    NEITHER = "neither"


def outcome(exit_: Exit) -> Outcome:
    """Say what an exit counts as.

    >>> [str(outcome(end)) for end in (Exited(code=0), Exited(code=7), Stopped())]
    ['clean', 'failure', 'neither']

    """
    match exit_:
        case Exited(code=0):
            return Outcome.CLEAN
        case (
            Exited() | Signaled() | OutOfMemory() | StartFailed() | Unhealthy() | Lost()
        ):
            return Outcome.FAILURE
        case RolledOut() | Slept() | Stopped() | GroupEnded():
            return Outcome.NEITHER
        case (
            NoCapacity()
            | RateLimited()
            | QuotaExceeded()
            | Unauthorized()
            | SecretMissing()
            | EnvVarsFailed()
        ):
            return Outcome.NEITHER
        case _:
            assert_never(exit_)


def exit_text(exit_: Exit) -> str:
    """Write an exit for people.

    >>> exit_text(Exited(code=7)), exit_text(Signaled(signal=9)), exit_text(Lost())
    ('exit 7', 'signal 9', 'lost')

    """
    match exit_:
        case Exited(code=code):
            return f"exit {code}"
        case Signaled(signal=signal):
            return f"signal {signal}"
        case OutOfMemory():
            return "out of memory"
        case StartFailed(reason=reason):
            return f"start failed: {reason}"
        case Unhealthy(check=check):
            return f"unhealthy: {check}"
        case RolledOut():
            return "rolled out"
        case Slept():
            return "slept"
        case Stopped():
            return "stopped"
        case GroupEnded(group=group, by=by):
            return f"ended with {by} of group {group}"
        case Lost():
            return "lost"
        case _:
            return exit_.message
