"""Trouble is told once each time it begins, until somebody has heard; nothing waits."""

from __future__ import annotations

from collections import Counter

import attrs
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.codec.wire import decode_fleet, encode_fleet
from orchestrator.core.commands import Command, SendNotice
from orchestrator.core.events import Booted, Event, SpecApplied, TimeReached
from orchestrator.core.invariants import violations
from orchestrator.core.notices import NoticeDelivered, NoticeFailed, Notices
from orchestrator.core.notify import NoticeKind, Notify
from orchestrator.core.outstanding import outstanding
from orchestrator.core.phases import CrashLooping, Failed, Running
from orchestrator.core.reduce import fold, reduce, step_of
from orchestrator.core.state import Fleet, empty_fleet
from orchestrator.core.wake import wake_at_fleet
from orchestrator.testing import strategies as drawn
from property_tests.test_totality import HISTORIES, in_order

EMPTY = empty_fleet("demo")


def telling(history: tuple[Event, ...], notify: Notify | None) -> tuple[Event, ...]:
    """Have all fleets of a history tell, or none."""
    return tuple(
        attrs.evolve(event, settings=attrs.evolve(event.settings, notify=notify))
        if isinstance(event, SpecApplied)
        else event
        for event in history
        if notify is not None or not isinstance(event, NoticeDelivered | NoticeFailed)
    )


ANY = st.one_of(drawn.histories(), HISTORIES.map(in_order).map(tuple))
TOLD = st.tuples(ANY, drawn.notifies()).map(lambda pair: telling(*pair))


def troubles(fleet: Fleet) -> dict[str, NoticeKind]:
    kinds = {
        CrashLooping: NoticeKind.CRASH_LOOPING,
        Failed: NoticeKind.FAILED,
    }
    return {
        name: kinds[type(container.phase)]
        for name, container in fleet.containers.items()
        if type(container.phase) in kinds
    }


@given(TOLD)
def test_each_trouble_is_told_once_and_each_recovery(
    history: tuple[Event, ...],
) -> None:
    """Said by looking at all containers after each step, without any index."""
    fleet, open_troubles = EMPTY, set[str]()
    for event in history:
        step = step_of(fleet, event)
        notify = step.after.settings.notify
        news = Counter[tuple[str, NoticeKind]]()
        was, now = troubles(fleet), troubles(step.after)
        for name, container in step.after.containers.items():
            ready = isinstance(container.phase, Running) and container.phase.ready_at
            if name in now and now[name] is not was.get(name):
                news[name, now[name]] += 1
                open_troubles.add(name)
            elif ready is not None and ready is not False and name in open_troubles:
                news[name, NoticeKind.RECOVERED] += 1
                open_troubles.remove(name)
        open_troubles &= set(step.after.containers)
        if notify is None:
            assert step.after.notices.count == fleet.notices.count
            fleet = step.after
            continue
        wanted = Counter({k: n for k, n in news.items() if k[1] in notify.events})
        before = fleet.notices.count
        made = Counter(
            (notice.name, notice.kind)
            for notice in step.after.notices.open.values()
            if notice.number > before
        )
        assert made == wanted
        assert step.after.notices.count - before == sum(wanted.values())
        sent = [one.number for one in step.commands if isinstance(one, SendNotice)]
        assert len(set(sent)) == len(sent)
        assert set(range(before + 1, step.after.notices.count + 1)) <= set(sent)
        assert violations(step) == ()
        fleet = step.after


@given(TOLD)
def test_every_notice_is_due_or_on_its_way(history: tuple[Event, ...]) -> None:
    fleet = EMPTY
    for event in history:
        fleet = reduce(fleet, event).fleet
        notices = fleet.notices
        due = {(n.due, n.number) for n in notices.open.values() if n.due is not None}
        assert set(notices.due) == due
        assert all(moment > fleet.at for moment, _ in due)
        on_their_way = [
            one.number for one in outstanding(fleet) if isinstance(one, SendNotice)
        ]
        assert (
            sorted(n.number for n in notices.open.values() if n.due is None)
            == on_their_way
        )
        assert notices.count - notices.lost >= len(notices.open)
        boots = Booted(at=fleet.at, epoch=fleet.epoch + 1, rules=2, fences=True)
        again = reduce(fleet, boots).commands
        assert [
            one.number for one in again if isinstance(one, SendNotice)
        ] == on_their_way
    assert fold(EMPTY, history) == fleet
    assert decode_fleet(encode_fleet(fleet)).unwrap() == fleet


@given(TOLD, st.data())
def test_every_notice_is_heard_or_given_up(
    history: tuple[Event, ...], data: st.DataObject
) -> None:
    """Time, and what comes of each attempt, is all that it takes."""
    fleet = fold(EMPTY, history)
    notify = fleet.settings.notify
    if notify is None:
        return
    waiting = len(fleet.notices.open)
    heard, lost = 0, fleet.notices.lost
    asked: list[Command] = [
        one for one in outstanding(fleet) if isinstance(one, SendNotice)
    ]
    for _ in range(waiting * (notify.attempts + 1) * 2 + 2):
        while asked:
            send = asked.pop()
            assert isinstance(send, SendNotice)
            assert send.attempt <= notify.attempts
            outcome: Event = NoticeFailed(at=fleet.at, number=send.number, cause="no")
            if data.draw(st.integers(0, 3)) == 0:
                outcome = NoticeDelivered(at=fleet.at, number=send.number)
                heard += 1
            fleet = reduce(fleet, outcome).fleet
        first = fleet.notices.due.first()
        if first is None:
            break
        due = wake_at_fleet(fleet)
        assert due is not None
        assert due <= first[0][0]
        moved = reduce(fleet, TimeReached(at=max(fleet.at, first[0][0])))
        fleet = moved.fleet
        asked = [one for one in moved.commands if isinstance(one, SendNotice)]
        assert asked
    assert len(fleet.notices.open) == 0
    assert heard + fleet.notices.lost - lost == waiting


@given(ANY, drawn.notifies())
def test_who_is_told_changes_nothing_else(
    history: tuple[Event, ...], notify: Notify
) -> None:
    told, quiet = EMPTY, EMPTY
    for event in telling(history, notify):
        moved = reduce(told, event)
        told = moved.fleet
        others = [one for one in moved.commands if not isinstance(one, SendNotice)]
        for same in telling((event,), None):
            silent = reduce(quiet, same)
            assert list(silent.commands) == others
            assert silent.touched == moved.touched
            quiet = silent.fleet
    settings = attrs.evolve(told.settings, notify=None)
    assert quiet.notices == Notices()
    bare = attrs.evolve(
        told, notices=Notices(), settings=settings, ignored=0, at=quiet.at
    )
    assert bare == attrs.evolve(
        quiet, ignored=0, settings=attrs.evolve(quiet.settings, notify=None)
    )
