"""Our timers beside those of the loop: set, cancelled and fired while many wait.

Both hold the same moments, drawn from a seed. Ours are set by name, so that setting one
anew overtakes the one before; those of the loop are handles that are cancelled one by
one. What is fired is only counted: what follows from it is not the timers' matter.
"""

from __future__ import annotations

import asyncio
from typing import Final

import attrs

from orchestrator.core.moments import Moment
from orchestrator.runtime.timers import Timers
from orchestrator.simulation.dice import Dice
from tests.benchmarks.figures import Asked, Figures, costs, reached
from tests.benchmarks.harness import Case, Goal, interleaved

__all__ = ("ABOUT", "GOALS", "figures")

ABOUT: Final = "Our timers, beside call_at of asyncio's loop, while 100 000 wait."

PENDING: Final = 100_000
DAY: Final = 86_400_000
BATCH: Final = 512
AT_ONCE: Final = 64
GOALS: Final = (
    Goal(
        case="set",
        limit="call_at",
        least=8.0,
        why=(
            "A timer is kept by its name, so that it can be overtaken. To store 25 000"
            " new names in a dict of 100 000 is two thirds of what it costs, and alone"
            " is seven to eight times as fast as `call_at`; a heap without names, where"
            " nothing can be cancelled, is nearly so."
        ),
    ),
    Goal(
        case="cancel",
        limit="cancel of the loop",
        least=4.5,
        why=(
            "It is one `dict.pop`, and the pair that says so: the `pop` alone, in a"
            " plain loop, takes four fifths of it."
        ),
    ),
    Goal(case="fire", limit="fire of the loop", least=1.5),
)
"""A handle of the loop takes 224 ns to cancel; 50 ns are 4.5 times as fast."""


@attrs.define
class _Ours:
    """Timers that wait already, and more names that will."""

    waiting: tuple[tuple[str, Moment], ...]
    more: tuple[tuple[str, Moment], ...]
    later: tuple[tuple[str, Moment], ...] = ()
    never: tuple[tuple[str, None], ...] = ()
    timers: Timers = attrs.field(factory=Timers)

    def __attrs_post_init__(self) -> None:
        """Say in advance what is set anew, as a container that moves on, or never."""
        self.later = tuple((name, due + 1_000) for name, due in self.waiting)
        self.never = tuple((name, None) for name, _ in self.waiting)

    def fill(self) -> None:
        self.timers = Timers()
        self._put(self.waiting)

    def _put(self, moments: tuple[tuple[str, Moment | None], ...]) -> None:
        """Put as many at once as a busy operator does."""
        for begin in range(0, len(moments), AT_ONCE):
            self.timers.put(moments[begin : begin + AT_ONCE])

    def set_more(self) -> None:
        self._put(self.more)

    def cancel(self) -> None:
        self._put(self.never)

    def again(self) -> None:
        self._put(self.later)

    def fire(self) -> None:
        count = 0
        while found := self.timers.due(DAY, BATCH):
            count += len(found)
        assert count == len(self.waiting), count


@attrs.define
class _Loops:
    """The same, held by a loop of asyncio."""

    waiting: tuple[tuple[str, Moment], ...]
    more: tuple[tuple[str, Moment], ...]
    loop: asyncio.AbstractEventLoop = attrs.field(factory=asyncio.new_event_loop)
    handles: list[asyncio.TimerHandle] = attrs.field(factory=list)
    over: asyncio.Event = attrs.field(factory=asyncio.Event)
    fired: int = 0

    def fill(self, ahead_s: float = 1e6) -> None:
        self.loop.close()
        self.loop = asyncio.new_event_loop()
        self.fired, self.over = 0, asyncio.Event()
        begin = self.loop.time() + ahead_s
        self.handles = [
            self.loop.call_at(begin + due / 1_000, self._fired, name)
            for name, due in self.waiting
        ]

    def fill_past(self) -> None:
        self.fill(-DAY / 1_000)

    def _fired(self, name: str) -> None:
        del name
        self.fired += 1
        if self.fired == len(self.waiting):
            self.over.set()

    def set_more(self) -> None:
        begin = self.loop.time() + 1e6
        put = self.loop.call_at
        for name, due in self.more:
            put(begin + due / 1_000, self._fired, name)

    def cancel(self) -> None:
        for handle in self.handles:
            handle.cancel()

    def again(self) -> None:
        begin = self.loop.time() + 1e6
        for handle, (name, due) in zip(self.handles, self.waiting, strict=True):
            handle.cancel()
            self.loop.call_at(begin + (due + 1_000) / 1_000, self._fired, name)

    def fire(self) -> None:
        self.loop.run_until_complete(self._all())

    async def _all(self) -> None:
        _ = await self.over.wait()


def _drawn(count: int, prefix: str, seed: int) -> tuple[tuple[str, Moment], ...]:
    dice = Dice(seed)
    return tuple((f"{prefix}-{n:06}", dice.between(1, DAY)) for n in range(count))


def figures(asked: Asked) -> Figures:
    """Set, cancel, set anew and fire, with as many waiting as there are containers."""
    count = asked.containers or (1_000 if asked.smoke else PENDING)
    waiting, more = _drawn(count, "waiting", 1), _drawn(count // 4, "more", 2)
    ours, loops = _Ours(waiting, more), _Loops(waiting, more)
    cases = [
        Case(name="set", items=len(more), run=ours.set_more, before=ours.fill),
        Case(name="call_at", items=len(more), run=loops.set_more, before=loops.fill),
        Case(name="cancel", items=count, run=ours.cancel, before=ours.fill),
        Case(
            name="cancel of the loop",
            items=count,
            run=loops.cancel,
            before=loops.fill,
        ),
        Case(name="set anew", items=count, run=ours.again, before=ours.fill),
        Case(
            name="cancel and call_at",
            items=count,
            run=loops.again,
            before=loops.fill,
        ),
        Case(name="fire", items=count, run=ours.fire, before=ours.fill),
        Case(
            name="fire of the loop",
            items=count,
            run=loops.fire,
            before=loops.fill_past,
        ),
    ]
    timing = interleaved(cases, 1 if asked.smoke else asked.rounds)
    loops.loop.close()
    anew = Goal(case="set anew", limit="cancel and call_at", least=4.0)
    return Figures(
        sheets=(costs(f"A timer, with {count} waiting", timing),),
        reached=reached(timing, (*GOALS, anew)),
    )
