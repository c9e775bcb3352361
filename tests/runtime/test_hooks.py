"""Hooks are told in order, at most once, and can break nothing."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import cast

import attrs
import pytest

from orchestrator.core.events import Event
from orchestrator.core.explain import ContainerInfo
from orchestrator.runtime import hooks as hooks_module
from orchestrator.runtime import limits
from orchestrator.runtime.hooks import Hooks
from orchestrator.runtime.limits import call_limited
from tests.runtime.kit import LIMIT_MS, NEVER, FullJournal, fleet, opened, spec, value
from tests.runtime.virtual import VirtualLoop, in_virtual_time


class Told:
    def __init__(self) -> None:
        self.calls: list[tuple[str, str, int]] = []

    def on_start(self, info: ContainerInfo, event: Event) -> None:
        del event
        self.calls.append(("start", info.name, info.run))

    async def on_stop(self, info: ContainerInfo, event: Event) -> None:
        del event
        await asyncio.sleep(0)
        self.calls.append(("stop", info.name, info.run))

    def on_error(self, info: ContainerInfo, event: Event) -> None:
        del event
        self.calls.append(("error", info.name, info.run))


@in_virtual_time
async def test_hooks_are_told_in_order_and_never_again() -> None:
    told, journal = Told(), FullJournal()
    declared = fleet(spec("web"), spec("dead", NEVER))
    async with opened(declared, hooks=told, journal=journal) as kit:
        await value(kit.operator.wait("web", limit_ms=LIMIT_MS))
        await kit.container("dead", "failed")
        await value(kit.operator.stop_container("web"))
        await value(kit.operator.wait("web", "stopped", limit_ms=LIMIT_MS))
    assert [call for call in told.calls if call[1] == "web"] == [
        ("start", "web", 1),
        ("stop", "web", 1),
    ]
    assert ("error", "dead", 1) in told.calls
    again = Told()
    async with opened(declared, hooks=again, journal=journal):
        pass
    assert again.calls == []


@in_virtual_time
async def test_what_a_policy_judges_to_be_well_is_no_error() -> None:
    told = Told()
    lenient = attrs.evolve(NEVER, success_codes=(1,))
    declared = fleet(spec("dead", lenient), spec("doomed", NEVER))
    async with opened(declared, hooks=told) as kit:
        await kit.container("dead", "completed")
        await kit.container("doomed", "failed")
    assert ("stop", "dead", 1) in told.calls
    assert ("error", "doomed", 1) in told.calls


@in_virtual_time
async def test_a_hook_that_throws_or_hangs_is_reported_and_nothing_else(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = cast("VirtualLoop", asyncio.get_running_loop())
    goes_on = threading.Event()

    class Bad:
        def on_start(self, info: ContainerInfo, event: Event) -> None:
            if info.name == "web":
                raise ValueError("hunter2")
            loop.waits(goes_on)

    monkeypatch.setattr(hooks_module.Hooks.__init__, "__defaults__", (0.02,))
    async with opened(fleet(spec("web"), spec("other")), hooks=Bad()) as kit:
        await value(kit.operator.converge(limit_ms=LIMIT_MS, steady_ms=0))
        for _ in range(500):
            if kit.operator.hook_failures == 2:
                break
            await asyncio.sleep(0.01)
        goes_on.set()
    assert "on_start failed for web: ValueError" in caplog.text
    assert "on_start failed for other: TimeoutError" in caplog.text
    assert "hunter2" not in caplog.text


@in_virtual_time
async def test_too_many_waiting_calls_are_dropped_and_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hooks_module, "WAITING_MAX", 1)
    async with opened(fleet(spec("web"))) as kit:
        await value(kit.operator.converge(limit_ms=LIMIT_MS, steady_ms=0))
        (info,) = kit.operator.infos()
        started = next(
            record.event
            for record in await value(kit.operator.events())
            if type(record.event).__name__ == "ContainerStarted"
        )
        told = Told()
        hooks = Hooks(told)
        for _ in range(4):
            hooks.call("on_start", started, info)
        await hooks.close()
        assert (len(told.calls), hooks.failures) == (1, 3)


async def test_threads_that_hang_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_free", threading.BoundedSemaphore(1))
    goes_on = threading.Event()
    try:
        with pytest.raises(TimeoutError):
            await call_limited(goes_on.wait, limit_s=0.01)
        with pytest.raises(TimeoutError, match="have not returned"):
            await call_limited(time.sleep, 0, limit_s=60)
    finally:
        goes_on.set()


@in_virtual_time
async def test_hooks_that_hang_do_not_hold_up_the_end() -> None:
    class Hanging:
        async def on_start(self, info: ContainerInfo, event: Event) -> None:
            await asyncio.sleep(3_600)

    async with opened(fleet(spec("web"))) as kit:
        await value(kit.operator.converge(limit_ms=LIMIT_MS, steady_ms=0))
        (info,) = kit.operator.infos()
        started = next(
            record.event
            for record in await value(kit.operator.events())
            if type(record.event).__name__ == "ContainerStarted"
        )
    hooks = Hooks(Hanging(), limit_s=0.05)
    for _ in range(100):
        hooks.call("on_start", started, info)
    await hooks.close()
    assert hooks.failures >= 98
