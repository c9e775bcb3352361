"""The loop of virtual time: a thread that works holds its clock."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import pytest

from orchestrator import SimulatedPlatform
from orchestrator.runtime.limits import call_limited
from tests.runtime.virtual import (
    STUCK_S,
    VirtualLoop,
    in_virtual_time,
    run_virtually,
)

REAL_S = 0.05
"""Real time that a thread works for."""

LONG_S = 1e9
"""Of virtual time: more than any story takes, however far its clock runs."""


def the_loop() -> VirtualLoop:
    return cast("VirtualLoop", asyncio.get_running_loop())


async def passed_while_working() -> float:
    """Return how much time passed for a clock while a thread worked."""
    loop = the_loop()
    due = asyncio.ensure_future(asyncio.sleep(1.0))
    begin = loop.passed_s
    await asyncio.to_thread(time.sleep, REAL_S)
    passed = loop.passed_s - begin
    due.cancel()
    return passed


def test_time_stands_still_while_a_thread_works() -> None:
    assert run_virtually(passed_while_working()) < REAL_S


def test_a_thread_that_nobody_waits_for_any_more_is_counted_once() -> None:
    async def story() -> float:
        loop, may_end = the_loop(), threading.Event()

        is_waited_for = asyncio.Event()

        async def long() -> None:
            is_waited_for.set()
            await asyncio.sleep(LONG_S)

        def waits() -> None:
            loop.waited_for(long(), loop).result()
            may_end.wait(STUCK_S)

        waiting = asyncio.ensure_future(asyncio.to_thread(waits))
        await is_waited_for.wait()
        waiting.cancel()
        await asyncio.sleep(0)
        passed = await passed_while_working()
        may_end.set()
        return passed

    assert run_virtually(story()) < REAL_S


HOUR_S = 3_600.0


@in_virtual_time
async def test_a_test_takes_no_time_and_has_its_fixtures(tmp_path: Path) -> None:
    begin, really = the_loop().time(), time.monotonic()
    await asyncio.sleep(100 * HOUR_S)
    assert the_loop().time() - begin >= 100 * HOUR_S
    assert time.monotonic() - really < HOUR_S
    assert tmp_path.is_dir()


@in_virtual_time
async def test_a_thread_of_another_executor_holds_the_clock_too() -> None:
    loop = the_loop()
    due = asyncio.ensure_future(asyncio.sleep(1.0))
    begin = loop.passed_s
    with ThreadPoolExecutor(1) as own:
        await loop.run_in_executor(own, time.sleep, REAL_S)
    assert loop.passed_s - begin < REAL_S
    due.cancel()


@in_virtual_time
async def test_a_call_with_a_limit_is_in_time_however_long_it_works() -> None:
    assert await call_limited(time.sleep, REAL_S, limit_s=REAL_S / 10) is None


@in_virtual_time
async def test_one_that_waits_for_its_test_does_not_hold_the_clock() -> None:
    goes_on = threading.Event()
    with pytest.raises(TimeoutError):
        await call_limited(the_loop().waits, goes_on, limit_s=REAL_S)
    goes_on.set()


@in_virtual_time
async def test_a_simulated_platform_has_the_clock_of_the_loop() -> None:
    platform = SimulatedPlatform()
    begin = platform._clock()
    await asyncio.sleep(HOUR_S)
    assert platform._clock() - begin >= HOUR_S * 1e9
    assert SimulatedPlatform(clock=lambda: 7)._clock() == 7
