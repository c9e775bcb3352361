"""A journal that several operators share: only the newest of them writes to it."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from orchestrator.journal.port import Journal

__all__ = ("Fenced",)


@runtime_checkable
class Fenced(Journal, Protocol):
    """A journal that has to be told under which epoch it is written.

    The laws: before ``lead`` nothing is written; under an epoch that is not the newest
    any more, what would write is ``StaleOperator``, and nothing is written.
    """

    def lead(self, epoch: int) -> None:
        """Write under *epoch* from now on, which the platform has granted."""
        ...
