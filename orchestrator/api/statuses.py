"""From each error to its HTTP status and the command's exit code: the one table."""

from __future__ import annotations

from typing import Final

import attrs

from orchestrator.core import access_errors as access
from orchestrator.core import errors
from orchestrator.core.access_errors import AccessError
from orchestrator.core.errors import ContainerError

__all__ = ("EXITS", "STATUSES", "Status", "exit_code_of", "status_of")


@attrs.frozen
class Status:
    """How an error shows at the edge."""

    http: int
    exit_code: int


EXITS: Final[dict[int, str]] = {
    0: "done",
    1: (
        "changes pending, a difference, or nothing found"
        " (plan, diff, replay diff, replay bisect)"
    ),
    2: "usage, or an invalid file",
    3: "timed out",
    4: "a container has failed or is crash-looping",
    5: "operator or platform unreachable",
    6: "conflict or refused",
    7: "not authorized",
    8: "journal damaged, or a replay diverged",
    9: "rollout reverted, held or aborted",
    10: "partly done",
    11: "not found",
    70: "internal error",
    130: "interrupted",
    141: "nobody reads what is written: a pipe was closed",
    143: "ended by SIGTERM (up, where ORCHESTRATOR_SUPERVISED is 1)",
}
"""What each exit code of the command means."""

STATUSES: Final[dict[type[ContainerError | AccessError], Status]] = {
    errors.ContainerNotFound: Status(404, 11),
    errors.CrashLoopDetected: Status(409, 4),
    errors.ContainerFailed: Status(409, 4),
    errors.ContainerNotStopped: Status(409, 6),
    errors.StartNeedsForce: Status(409, 6),
    errors.MinReplicaSetContainer: Status(409, 6),
    errors.AdHocContainerNotAllowed: Status(403, 6),
    errors.ServiceNotFound: Status(404, 11),
    errors.RolloutNotFound: Status(404, 11),
    errors.RolloutRefused: Status(409, 6),
    errors.InvalidSpec: Status(422, 2),
    errors.RevisionConflict: Status(409, 6),
    errors.ReconcileFailed: Status(502, 5),
    errors.PartialReconcile: Status(502, 10),
    errors.OperatorClosed: Status(503, 5),
    errors.LeaseHeld: Status(409, 6),
    errors.NotLeader: Status(503, 6),
    errors.ContainerStartFailed: Status(502, 4),
    errors.ContainerStopFailed: Status(502, 4),
    errors.Unreachable: Status(502, 5),
    errors.Refused: Status(502, 6),
    errors.Unauthorized: Status(502, 7),
    errors.RateLimited: Status(503, 5),
    errors.NoCapacity: Status(503, 5),
    errors.QuotaExceeded: Status(503, 6),
    errors.TimedOut: Status(504, 3),
    errors.StaleRun: Status(409, 6),
    errors.StaleOperator: Status(409, 6),
    errors.SecretMissing: Status(422, 2),
    errors.EnvVarsFailed: Status(422, 2),
    errors.JournalCorrupt: Status(500, 8),
    errors.JournalUnavailable: Status(503, 5),
    errors.JournalLocked: Status(409, 6),
    errors.JournalTooNew: Status(500, 8),
    errors.JournalConflict: Status(409, 6),
    errors.JournalCompacted: Status(410, 11),
    errors.JournalBusy: Status(503, 5),
    errors.NotReplayable: Status(500, 8),
    errors.PolicyNotRegistered: Status(422, 2),
    access.NotAuthenticated: Status(401, 7),
    access.NotAllowed: Status(403, 7),
    access.ForeignOrigin: Status(403, 7),
    access.TooManyRequests: Status(429, 5),
    access.KeyReused: Status(422, 6),
}
"""A test holds it total over ``ContainerError`` and ``AccessError``."""

_BY_CODE: Final = {kind.code: status for kind, status in STATUSES.items()}
_INTERNAL: Final = Status(500, 70)


def status_of(error: ContainerError | AccessError) -> Status:
    """Return how an error shows at the edge."""
    return _BY_CODE[error.code]


def exit_code_of(code: str) -> int:
    """Return the exit code for the ``code`` of an error; an unknown one is internal.

    >>> exit_code_of("container_not_found"), exit_code_of("no_such_code")
    (11, 70)

    """
    return _BY_CODE.get(code, _INTERNAL).exit_code
