"""What may keep an operator from doing what it was asked for."""

from __future__ import annotations

from typing import ClassVar

import attrs

__all__ = ("OperatorClosed", "PartialReconcile", "ReconcileFailed")


@attrs.frozen(kw_only=True)
class ReconcileFailed:
    """The platform could not be observed, so nothing was compared."""

    code: ClassVar[str] = "reconcile_failed"
    cause: str

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        return f"reconcile failed: {self.cause}"


@attrs.frozen(kw_only=True)
class PartialReconcile:
    """Some containers could not be brought to what was asked for."""

    code: ClassVar[str] = "partial_reconcile"
    failed: tuple[str, ...]
    success_count: int

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        return (
            f"{len(self.failed)} of {len(self.failed) + self.success_count} containers"
            f" failed: {', '.join(self.failed)}"
        )


@attrs.frozen(kw_only=True)
class OperatorClosed:
    """The operator is shutting down and accepts nothing more."""

    code: ClassVar[str] = "operator_closed"

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        return "the operator is shutting down"
