"""Answers of health checks, counted: when a verdict changes, and what is asked next.

The interpreter asks and hands in each answer; only a changed verdict becomes an event
(``HealthChanged``). Tallies live as long as the operator: after a boot they begin
again from the verdicts that the record holds.
"""

from __future__ import annotations

from enum import StrEnum
from typing import assert_never

import attrs

from orchestrator.core.health import CheckKind, HealthCheck
from orchestrator.core.phases import Running
from orchestrator.core.state import Container

__all__ = ("Answer", "Tally", "begin", "count", "due_checks")


class Answer(StrEnum):
    """What one question came to; nobody could tell: unknown."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"


@attrs.frozen(kw_only=True)
class Tally:
    """Answers in a row, and the verdict (None: none yet)."""

    passing: bool | None
    successes: int = 0
    failures: int = 0


def begin(kind: CheckKind, phase: Running) -> Tally:
    """Return the tally of a check that is first asked now.

    As in Kubernetes a container is taken for alive, and for not ready, until its
    answers say otherwise.
    """
    match kind:
        case CheckKind.STARTUP:
            return Tally(passing=None)
        case CheckKind.READINESS:
            was_ready = phase.ready_at is not None
            return Tally(passing=phase.readiness_passed or was_ready)
        case CheckKind.LIVENESS:
            return Tally(passing=True)
        case _:
            assert_never(kind)


def count(check: HealthCheck, tally: Tally, answer: Answer) -> Tally:
    """Count an answer; unknown counts for nothing, not even against a row.

    >>> from orchestrator.core.health import TcpProbe
    >>> check = HealthCheck(probe=TcpProbe(port="db"), failure_threshold=2)
    >>> once = count(check, Tally(passing=True), Answer.FAILED)
    >>> once.passing, count(check, once, Answer.FAILED).passing
    (True, False)

    """
    match answer:
        case Answer.UNKNOWN:
            return tally
        case Answer.PASSED:
            row = tally.successes + 1
            passing = True if row >= check.success_threshold else tally.passing
            return Tally(passing=passing, successes=row)
        case Answer.FAILED:
            row = tally.failures + 1
            passing = False if row >= check.failure_threshold else tally.passing
            return Tally(passing=passing, failures=row)
        case _:
            assert_never(answer)


def due_checks(container: Container) -> tuple[CheckKind, ...]:
    """Return which checks of a container are asked now.

    None before its ports listen; the startup check alone until it has passed.
    """
    phase = container.phase
    if not isinstance(phase, Running) or not phase.is_listening:
        return ()
    checks = container.spec.health
    is_new = phase.ready_at is None and not phase.startup_passed
    if checks.startup is not None and is_new:
        return (CheckKind.STARTUP,)
    later = (CheckKind.READINESS, CheckKind.LIVENESS)
    return tuple(kind for kind in later if checks.get(kind) is not None)
