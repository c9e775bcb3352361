"""The invariants of the core, watched while the operator works.

A step that breaks one is a bug of ours. It is told and counted, and nothing else is
done about it: the fleet goes on, and the journal holds what led there.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Final

from orchestrator.core.invariants import violations
from orchestrator.core.steps import Step

__all__ = ("Watch",)

LOG: Final = logging.getLogger("orchestrator.invariants")


class Watch:
    """Counts the invariants that did not hold."""

    def __init__(self) -> None:
        """Begin at none."""
        self.violations = 0

    def see_all(self, steps: Iterable[Step]) -> None:
        """Hold some steps to every invariant."""
        for step in steps:
            self.see(step)

    def see(self, step: Step) -> None:
        """Hold a step to every invariant; its cost follows what the step touched."""
        for violation in violations(step):
            self.violations += 1
            LOG.error(
                "an invariant does not hold: %s (%s, by %s)",
                violation.name,
                violation.about,
                type(step.event).__name__,
                extra={"container": getattr(step.event, "name", None)},
            )
