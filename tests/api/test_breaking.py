"""What lasts and is broken off: by whom, and what else was to end it."""

from __future__ import annotations

import asyncio

import pytest

from orchestrator.api.breaking import Breakable, Broken


async def for_ever() -> None:
    await asyncio.Event().wait()


async def begun(work: Breakable[str], about: str) -> asyncio.Task[None]:
    task = asyncio.ensure_future(work.lasting(about, for_ever()))
    await asyncio.sleep(0)
    return task


async def test_only_that_is_broken_off_of_which_it_is_so() -> None:
    work: Breakable[str] = Breakable()
    gone, kept = await begun(work, "gone"), await begun(work, "kept")
    work.break_off(lambda about: about == "gone")
    with pytest.raises(Broken):
        await gone
    assert not kept.done()
    assert len(work) == 1
    kept.cancel()
    with pytest.raises(asyncio.CancelledError):
        await kept
    assert not len(work)


async def test_what_is_over_in_the_same_moment_is_not_broken_off() -> None:
    work: Breakable[str] = Breakable()
    is_over = asyncio.Event()
    task = asyncio.ensure_future(work.lasting("one", is_over.wait()))
    await asyncio.sleep(0)
    is_over.set()
    work.break_off(lambda _: True)  # which takes effect in the next turn
    assert await task
    assert task.cancelling() == 0


async def test_the_task_goes_on_after_what_was_broken_off() -> None:
    work: Breakable[str] = Breakable()

    async def patient() -> str:
        with pytest.raises(Broken):
            await work.lasting("first", for_ever())
        await asyncio.sleep(0)
        return await work.lasting("second", asyncio.sleep(0, "answered"))

    task = asyncio.ensure_future(patient())
    await asyncio.sleep(0)
    work.break_off(lambda _: True)
    work.break_off(lambda _: True)  # twice is not more than once
    assert await task == "answered"


async def test_of_two_that_are_nested_the_outer_may_be_broken_off_alone() -> None:
    outer: Breakable[str] = Breakable()
    inner: Breakable[str] = Breakable()
    seen: list[str] = []

    async def within() -> None:
        try:
            await inner.lasting("inner", for_ever())
        except Broken:
            seen.append("inner")
            raise

    for which, told in ((outer, []), (inner, ["inner"])):
        seen.clear()
        task = asyncio.ensure_future(outer.lasting("outer", within()))
        await asyncio.sleep(0)
        which.break_off(lambda _: True)
        with pytest.raises(Broken):
            await task
        assert seen == told


async def test_who_is_cancelled_as_well_stays_cancelled() -> None:
    work: Breakable[str] = Breakable()
    task = await begun(work, "one")
    work.break_off(lambda _: True)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()
