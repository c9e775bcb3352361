"""How many containers are where, added up once and kept true where rows touch them.

A tally of some containers is a sum: what one adds to it can be taken away again. So the
tally of all of them, less that of a few, is that of the rest.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

import attrs

from orchestrator.core.origins import Origin
from orchestrator.core.phases import (
    BackingOff,
    CrashLooping,
    Phase,
    Running,
    phase_name,
)
from orchestrator.core.placing import misplaced
from orchestrator.core.state import Container

__all__ = ("Tally", "backoff_s", "is_ready")


@attrs.define(kw_only=True)
class Tally:
    """Some containers, counted.

    ``declared`` counts those of the min replica set, ``restarts`` those that they had
    in their lives; ``failures`` how many have so many failures in a row, ``waits`` how
    many wait for so many seconds.
    """

    phases: Counter[str] = attrs.field(factory=Counter[str])
    ready: int = 0
    wanted: int = 0
    declared: int = 0
    misplaced: int = 0
    restarts: int = 0
    failures: Counter[int] = attrs.field(factory=Counter[int])
    waits: Counter[float] = attrs.field(factory=Counter[float])

    @classmethod
    def of(cls, containers: Iterable[Container]) -> Tally:
        """Count some containers."""
        tally = cls()
        for container in containers:
            tally.replace(None, container)
        return tally

    def replace(self, before: Container | None, after: Container | None) -> None:
        """Count a container as it is, in place of what it was; None: it is none."""
        if before is not None:
            self._add(before, -1)
        if after is not None:
            self._add(after, 1)

    def _add(self, container: Container, by: int) -> None:
        phase, history = container.phase, container.history
        _count(self.phases, phase_name(phase), by)
        if is_ready(phase):
            self.ready += by
        if container.desired.running:
            self.wanted += by
        if container.origin is Origin.MIN_REPLICA_SET:
            self.declared += by
        if container.place and misplaced(container) is not None:
            self.misplaced += by
        if history.restarts_total:
            self.restarts += history.restarts_total * by
        if history.failed_in_a_row:
            _count(self.failures, history.failed_in_a_row, by)
        wait_s = backoff_s(phase)
        if wait_s:
            _count(self.waits, wait_s, by)

    def copied(self) -> Tally:
        """Return one that stays as this one is now."""
        return self.without(Tally())

    def without(self, some: Tally) -> Tally:
        """Return the tally of all that are counted here, and not in *some* of them."""
        return Tally(
            phases=self.phases - some.phases,
            ready=self.ready - some.ready,
            wanted=self.wanted - some.wanted,
            declared=self.declared - some.declared,
            misplaced=self.misplaced - some.misplaced,
            restarts=self.restarts - some.restarts,
            failures=self.failures - some.failures,
            waits=self.waits - some.waits,
        )


def _count(counts: Counter[Any], key: Any, by: int) -> None:
    """Count a key; one that nobody has any more leaves nothing behind."""
    count = counts[key] + by
    if count:
        counts[key] = count
    else:
        del counts[key]


def is_ready(phase: Phase) -> bool:
    """Say whether a container in this phase runs and is ready."""
    return isinstance(phase, Running) and phase.ready_at is not None


def backoff_s(phase: Phase) -> float:
    """Return the whole wait that the policy has decided on; infinite where it holds."""
    match phase:
        case CrashLooping(until=None):
            return math.inf
        case BackingOff(since=since, until=int(until)):
            return max(0, until - since) / 1_000
        case CrashLooping(since=since, until=int(until)):
            return max(0, until - since) / 1_000
        case _:
            return 0.0
