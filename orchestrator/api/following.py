"""What is worked out of all containers once, and kept true by the steps that follow.

It begins when somebody asks: the containers are gone through in slices, in the order
of their names, while the fleet goes on. A step that touches one that was not come to
yet is passed over, for it will be read as it is then; every other one is followed. So
the cost of a question is what has changed, and none of it holds up the loop.

Where nobody asks any more nothing is followed: once as many containers were touched as
there are, to begin anew is no more work than to go on. Nor is a step that touched very
many at once: to begin anew is done in slices.

The law: at any moment it is what would be worked out anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, Generic, Protocol, TypeAlias, TypeVar

from orchestrator.api.slices import Slice
from orchestrator.core.state import Container, Fleet
from orchestrator.core.steps import Step

__all__ = ("Followed", "Follows", "Watch")

LEAST_NOTED: Final = 1_000
"""Containers that are followed at least before nobody seems to ask any more."""

BROAD: Final = 1_000
"""Containers that one step may touch before all is worked out anew."""

LOOKED_AT: Final = 64
"""Containers between two looks at the clock."""

Watch: TypeAlias = Callable[[Callable[[Step], None]], Callable[[], None]]
"""Has a function called with every step to come; what it returns ends that."""


class Follows(Protocol):
    """What can be kept true: it is told what each container was, and is."""

    def replace(self, before: Container | None, after: Container | None) -> None:
        """Take in that a container has changed; None: it was not there, or is not."""


F = TypeVar("F", bound=Follows)


class Followed(Generic[F]):
    """Something that is kept true of one operator's fleet."""

    def __init__(
        self,
        make: Callable[[], F],
        fleet: Callable[[], Fleet],
        watch: Watch,
        *,
        least_noted: int = LEAST_NOTED,
    ) -> None:
        """Keep what *make* makes true of *fleet*, of whose steps *watch* tells."""
        self._make = make
        self._fleet = fleet
        self._watch = watch
        self._least_noted = least_noted
        self._kept = make()
        self._unwatch: Callable[[], None] | None = None
        self._noted = 0
        self._base = Fleet(name="")
        self._names: Iterator[str] | None = None
        self._reached: str | None = None

    async def now(self) -> F:
        """Return it as it is now: it is true until the next time anything is awaited.

        Several may wait for it to be worked out at the same time.
        """
        turn = Slice()
        while not self.worked_on(turn):
            await turn.turn()
        return self._kept

    def worked_on(self, turn: Slice) -> bool:
        """Work on it for a slice; say whether it is true of the whole fleet now."""
        self._noted = 0
        if self._unwatch is None:
            self._begin()
        if self._names is not None:
            self._go_on(self._names, turn)
        return self._names is None

    def _begin(self) -> None:
        self._kept = self._make()
        self._base = self._fleet()
        self._names = iter(self._base.containers)
        self._reached = None
        self._unwatch = self._watch(self._see)

    def _go_on(self, names: Iterator[str], turn: Slice) -> None:
        containers = self._fleet().containers
        for number, name in enumerate(names, 1):
            self._reached = name
            self._kept.replace(None, containers.get(name))
            if number % LOOKED_AT == 0 and turn.is_over:
                return
        self._names = None
        self._base = Fleet(name="")

    def _see(self, step: Step) -> None:
        names = step.touched
        self._noted += len(names)
        is_left = self._names is None and self._noted > self._bound()
        if is_left or len(names) > BROAD:
            self.rest()
            return
        for name, (before, after) in zip(names, step.pairs(), strict=True):
            if before is not after and not self._is_to_come(name):
                self._kept.replace(before, after)

    def _is_to_come(self, name: str) -> bool:
        """Say whether a container will be read when it is come to."""
        if self._names is None or name not in self._base.containers:
            return False
        return self._reached is None or name > self._reached

    def _bound(self) -> int:
        return max(self._least_noted, len(self._fleet().containers))

    def rest(self) -> None:
        """Follow nothing any more, until somebody asks again."""
        if self._unwatch is not None:
            self._unwatch()
        self._unwatch = self._names = None
        self._kept, self._base = self._make(), Fleet(name="")
