"""When a health check is asked: one heap, a bounded number of questions at once.

```
what the loop did ─▶ checks that are due ─▶ heap ─▶ ask (bounded) ─▶ tally ─┐
                        ▲                    └──── next period ◀────────────┤
                        └──── loop ◀──── HealthChanged ◀── another verdict ─┘
```

The prober follows the fleet: a check is asked while ``core.tallies.due_checks`` says
so, of the run and revision that it was begun for. When one of them changes, a question
under way is given up. Only another verdict is told, so a fleet that is well writes
nothing. Tallies are kept in memory: after a boot they begin again from the verdicts
that the record holds.

A question is asked every ``period_ms`` from the start of the one before, never two of
one check at once. The first comes ``initial_delay_ms`` after its check became due, a
little later for each container by its salt, so that thousands do not come at once.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
from collections.abc import Iterable
from functools import partial
from typing import Final

import attrs

from orchestrator.core.events import HealthChanged
from orchestrator.core.health import CheckKind, HealthCheck
from orchestrator.core.moments import Millis
from orchestrator.core.phases import Running, live_run
from orchestrator.core.state import Container
from orchestrator.core.steps import Step
from orchestrator.core.tallies import Tally, begin, count, due_checks
from orchestrator.runtime.asker import Asker, Heard
from orchestrator.runtime.followers import by_pieces
from orchestrator.runtime.loop import Loop

__all__ = ("Prober",)

LOG: Final = logging.getLogger("orchestrator.health")

SPREAD_MS: Final[Millis] = 1_000
"""Over which first questions are spread, or a period where that is shorter."""

BOOT_SPREAD_MS: Final[Millis] = 10_000
"""The same after a boot, when the checks of a whole fleet become due at once."""

AGAIN_S: Final = 1.0
"""Before the work is taken up again after a bug of ours."""


@attrs.define(kw_only=True, eq=False)
class _Asking:
    """A check that is being asked, of one run of one revision."""

    name: str
    kind: CheckKind
    run: int
    revision: int
    check: HealthCheck
    tally: Tally
    task: asyncio.Task[None] | None = None
    is_over: bool = False
    is_reported: bool = False

    def is_about(self, container: Container) -> bool:
        """Say whether this is still the check of that container."""
        return (
            self.run == live_run(container.phase)
            and self.revision == container.revision
            and self.check == container.spec.health.get(self.kind)
        )


class Prober:
    """Asks the health checks of a fleet."""

    def __init__(self, loop: Loop, asker: Asker, at_once: int) -> None:
        """Ask at most *at_once* questions at a time; nothing before ``start``."""
        self._loop = loop
        self._asker = asker
        self._at_once = at_once
        self._known: dict[str, dict[CheckKind, _Asking]] = {}
        self._heap: list[tuple[float, int, _Asking]] = []
        self._number = itertools.count()
        self._under_way: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._work: asyncio.Task[None] | None = None
        self._is_closed = False

    def start(self) -> None:
        """Follow the fleet from what it is now."""
        if self._is_closed:
            return
        self._loop.followers.append(self._follow)
        self._work = asyncio.ensure_future(self._go_on())

    def stop(self) -> None:
        """Ask nothing any more, and give up what is under way."""
        self._is_closed = True
        if self._follow in self._loop.followers:
            self._loop.followers.remove(self._follow)
        for task in (*self._under_way, *([self._work] if self._work else ())):
            task.cancel()

    async def close(self) -> None:
        """Stop, and wait until nothing is left."""
        self.stop()
        left = (*self._under_way, *([self._work] if self._work else ()))
        await asyncio.gather(*left, return_exceptions=True)

    # What is asked

    def _follow(self, _: int, __: Step, names: Iterable[str]) -> None:
        self._refresh_all(SPREAD_MS, names)

    def _refresh_all(self, spread_ms: Millis, names: Iterable[str]) -> None:
        try:
            for name in names:
                self._refresh(name, spread_ms)
        except Exception:  # a bug here must not end the loop
            LOG.exception("the health checks have lost track")

    def _refresh(self, name: str, spread_ms: Millis) -> None:
        """Begin what has become due for a container, end what is not any more."""
        container = self._loop.fleet.containers.get(name)
        due = () if container is None else due_checks(container)
        known = self._known.get(name, {})
        for kind, asking in list(known.items()):
            if container is None or kind not in due or not asking.is_about(container):
                del known[kind]
                _end(asking)
        for kind in due:
            if container is not None and kind not in known:
                known[kind] = self._begun(container, kind, spread_ms)
        if known:
            self._known[name] = known
        else:
            self._known.pop(name, None)

    def _begun(
        self, container: Container, kind: CheckKind, spread_ms: Millis
    ) -> _Asking:
        check, phase = container.spec.health.get(kind), container.phase
        if check is None or not isinstance(phase, Running):  # pragma: no cover
            raise AssertionError("a check that is due is one of a running container")
        asking = _Asking(
            name=container.name,
            kind=kind,
            run=phase.run,
            revision=container.revision,
            check=check,
            tally=begin(kind, phase),
        )
        since = phase.ready_at
        elapsed_ms = 0 if since is None else self._loop.now() - since
        wait_ms = max(0, check.initial_delay_ms - elapsed_ms)
        wait_ms += container.salt % min(check.period_ms, spread_ms)
        self._push(asking, _now() + wait_ms / 1_000)
        return asking

    def _push(self, asking: _Asking, at: float) -> None:
        heapq.heappush(self._heap, (at, next(self._number), asking))
        self._wake.set()

    # Asking

    async def _go_on(self) -> None:
        everybody = tuple(self._loop.fleet.containers)
        await by_pieces(everybody, partial(self._refresh_all, BOOT_SPREAD_MS))
        while True:
            try:
                await self._until_next()
                self._ask_what_is_due()
            except Exception:
                LOG.exception("the health checks were interrupted")
                await asyncio.sleep(AGAIN_S)

    async def _until_next(self) -> None:
        """Wait until a question is due, and there is room to ask it."""
        self._wake.clear()
        at = None
        if self._heap and len(self._under_way) < self._at_once:
            at = self._heap[0][0]
        try:
            async with asyncio.timeout_at(at):
                await self._wake.wait()
        except TimeoutError:
            return

    def _ask_what_is_due(self) -> None:
        now = _now()
        while (
            self._heap
            and self._heap[0][0] <= now
            and len(self._under_way) < self._at_once
        ):
            asking = heapq.heappop(self._heap)[2]
            if asking.is_over:
                continue
            asking.task = asyncio.ensure_future(self._ask(asking))
            self._under_way.add(asking.task)
            asking.task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._wake.set()

    async def _ask(self, asking: _Asking) -> None:
        """Ask once, and have it asked again a period after this began."""
        next_at = _now() + asking.check.period_ms / 1_000
        try:
            fleet = self._loop.fleet
            container = fleet.containers.get(asking.name)
            if container is None or not asking.is_about(container):
                return  # a row says so whose containers are followed just now
            heard = await self._asker.ask(fleet, container, asking.kind, asking.check)
            self._count(asking, heard)
        except Exception:
            LOG.exception(
                "%s: its %s check", asking.name, asking.kind, extra=_about(asking)
            )
        asking.task = None
        if not asking.is_over:
            self._push(asking, max(next_at, _now()))

    def _count(self, asking: _Asking, heard: Heard) -> None:
        """Count an answer; tell the fleet if the verdict is another one now."""
        if heard.in_vain and not asking.is_reported:
            LOG.warning(
                "%s: its %s check: %s",
                *(asking.name, asking.kind, heard.detail),
                extra=_about(asking),
            )
        asking.is_reported = heard.in_vain
        before = asking.tally.passing
        asking.tally = count(asking.check, asking.tally, heard.answer)
        passing = asking.tally.passing
        if passing is None or passing is before or asking.is_over:
            return
        self._loop.tell(
            HealthChanged(
                at=0,
                name=asking.name,
                run=asking.run,
                check=asking.kind,
                passing=passing,
                cause=heard.detail,
            )
        )


def _about(asking: _Asking) -> dict[str, str | int]:
    """Return what a line of the log is about."""
    return {"container": asking.name, "run": asking.run}


def _end(asking: _Asking) -> None:
    asking.is_over = True
    if asking.task is not None:
        asking.task.cancel()


def _now() -> float:
    """Return the moment of the event loop's clock, which only runs forward."""
    return asyncio.get_running_loop().time()
