"""The laws of the platform port: what every adapter, ours or a user's, must obey.

``check_platform`` is given a platform without containers and a spec that it can run
until it is stopped; ``check_takeover`` two adapters of one place, as two operators
have them. A law that is broken raises ``AssertionError``. What may be asked of a
container, and what it may answer, is said in ``testing.questions``.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

import attrs
from returns.future import FutureResult
from returns.io import IOFailure, IOResult, IOSuccess

from orchestrator.core.errors import PlatformError, StaleOperator, StaleRun
from orchestrator.core.events import (
    ContainerEnded,
    ContainerReady,
    ContainerStarted,
    LifecycleEvent,
)
from orchestrator.core.fingerprints import fingerprint
from orchestrator.core.observations import Observation, SeenEnded, SeenRunning, Sighting
from orchestrator.core.specs import ContainerSpec
from orchestrator.platforms.port import (
    Accepted,
    Attachment,
    DestroyOrder,
    ForgetOrder,
    Platform,
    StartOrder,
    StopOrder,
    StreamRefused,
)
from orchestrator.testing.questions import Asker

__all__ = ("Listener", "check_platform", "check_takeover", "start_order")

T = TypeVar("T")

WAIT_S: Final = 60.0
"""For a platform to tell what it must; a limit, never a measurement."""

ACCEPTED: Final[IOResult[Accepted, PlatformError]] = IOSuccess(Accepted())


class Listener:
    """Collects what a platform tells, and waits for what it must tell."""

    def __init__(self, platform: Platform, after: str = "") -> None:
        """Listen from the beginning, or after a cursor."""
        self.told: list[LifecycleEvent] = []
        self.refused: PlatformError | None = None
        self._more = asyncio.Event()
        self._task = asyncio.ensure_future(self._listen(platform, after))

    async def _listen(self, platform: Platform, after: str) -> None:
        try:
            async for event in platform.events(after):
                self.told.append(event)
                self._more.set()
        except StreamRefused as refused:
            self.refused = refused.error

    @property
    def cursor(self) -> str:
        """Return the place after what was told last."""
        return next((e.cursor for e in reversed(self.told) if e.cursor), "")

    async def wait(self, what: str, has_come: Callable[[LifecycleEvent], bool]) -> None:
        """Wait for an event, also one that was told before."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WAIT_S):
                while not any(map(has_come, self.told)):
                    self._more.clear()
                    await self._more.wait()
                return
        raise AssertionError(f"{what}: expected within {WAIT_S} s, told {self.told}")

    def follow(self, platform: Platform, after: str) -> None:
        """Listen anew, after a cursor; what was told before is forgotten."""
        self.told.clear()
        self._task = asyncio.ensure_future(self._listen(platform, after))

    async def close(self) -> None:
        """Listen no more."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task


def start_order(
    spec: ContainerSpec, run: int, epoch: int, ports: Iterable[tuple[str, int]] = ()
) -> StartOrder:
    """Return the order that starts a run of a spec that has nothing to fill."""
    return StartOrder(
        name=spec.name,
        run=run,
        epoch=epoch,
        revision=1,
        fingerprint=fingerprint(spec),
        spec=spec,
        command=spec.command,
        env={},
        ports=dict(ports),
    )


async def check_platform(platform: Platform, spec: ContainerSpec) -> None:
    """Hold a platform, empty at first, to the laws of the port."""
    old = await _value(platform.attach(0))
    granted = await _value(platform.attach(old.epoch + 7))
    if not granted.epoch > old.epoch + 7:
        raise AssertionError(f"an epoch is higher than the one before: {granted}")
    listener = Listener(platform)
    try:
        await _starts_once(platform, spec, listener, granted)
        asker = _asker(platform, spec, listener, granted)
        await asker.holds_what_runs()
        await _refuses_what_is_stale(platform, spec, old, granted)
        await _stops(platform, spec, listener, granted)
        await asker.holds_what_is_gone()
        await _goes_on_from_a_cursor(platform, listener, granted)
        await _destroys_and_forgets(platform, spec, listener, granted)
    finally:
        await listener.close()
        await platform.detach()


async def check_takeover(old: Platform, new: Platform, spec: ContainerSpec) -> None:
    """Hold two adapters of one place, without containers, to the laws of taking over.

    The newer operator has what runs, without a restart; the older one is refused.
    """
    first = await _value(old.attach(0))
    listener = Listener(old)
    try:
        ports = (await _value(old.ports(spec))).items()
        order = start_order(spec, 1, first.epoch, ports)
        _holds("a start is accepted", await old.perform(order), ACCEPTED)
        await listener.wait("ready", _is(ContainerReady, 1))
        second = await _value(new.attach(first.epoch))
        if second.epoch <= first.epoch:
            raise AssertionError(f"the newer epoch is higher: {first}, {second}")
        stale = IOFailure(StaleOperator(epoch=first.epoch, highest=second.epoch))
        again = attrs.evolve(order, run=2)
        _holds("the older operator is refused", await old.perform(again), stale)
        seen = await _seen(new, spec)
        if seen is None or (seen.run, type(seen.sight)) != (1, SeenRunning):
            raise AssertionError(f"the newer one sees what runs: found {seen}")
        await listener.close()
        listener.follow(new, "")
        destroy = DestroyOrder(name=spec.name, run=1, epoch=second.epoch)
        _holds("the newer one is obeyed", await new.perform(destroy), ACCEPTED)
        await listener.wait("ended", _is(ContainerEnded, 1))
    finally:
        await listener.close()
        await old.detach()
        await new.detach()


async def _starts_once(
    platform: Platform, spec: ContainerSpec, listener: Listener, granted: Attachment
) -> None:
    ports = await _value(platform.ports(spec))
    _holds("the ports stay", await platform.ports(spec), IOSuccess(ports))
    order = start_order(spec, 3, granted.epoch, ports.items())
    _holds("a start is accepted", await platform.perform(order), ACCEPTED)
    _holds("the same start again does nothing", await platform.perform(order), ACCEPTED)
    await listener.wait("started", _is(ContainerStarted, 3))
    await listener.wait("ready", _is(ContainerReady, 3))
    seen = await _seen(platform, spec)
    if seen is None or seen.run != order.run or not isinstance(seen.sight, SeenRunning):
        raise AssertionError(f"what runs is seen: found {seen}")
    if seen.fingerprint != order.fingerprint or not seen.sight.ready:
        raise AssertionError(f"what is seen says what it is: found {seen}")
    told = await _value(platform.details())
    if [(one.name, one.run) for one in told] != [(spec.name, order.run)]:
        raise AssertionError(f"details tell of what runs: found {told}")


def _asker(
    platform: Platform, spec: ContainerSpec, listener: Listener, granted: Attachment
) -> Asker:
    ready = (event for event in listener.told if isinstance(event, ContainerReady))
    addresses = dict(next(ready).addresses.items())
    epoch = granted.epoch
    return Asker(platform=platform, spec=spec, run=3, epoch=epoch, addresses=addresses)


async def _refuses_what_is_stale(
    platform: Platform, spec: ContainerSpec, old: Attachment, granted: Attachment
) -> None:
    ports = (await _value(platform.ports(spec))).items()
    _holds(
        "a lower run is refused",
        await platform.perform(start_order(spec, 2, granted.epoch, ports)),
        IOFailure(StaleRun(name=spec.name, run=2, highest=3)),
    )
    _holds(
        "a lower epoch is refused",
        await platform.perform(start_order(spec, 4, old.epoch, ports)),
        IOFailure(StaleOperator(epoch=old.epoch, highest=granted.epoch)),
    )


async def _stops(
    platform: Platform, spec: ContainerSpec, listener: Listener, granted: Attachment
) -> None:
    order = StopOrder(
        name=spec.name, run=3, epoch=granted.epoch, signal="TERM", grace_ms=2_000
    )
    _holds("a stop is accepted", await platform.perform(order), ACCEPTED)
    await listener.wait("ended", _is(ContainerEnded, 3))
    seen = await _seen(platform, spec)
    if seen is None or not isinstance(seen.sight, SeenEnded):
        raise AssertionError(f"an end is seen: found {seen}")
    _holds("a second stop is accepted", await platform.perform(order), ACCEPTED)
    unknown = attrs.evolve(order, name="nobody-knows", run=7)
    _holds("so is one of nothing", await platform.perform(unknown), ACCEPTED)
    await listener.wait("what is not there has ended", _is(ContainerEnded, 7))


async def _goes_on_from_a_cursor(
    platform: Platform, listener: Listener, granted: Attachment
) -> None:
    """Acknowledge what was told; what comes after it must be told all the same."""
    cursor = listener.cursor
    await platform.acknowledge(cursor)
    await platform.acknowledge(cursor)
    stop = StopOrder(
        name="nobody-knows", run=9, epoch=granted.epoch, signal="TERM", grace_ms=0
    )
    _holds("a stop of nothing is accepted", await platform.perform(stop), ACCEPTED)
    await listener.wait("it has ended", _is(ContainerEnded, 9))
    await listener.close()
    listener.follow(platform, cursor)
    if cursor:  # a platform without cursors may forget what it told about nothing
        await listener.wait("what came after the cursor", _is(ContainerEnded, 9))


async def _destroys_and_forgets(
    platform: Platform, spec: ContainerSpec, listener: Listener, granted: Attachment
) -> None:
    epoch = granted.epoch
    ports = await _value(platform.ports(spec))
    fourth = start_order(spec, 4, epoch, ports.items())
    _holds("the next run starts", await platform.perform(fourth), ACCEPTED)
    await listener.wait("started again", _is(ContainerStarted, 4))
    fifth = attrs.evolve(fourth, run=5)
    _holds("a higher run replaces", await platform.perform(fifth), ACCEPTED)
    await listener.wait("the higher run starts", _is(ContainerStarted, 5))
    destroy = DestroyOrder(name=spec.name, run=5, epoch=epoch)
    _holds("a kill is accepted", await platform.perform(destroy), ACCEPTED)
    await listener.wait("killed", _is(ContainerEnded, 5))
    forget = ForgetOrder(name=spec.name, run=5, epoch=epoch)
    _holds("what rests is forgotten", await platform.perform(forget), ACCEPTED)
    _holds("and again", await platform.perform(forget), ACCEPTED)
    if (seen := await _seen(platform, spec)) is not None:
        raise AssertionError(f"what was forgotten is not seen: found {seen}")


async def _seen(platform: Platform, spec: ContainerSpec) -> Sighting | None:
    look: Observation = await _value(platform.observe())
    if not look.complete:
        raise AssertionError("a look without faults is complete")
    return next((seen for seen in look.sightings if seen.name == spec.name), None)


def _is(kind: type[LifecycleEvent], run: int) -> Callable[[LifecycleEvent], bool]:
    return lambda event: isinstance(event, kind) and event.run == run


async def _value(answer: FutureResult[T, PlatformError]) -> T:
    """Return what was answered; a platform without faults refuses nothing here."""
    found: list[T] = []
    outcome = (await answer).map(found.append)
    if not found:
        raise AssertionError(f"expected an answer, found {outcome}")
    return found[0]


def _holds(
    law: str,
    found: IOResult[Accepted, PlatformError] | IOResult[object, PlatformError],
    expected: IOResult[object, PlatformError],
) -> None:
    if found != expected:
        raise AssertionError(f"{law}: expected {expected}, found {found}")
