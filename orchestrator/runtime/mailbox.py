"""The mailbox of the loop: what has come and was not taken yet, in its order.

Whoever puts something in wakes the loop. Requests and news are never held back; only
the platform's stream, which can wait, asks whether there is room.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

from orchestrator.core.errors import ContainerError
from orchestrator.core.loads import LoadObserved
from orchestrator.core.requests import Request
from orchestrator.runtime.steps import Ask, Asked, Item

__all__ = ("BATCH_MAX", "FACTS_MAX", "Mailbox")

BATCH_MAX: Final = 256
"""Items of one commit."""

FACTS_MAX: Final = 4_096
"""Facts in the mailbox; the platform's stream waits while there are more."""


class Mailbox:
    """Items in the order in which they came."""

    def __init__(self) -> None:
        """Begin empty."""
        self._items: deque[Item] = deque()
        self._stirred = asyncio.Event()

    def __len__(self) -> int:
        """Count the items."""
        return len(self._items)

    def __iter__(self) -> Iterator[Item]:
        """Yield the items, which stay."""
        return iter(self._items)

    @property
    def has_room(self) -> bool:
        """Say whether one may put in what can wait."""
        return len(self._items) < FACTS_MAX

    def put(self, item: Item) -> None:
        """Put an item in, behind all others."""
        self._items.append(item)
        self.stir()

    async def ask(self, request: Request | LoadObserved) -> Asked | ContainerError:
        """Put a request in, and wait for its answer."""
        answer: asyncio.Future[Asked | ContainerError] = (
            asyncio.get_running_loop().create_future()
        )
        self.put(Ask(request=request, answer=answer))
        return await answer

    def take(self) -> list[Item]:
        """Take out what came first, as much as one commit may hold."""
        count = min(BATCH_MAX, len(self._items))
        return [self._items.popleft() for _ in range(count)]

    def give_back(self, items: Sequence[Item]) -> None:
        """Put the facts of a batch back, before all others; requests are not kept."""
        facts = [item for item in items if not isinstance(item, Ask)]
        self._items.extendleft(reversed(facts))

    def stir(self) -> None:
        """Wake the loop: there is something else to do."""
        self._stirred.set()

    def calm(self) -> None:
        """Have the loop wait again until somebody stirs."""
        self._stirred.clear()

    async def wait(self, at_most_s: float | None) -> None:
        """Wait until somebody stirs, or for so long."""
        try:
            async with asyncio.timeout(at_most_s):
                await self._stirred.wait()
        except TimeoutError:
            return
