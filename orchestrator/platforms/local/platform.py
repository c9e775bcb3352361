"""The local platform: the adapter of the port over shims on this machine.

The marks in the folders of the runs are the truth; the pipe of hints only says where
to look, and a look at every living shim now and then finds what no hint told.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

import attrs
from returns.future import FutureResult
from returns.result import Failure, Result, Success

from orchestrator.core.errors import PlatformError, Unreachable
from orchestrator.core.events import ContainerEnded, LifecycleEvent
from orchestrator.core.exits import Stopped
from orchestrator.core.observations import Observation
from orchestrator.core.specs import ContainerSpec
from orchestrator.platforms.details import details_of
from orchestrator.platforms.local.asking import Asking
from orchestrator.platforms.local.folders import Folders
from orchestrator.platforms.local.logs import follow_log
from orchestrator.platforms.local.orders import Orders
from orchestrator.platforms.local.records import RunRecord, news_of, read_run
from orchestrator.platforms.local.shim.marks import now_ms
from orchestrator.platforms.local.spawn import is_alive, make_pipe
from orchestrator.platforms.port import (
    Accepted,
    Attachment,
    DestroyOrder,
    ForgetOrder,
    LogLine,
    Order,
    PlatformDetail,
    Question,
    Reply,
    StopOrder,
)

__all__ = ("LocalPlatform",)

T = TypeVar("T")

LOG_MAX_BYTES: Final = 1_048_576
THREADS: Final = 8
LOOK_S: Final = 2.0
"""Between two looks at the living shims: one that was killed leaves no hint."""


@attrs.frozen(kw_only=True)
class _Told:
    """How much of a run was told."""

    run: int
    count: int
    ended: bool


class LocalPlatform:
    """Containers as processes of this machine, below one folder."""

    def __init__(self, root: Path, *, log_max_bytes: int = LOG_MAX_BYTES) -> None:
        """Keep everything below *root*; a log holds *log_max_bytes*, twice."""
        self._folders = Folders(root.absolute())
        self._orders = Orders(self._folders, log_max_bytes)
        self._asking = Asking(self._folders.root, self._orders.live)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="local")
        self._news: asyncio.Queue[str | LifecycleEvent] = asyncio.Queue()
        self._told: dict[str, _Told] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def attach(self, after: int) -> FutureResult[Attachment, PlatformError]:
        """Take over: every earlier operator is stale from now on."""
        return self._call(lambda: self._orders.attach(after))

    def ports(
        self, spec: ContainerSpec
    ) -> FutureResult[Mapping[str, int], PlatformError]:
        """Give each port of the container a loopback port of its own, and keep it."""
        return self._call(lambda: Success(self._orders.ports(spec)))

    def perform(self, order: Order) -> FutureResult[Accepted, PlatformError]:
        """Carry out an order; the answer is that it was accepted."""

        def follow_up(accepted: Accepted) -> Accepted:
            self._follow_up(order)
            return accepted

        return self._call(lambda: self._orders.perform(order)).map(follow_up)

    def observe(self) -> FutureResult[Observation, PlatformError]:
        """Look at the newest run of every container."""
        return self._call(lambda: Success(self._orders.observe()))

    def probe(self, question: Question) -> FutureResult[Reply, PlatformError]:
        """Ask one container one question, once, within its timeout."""
        return FutureResult(self._asking.ask(question))

    async def events(self, after: str) -> AsyncIterator[LifecycleEvent]:
        """Tell what the newest run of each container has come to, then what changes.

        There is no cursor: what was told before is told again.
        """
        del after
        self._told.clear()
        hints = await self._in_thread(self._open_hints)
        loop = asyncio.get_running_loop()
        loop.add_reader(hints, self._hear, hints)
        try:
            for name in await self._in_thread(self._folders.names):
                self._news.put_nowait(name)
            while True:
                for event in await self._next():
                    yield event
        finally:
            loop.remove_reader(hints)
            os.close(hints)

    async def acknowledge(self, cursor: str) -> None:
        """Keep the marks: they are what is told again."""

    def details(self) -> FutureResult[tuple[PlatformDetail, ...], PlatformError]:
        """Tell what the marks in the folders say."""
        return self.observe().map(details_of)

    def log(self, name: str, *, follow: bool) -> AsyncIterator[LogLine]:
        """Yield what a container said, and go on with what it says."""
        return follow_log(self._folders.log(name), follow=follow)

    async def detach(self) -> None:
        """Let go of the threads; containers go on."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._asking.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _call(
        self, work: Callable[[], Result[T, PlatformError]]
    ) -> FutureResult[T, PlatformError]:
        def guarded() -> Result[T, PlatformError]:
            try:
                return work()
            except OSError as error:
                return Failure(Unreachable(cause=str(error)))

        async def called() -> Result[T, PlatformError]:
            return await self._in_thread(guarded)

        return FutureResult(called())

    def _follow_up(self, order: Order) -> None:
        """See to what must follow an order although nobody waits for it."""
        if isinstance(order, ForgetOrder):
            self._told.pop(order.name, None)
            return
        self._news.put_nowait(order.name)
        if isinstance(order, StopOrder | DestroyOrder):
            self._tell_if_gone(order)
        if isinstance(order, DestroyOrder):
            task = asyncio.ensure_future(self._see_destroyed(order))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _tell_if_gone(self, order: StopOrder | DestroyOrder) -> None:
        """Tell the end of a run that is not here; one that is tells it itself."""
        if not self._folders.run(order.name, order.run).exists():
            end = ContainerEnded(
                at=now_ms(), name=order.name, run=order.run, exit=Stopped()
            )
            self._news.put_nowait(end)

    async def _see_destroyed(self, order: DestroyOrder) -> None:
        with contextlib.suppress(OSError):
            await self._in_thread(lambda: self._orders.destroy(order.name, order.run))
        self._news.put_nowait(order.name)

    # News

    def _open_hints(self) -> int:
        make_pipe(self._folders.hints)
        return os.open(self._folders.hints, os.O_RDWR | os.O_NONBLOCK)

    def _hear(self, hints: int) -> None:
        with contextlib.suppress(BlockingIOError):
            heard = os.read(hints, 65_536).decode(errors="replace")
            for name in dict.fromkeys(heard.split()):
                self._news.put_nowait(name)

    async def _next(self) -> tuple[LifecycleEvent, ...]:
        """Wait for a hint and tell what it is about; with none, look around."""
        try:
            async with asyncio.timeout(LOOK_S):
                hint = await self._news.get()
        except TimeoutError:
            for name in await self._in_thread(self._silent):
                self._news.put_nowait(name)
            return ()
        if not isinstance(hint, str):
            return (hint,)
        try:
            record = await self._in_thread(lambda: self._orders.newest(hint))
        except OSError:  # the next look at the platform says what is wrong
            return ()
        return () if record is None else self._untold(record)

    def _untold(self, record: RunRecord) -> tuple[LifecycleEvent, ...]:
        news = news_of(record)
        told = self._told.get(record.name)
        ended = record.exit is not None
        self._told[record.name] = _Told(run=record.run, count=len(news), ended=ended)
        return news if told is None or told.run != record.run else news[told.count :]

    def _silent(self) -> list[str]:
        """List the containers whose end was not told although no shim holds them."""
        return [
            name
            for name, told in list(self._told.items())
            if not told.ended
            and not is_alive(self._folders.run(name, told.run))
            and read_run(self._folders, name, told.run).shim is not None
        ]
