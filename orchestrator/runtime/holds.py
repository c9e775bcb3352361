"""Who reads the past just now: a compaction lets them finish, within reason."""

from __future__ import annotations

from types import TracebackType

__all__ = ("Holds",)


class Holds:
    """Counts those who read rows one page after the other.

    Each is a block:

    >>> holds = Holds()
    >>> with holds:
    ...     holds.is_free
    False
    >>> holds.is_free
    True

    """

    def __init__(self) -> None:
        """Begin with nobody."""
        self._count = 0

    @property
    def is_free(self) -> bool:
        """Say whether nobody reads."""
        return not self._count

    def __enter__(self) -> None:
        """Begin to read."""
        self._count += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Have read, or have failed to."""
        self._count -= 1
