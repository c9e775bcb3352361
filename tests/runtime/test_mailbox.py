"""What has come to the loop waits in its order, and is taken a commit at a time."""

from __future__ import annotations

import asyncio

import pytest

from orchestrator.core.events import TimeReached
from orchestrator.core.requests import Reconcile
from orchestrator.core.state import empty_fleet
from orchestrator.runtime import mailbox as module
from orchestrator.runtime.mailbox import BATCH_MAX, Mailbox
from orchestrator.runtime.steps import Ask, Asked, Happened, Item


def fact(number: int) -> Happened:
    return Happened(event=TimeReached(at=number, name="web"))


def filled(count: int) -> tuple[Mailbox, list[Item]]:
    box, items = Mailbox(), [fact(number) for number in range(count)]
    for item in items:
        box.put(item)
    return box, list(items)


async def test_items_are_taken_in_their_order_as_many_as_a_commit_holds() -> None:
    box, items = filled(BATCH_MAX + 2)
    assert box.take() == items[:BATCH_MAX]
    assert [*box] == items[BATCH_MAX:]
    assert box.take() == items[BATCH_MAX:]
    assert (box.take(), len(box)) == ([], 0)


async def test_facts_of_a_batch_come_back_before_all_others_and_requests_do_not() -> (
    None
):
    box, items = filled(4)
    asking = asyncio.ensure_future(box.ask(Reconcile()))
    await asyncio.sleep(0)
    taken, later = box.take(), fact(9)
    (asked,) = [item for item in taken if isinstance(item, Ask)]
    box.put(later)
    box.give_back(taken)
    assert [*box] == [*items, later]
    answer = Asked(fleet=empty_fleet("demo"), at=0, seq=1)
    asked.answer.set_result(answer)
    assert await asking == answer


async def test_what_can_wait_waits_while_there_is_no_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "FACTS_MAX", 2)
    box, seen = Mailbox(), list[bool]()
    for number in range(3):
        box.put(fact(number))
        seen.append(box.has_room)
    _ = box.take()
    assert [*seen, box.has_room] == [True, False, False, True]


async def test_whoever_puts_something_in_wakes_the_loop() -> None:
    box = Mailbox()
    await box.wait(0.0)  # nobody does: the time is over
    waiting = asyncio.ensure_future(box.wait(None))
    await asyncio.sleep(0)
    assert not waiting.done()
    box.put(fact(1))
    await waiting
    await box.wait(None)  # it was stirred, and has not been calm since
    box.calm()
    waiting = asyncio.ensure_future(box.wait(None))
    await asyncio.sleep(0)
    assert not waiting.done()
    box.stir()
    await waiting
