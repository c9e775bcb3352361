"""The loop of virtual time: a thread that works holds its clock."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import cast

from tests.runtime.virtual import STUCK_S, VirtualLoop, run_virtually

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
