"""How many containers are in which phase: counted anew only where rows touched them.

While the fleet changes, each row touches one or two of a thousand containers, and what
is asked for most is the fleet as a whole. So the names that rows touch are noted, and
looked up when somebody asks. Where nobody has asked for long, nothing is noted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final, TypeAlias

from orchestrator.core.phases import Running, phase_name
from orchestrator.core.state import Container, Fleet
from orchestrator.core.steps import Step
from orchestrator.core.table import Table

__all__ = ("Counts",)

NOTED_MAX: Final = 1_000
"""Names that are noted; to count all anew is no more work then."""


Watch: TypeAlias = Callable[[Callable[[Step], None]], Callable[[], None]]
"""Has a function called with every step to come; what it returns ends that."""


class Counts:
    """The phases of one operator's fleet."""

    def __init__(self, watch: Watch, *, noted_max: int = NOTED_MAX) -> None:
        """Count what *watch* tells of, from when it is first asked for."""
        self._watch = watch
        self._noted_max = noted_max
        self._unwatch: Callable[[], None] | None = None
        self._noted: set[str] = set()
        self._known: dict[str, tuple[str, bool]] = {}
        self._phases: Counter[str] = Counter()
        self._ready = 0

    def of(self, fleet: Fleet) -> tuple[Table[str, int], int]:
        """Return how many are in each phase that there is, and how many are ready.

        The fleet is the one that is there now.
        """
        if self._unwatch is None:
            self._begin()
            self._noted.update(fleet.containers)
        for name in self._noted:
            self._count(name, fleet.containers.get(name))
        self._noted.clear()
        present = ((phase, count) for phase, count in self._phases.items() if count)
        return Table.of(present), self._ready

    def _begin(self) -> None:
        self._known.clear()
        self._phases.clear()
        self._ready = 0
        self._unwatch = self._watch(self._note)

    def _note(self, step: Step) -> None:
        self._noted.update(step.touched)
        if len(self._noted) > self._noted_max:
            self._rest()

    def _rest(self) -> None:
        """Note nothing any more, until somebody asks again."""
        self._noted.clear()
        if self._unwatch is not None:
            self._unwatch()
            self._unwatch = None

    def _count(self, name: str, container: Container | None) -> None:
        before = self._known.pop(name, None)
        if before is not None:
            phase, was_ready = before
            self._phases[phase] -= 1
            self._ready -= was_ready
        if container is not None:
            phase, is_ready = _seen(container)
            self._known[name] = phase, is_ready
            self._phases[phase] += 1
            self._ready += is_ready


def _seen(container: Container) -> tuple[str, bool]:
    phase = container.phase
    is_ready = isinstance(phase, Running) and phase.ready_at is not None
    return phase_name(phase), is_ready
