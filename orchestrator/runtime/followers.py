"""What a durable row leads to for each container that it touched: a piece at a time.

Most rows touch one container. Some touch all of a large fleet: a file that is declared,
the first look after a boot, a fleet that comes down. What is to be worked out for each
then (its timers, its health checks, its counts, a command for it) is worked out for a
thousand at a time, and others have their turn in between. The loop takes nothing else
meanwhile, so the order of events is the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final, TypeAlias, TypeVar

from orchestrator.core.commands import Command
from orchestrator.core.steps import Step

__all__ = ("PIECE", "Follower", "Seen", "by_pieces", "followed")

T = TypeVar("T")

PIECE: Final = 1_000
"""What is taken at once: some ten milliseconds of work."""

Seen: TypeAlias = Callable[[Step], None]
"""Is told each step at once, in the order of the rows."""

Follower: TypeAlias = Callable[[int, Step, Sequence[str]], None]
"""Is told the number of a row, its step, and some of the names that it touched."""


async def by_pieces(values: Sequence[T], take: Callable[[Sequence[T]], None]) -> None:
    """Have values taken in order, ``PIECE`` at a time; others go on in between.

    At least once, with none where there are none; nobody waits where they are few.
    """
    for first in range(0, max(1, len(values)), PIECE):
        if first:
            await asyncio.sleep(0)
        take(values[first : first + PIECE])


async def followed(
    steps: Iterable[Step],
    begin: int,
    hand_out: Callable[[Command, Step], None],
    followers: Sequence[Follower],
) -> None:
    """Hand out what steps command, and tell followers whom they touched.

    The first step is row *begin*.
    """

    def all_handed_out(step: Step, commands: Sequence[Command]) -> None:
        for command in commands:
            hand_out(command, step)

    for seq, step in enumerate(steps, begin):
        await by_pieces(step.commands, partial(all_handed_out, step))
        for follower in tuple(followers):
            await by_pieces(step.touched, partial(follower, seq, step))
