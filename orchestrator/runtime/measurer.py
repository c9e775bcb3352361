"""Measures services that scale by themselves, and tells the fleet their loads.

```
services that scale ─▶ which are due ─▶ one question for each metric ─▶ LoadObserved
       ▲                                                                    │
       └───────────────────────── loop ◀────────────────────────────────────┘
```

A service is measured four times in each window, at least every minute and at most
every second. Loads are rounded to three digits; one that stays the same is told again
when a quarter of the window has passed, so that it does not leave it. Nothing is
decided here, and a service that could not be measured stays as it is.

What others measure (the metric ``pushed``) comes by ``Operator.observe_load``.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Iterator, Mapping
from typing import Final

import attrs

from orchestrator.core.autoscaling import Autoscaling, Metric
from orchestrator.core.errors import ContainerError
from orchestrator.core.load_windows import LOAD_MAX_MILLI
from orchestrator.core.loads import LoadObserved
from orchestrator.core.moments import Millis
from orchestrator.core.services import Service
from orchestrator.core.steps import Step
from orchestrator.platforms.measuring import MeasuredService, Measuring
from orchestrator.platforms.port import Platform
from orchestrator.runtime.loop import Loop
from orchestrator.runtime.outcomes import settled

__all__ = ("Measurer", "every_ms", "milli_of")

LOG: Final = logging.getLogger("orchestrator.loads")

EVERY_MS: Final[tuple[Millis, Millis]] = (1_000, 60_000)
"""Between two measurements of a service: at least, and at most."""

LIMIT_S: Final = 20.0
"""How long a platform may take to measure."""

AGAIN_S: Final = 1.0
"""Before the work is taken up again after a bug of ours."""

DIGITS: Final = 3


def every_ms(policy: Autoscaling) -> Millis:
    """Return how long it is from one measurement of a service to the next."""
    least, most = EVERY_MS
    return min(max(least, policy.window_ms // 4), most)


def milli_of(load: float) -> int | None:
    """Return a load in thousandths, of three digits; None where it is none.

    >>> milli_of(412.34), milli_of(0.98765), milli_of(float("nan"))
    (412000, 988, None)

    """
    if not math.isfinite(load) or load < 0:
        return None
    milli = round(min(load, LOAD_MAX_MILLI / 1_000) * 1_000)
    unit = int(10 ** max(0, len(str(milli)) - DIGITS))
    return min((milli + unit // 2) // unit * unit, LOAD_MAX_MILLI)


@attrs.define
class _Known:
    """What was last told of a service, and when it is measured next."""

    policy: Autoscaling
    due: float
    milli: int = -1
    told: float = -math.inf


class Measurer:
    """Measures the services of a fleet, as far as its platform can."""

    def __init__(self, loop: Loop, platform: Platform) -> None:
        """Tell *loop* what *platform* measures; nothing before ``start``."""
        self._loop = loop
        self._platform = platform if isinstance(platform, Measuring) else None
        self._known: dict[str, _Known] = {}
        self._wake = asyncio.Event()
        self._work: asyncio.Task[None] | None = None
        self._in_trouble: dict[Metric, str] = {}
        self._is_closed = False

    def start(self) -> None:
        """Follow the fleet from what it is now."""
        if not self._is_closed:
            self._loop.watchers.append(self._watch)
            self._work = asyncio.ensure_future(self._go_on())

    def stop(self) -> None:
        """Measure nothing any more."""
        self._is_closed = True
        if self._watch in self._loop.watchers:
            self._loop.watchers.remove(self._watch)
        if self._work is not None:
            _ = self._work.cancel()

    async def close(self) -> None:
        """Stop, and wait until nothing is left."""
        self.stop()
        if self._work is not None:
            _ = await asyncio.gather(self._work, return_exceptions=True)

    def _watch(self, step: Step) -> None:
        if step.after.services is not step.before.services:
            self._wake.set()

    async def _go_on(self) -> None:
        while True:
            try:
                self._wake.clear()
                self._follow()
                await self._measure()
                await self._until_next()
            except Exception:
                LOG.exception("the loads of services were not measured")
                await asyncio.sleep(AGAIN_S)

    async def _until_next(self) -> None:
        at = min((known.due for known in self._known.values()), default=None)
        try:
            async with asyncio.timeout_at(at):
                _ = await self._wake.wait()
        except TimeoutError:
            return

    def _follow(self) -> None:
        """Begin with services that are to be measured now, leave others alone."""
        found = {service.name: policy for service, policy in self._measured()}
        for name in [name for name in self._known if name not in found]:
            del self._known[name]
        for name, policy in found.items():
            known = self._known.get(name)
            if known is None or known.policy != policy:
                self._known[name] = _Known(policy, due=_now())

    def _measured(self) -> Iterator[tuple[Service, Autoscaling]]:
        """Yield the services that scale by what the platform may measure."""
        for service in self._loop.fleet.services.values():
            policy = service.autoscaling
            if policy is None or policy.metric is Metric.PUSHED:
                continue
            if self._platform is not None:
                yield service, policy
            else:
                told = "this platform does not measure it: tell loads by `pushed`"
                self._trouble(policy.metric, told)

    async def _measure(self) -> None:
        """Measure what is due, all services of a metric with one question."""
        now, platform = _now(), self._platform
        if platform is None:
            return
        for metric in Metric:
            due = {
                name: known
                for name, known in self._known.items()
                if known.policy.metric is metric and known.due <= now
            }
            if due:
                found = await self._asked(platform, metric, due)
                for name, load in found.items():
                    self._tell(name, load)
            for known in due.values():
                known.due = now + every_ms(known.policy) / 1_000

    async def _asked(
        self, platform: Measuring, metric: Metric, due: Mapping[str, _Known]
    ) -> Mapping[str, float]:
        question = tuple(_those(self._loop, due))
        try:
            async with asyncio.timeout(LIMIT_S):
                answer = await settled(platform.loads(metric, question))
        except TimeoutError:
            self._trouble(metric, f"no answer within {LIMIT_S:g} s")
            return {}
        if isinstance(answer, ContainerError):
            self._trouble(metric, answer.message)
            return {}
        if self._in_trouble.pop(metric, ""):
            LOG.info("%s is measured again", metric.value)
        return answer

    def _trouble(self, metric: Metric, cause: str) -> None:
        """Say what keeps a metric from being measured: once, until it is another."""
        if self._in_trouble.get(metric) != cause:
            LOG.warning("%s is not measured: %s", metric.value, cause)
        self._in_trouble[metric] = cause

    def _tell(self, name: str, load: float) -> None:
        """Tell a load, unless it is what was told a short time ago."""
        known, milli, now = self._known.get(name), milli_of(load), _now()
        if known is None or milli is None:
            return
        is_late = now - known.told >= known.policy.window_ms / 4_000
        if milli != known.milli or is_late:
            known.milli, known.told = milli, now
            self._loop.tell(LoadObserved(at=0, service=name, load_milli=milli))


def _those(loop: Loop, names: Mapping[str, object]) -> Iterator[MeasuredService]:
    """Yield services by name, each with the containers that bear its load."""
    fleet = loop.fleet
    for name in names:
        service = fleet.services.get(name)
        if service is not None:
            own = tuple(each.name for each in loop.members.of(fleet, name))
            yield MeasuredService(name=name, template=service.template, containers=own)


def _now() -> float:
    """Return the moment of the event loop's clock, which only runs forward."""
    return asyncio.get_running_loop().time()
