"""Who is not yet where all are waited for: one at a time, never all after each row.

As long as one is known who is not there, nobody else needs to be looked at. When that
one has come, the search goes on behind him; only where it has come to the end and there
is still somebody to wait for, it begins again. So a wait costs about one look a turn,
and each container is looked at a few times in all, however many rows it takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from orchestrator.core.state import Container, Fleet

__all__ = ("Laggards", "restless")


class Laggards:
    """Looks for those who keep a fleet from being as somebody waits for it."""

    def __init__(
        self,
        among: Callable[[Fleet], Iterable[str]],
        is_there: Callable[[Fleet, Container], bool],
    ) -> None:
        """Look *among* these names of a fleet; who has gone is there, too."""
        self._among = among
        self._is_there = is_there
        self._rest: Iterator[str] = iter(())
        self._last = ""

    def are_left(self, fleet: Fleet) -> bool:
        """Say whether there is still somebody who is not there."""
        if self._lags(fleet, self._last):
            return True
        for search in (self._rest, iter(self._among(fleet))):
            for name in search:
                if self._lags(fleet, name):
                    self._rest, self._last = search, name
                    return True
        self._rest = iter(())
        return False

    def _lags(self, fleet: Fleet, name: str) -> bool:
        container = fleet.containers.get(name)
        return container is not None and not self._is_there(fleet, container)


def restless(fleet: Fleet) -> Iterator[str]:
    """Yield who may still come somewhere by itself, or waits for others to.

    All others have settled: they are where they should be.
    """
    yield from fleet.diverged
    for entry in fleet.awaited.values():
        for waiting in entry.waiting.values():
            yield from waiting
