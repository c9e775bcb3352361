"""What is news of a container, and when a notice is sent again."""

from __future__ import annotations

import attrs
import pytest

from orchestrator.core.backoff import Backoff, backoff_wait
from orchestrator.core.notices import Notices
from orchestrator.core.noticing import delivered, failed, kind_of, noticed, sent
from orchestrator.core.notify import NoticeKind, Notify
from orchestrator.core.state import Container
from orchestrator.core.table import Table
from tests.core.examples import spec
from tests.core.test_notices import NEVER, loops, told

AT = 5_000
NOTIFY = Notify(url="https://receiver.invalid/hook", backoff=Backoff(jitter=0.5))
LOOPING = loops(told()).container()
FAILED = told(spec(policy=NEVER)).accepted().started().ended().container()
STARTING = told().accepted().container()
READY = told().accepted().ready().container()


@pytest.mark.parametrize(
    ("before", "after", "was_troubled", "expected"),
    [
        (None, LOOPING, False, NoticeKind.CRASH_LOOPING),
        (None, FAILED, False, NoticeKind.FAILED),
        (STARTING, LOOPING, True, NoticeKind.CRASH_LOOPING),
        (LOOPING, LOOPING, True, None),
        (FAILED, FAILED, False, None),
        (LOOPING, FAILED, True, NoticeKind.FAILED),
        (FAILED, LOOPING, True, NoticeKind.CRASH_LOOPING),
        (None, READY, False, None),
        (STARTING, READY, False, None),
        (STARTING, READY, True, NoticeKind.RECOVERED),
        (None, READY, True, NoticeKind.RECOVERED),
        (STARTING, STARTING, True, None),
    ],
)
def test_trouble_is_news_as_it_begins_and_readiness_after_it(
    before: Container | None,
    after: Container,
    was_troubled: bool,  # noqa: FBT001 - a column
    expected: NoticeKind | None,
) -> None:
    assert kind_of(before, after, was_troubled=was_troubled) is expected


def test_one_that_goes_hides_no_trouble_of_another() -> None:
    before = Notices(troubled=Table.of([("gone", None)]))
    changes = [("gone", FAILED, None), ("other", FAILED, None), ("web", None, LOOPING)]
    after = noticed(before, NOTIFY, changes, AT, 1)
    assert list(after.troubled) == ["web"]
    assert [notice.name for notice in after.open.values()] == ["web"]


def test_trouble_that_goes_on_is_told_once() -> None:
    before = noticed(Notices(), NOTIFY, [("web", STARTING, LOOPING)], AT, 1)
    after = noticed(before, NOTIFY, [("web", LOOPING, LOOPING)], AT + 1, 1)
    assert (before.count, after) == (1, before)


def test_a_notice_is_due_at_once_and_on_its_way_when_it_is_sent() -> None:
    new = noticed(Notices(), NOTIFY, [("web", None, LOOPING)], AT, 1)
    assert (new.open["1"].due, list(new.due)) == (AT, [(AT, 1)])
    assert delivered(new, 1) == new
    assert failed(new, NOTIFY, 1, AT) == new
    assert sent(new, AT - 1) == (new, ())
    going, orders = sent(new, AT)
    assert (going.open["1"].due, list(going.due), len(orders)) == (None, [], 1)
    assert not len(delivered(going, 1).open)


@pytest.mark.parametrize(("number", "epoch"), [(1, 1), (2, 1), (1, 7)])
def test_each_notice_waits_by_its_own_number_and_operator(
    number: int, epoch: int
) -> None:
    begun = attrs.evolve(Notices(), count=number - 1)
    new = noticed(begun, NOTIFY, [("web", None, LOOPING)], AT, epoch)
    going, _ = sent(new, AT)
    again = failed(going, NOTIFY, number, AT + 10)
    wait = backoff_wait(NOTIFY.backoff, 1, salt=number, revision=epoch)
    assert again.open[str(number)].due == AT + 10 + wait
    assert list(again.due) == [(AT + 10 + wait, number)]
