"""An event loop whose time passes only where nothing else is to be done.

What sleeps is woken at once, in the right order, and the loop's clock says that so much
time has passed. Threads are real: while one works, time stands still; one that waits
for the loop does not work. A simulated platform that is made meanwhile has the loop's
clock, too: a whole story takes no time, and no machine is too slow for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import selectors
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial, wraps
from typing import Any, ParamSpec, TypeVar

import pytest

from orchestrator.platforms.simulated.platform import SimulatedPlatform
from orchestrator.runtime import (
    boot,
    following,
    limits,
    preparing,
    recovery,
    stories,
)
from orchestrator.runtime.clock import Clock

__all__ = ("VirtualLoop", "in_virtual_time", "run_virtually")

P = ParamSpec("P")
T = TypeVar("T")

NANOS = 1_000_000_000
CREEP_S = 1e-9
POLL_S = 0.0005
STUCK_S = 60.0
BEGIN_MS = 1_700_000_000_000


class _Selector(selectors.BaseSelector):
    """Waits for no time: it has the loop's clock go on instead."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._real = selectors.DefaultSelector()
        self._loop = loop

    def select(
        self, timeout: float | None = None
    ) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout <= 0:
            return self._real.select(0)
        if self._loop.at_work > 0:
            return self._real.select(POLL_S)
        if timeout is None:
            found = self._real.select(STUCK_S)
            assert found, "nothing will ever happen: all wait for one another"
            return found
        found = self._real.select(0)
        if not found:
            self._loop.passed_s += timeout
        return found

    def register(
        self, fileobj: Any, events: int, data: Any = None
    ) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()

    def close(self) -> None:
        self._real.close()


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop with a clock of its own, which begins at zero."""

    def __init__(self) -> None:
        self.passed_s = 0.0
        self.at_work = 0
        self._counting = threading.Lock()
        self._threads = ThreadPoolExecutor()
        super().__init__(_Selector(self))
        self.set_default_executor(self._threads)

    def time(self) -> float:
        """Return the time; it creeps, so that who waits for less than it shows ends."""
        self.passed_s += CREEP_S
        return self.passed_s

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Any, *args: Any
    ) -> asyncio.Future[Any]:
        """Have a thread work; it does until it ends, even where nobody waits for it."""
        with self._counting:
            self.at_work += 1
        working = (executor or self._threads).submit(func, *args)
        done = asyncio.wrap_future(working, loop=self)
        working.add_done_callback(self._told)  # after the loop was told how it ended
        return done

    def _told(self, _: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has been closed
            self.call_soon_threadsafe(self._worked)

    def _worked(self) -> None:
        with self._counting:
            self.at_work -= 1

    def counted(self, work: Callable[[], None]) -> Callable[[], None]:
        """Have a thread of its own work: so long time stands still."""
        with self._counting:
            self.at_work += 1

        def works() -> None:
            try:
                work()
            finally:
                self._told(None)

        return works

    def waits(self, until: threading.Event) -> None:
        """Have a thread wait for what a test lets go: it does not work meanwhile."""
        with self._counting:
            self.at_work -= 1
        _ = until.wait(STUCK_S)
        with self._counting:
            self.at_work += 1

    def waited_for(self, coro: Coroutine[Any, Any, T], _: object) -> Future[T]:
        """Run something for a thread, which waits for it and does not work."""
        found = asyncio.run_coroutine_threadsafe(coro, self)
        with self._counting:
            self.at_work -= 1
        found.add_done_callback(self._works_again)
        return found

    def _works_again(self, _: object) -> None:
        with self._counting:
            self.at_work += 1

    def nanos(self) -> int:
        """Return the time for a platform's clock."""
        return int(self.passed_s * NANOS)

    def millis(self) -> int:
        """Return the time for an operator's clock."""
        return BEGIN_MS + int(self.passed_s * 1_000)


class _Asyncio:
    """The module as those use it whose threads wait for the loop: that is noted."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.run_coroutine_threadsafe = loop.waited_for

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)


class _Threading:
    """The module as those use it who begin threads of their own: they are counted."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def Thread(  # noqa: N802 - it stands in for the class
        self, *, target: Callable[[], None], **more: Any
    ) -> threading.Thread:
        return threading.Thread(target=self._loop.counted(target), **more)


@contextmanager
def _clocked(loop: VirtualLoop) -> Iterator[None]:
    """Have operators, and platforms that are simulated, read the loop's clock."""
    clock = partial(Clock, loop.millis, loop.millis)
    with pytest.MonkeyPatch.context() as patch:
        for module in (boot, following, preparing):
            patch.setattr(module, "Clock", clock)
        for module in (recovery, stories):
            patch.setattr(module, "asyncio", _Asyncio(loop))
        patch.setattr(limits, "threading", _Threading(loop))
        made: Any = SimulatedPlatform.__init__
        patch.setitem(made.__kwdefaults__, "clock", loop.nanos)
        yield


def run_virtually(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, in no time."""
    loop = VirtualLoop()
    with _clocked(loop), asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(main)


def in_virtual_time(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Have a test run in virtual time; a program or a socket is not to be waited for.

    A limit that is reached there is one that nothing came before: no machine is so
    slow, or stands still for so long, that it could be reached by chance.
    """

    @wraps(test)
    def told(*args: P.args, **means: P.kwargs) -> None:
        run_virtually(test(*args, **means))

    return told
