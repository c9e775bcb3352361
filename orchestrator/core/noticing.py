"""When trouble is noticed, when a notice is sent, and when it is given up.

| a container | is told as |
|---|---|
| enters ``crash_looping`` | ``crash_looping``, each time |
| enters ``failed`` | ``failed`` |
| is ready, the first time after one of these | ``recovered`` |
| a rollout is done, reverted or held | ``rollout_finished`` |

Entering is judged from before a step to after it: what came and went within one step
never was. Sending is no more than a command, given when a notice is due; it holds up
nothing, and nothing waits for what comes of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from orchestrator.core.backoff import backoff_wait
from orchestrator.core.commands import SendNotice
from orchestrator.core.evolving import evolve
from orchestrator.core.moments import Moment
from orchestrator.core.notices import NOTICES_MAX, Notice, Notices
from orchestrator.core.notify import NoticeKind, Notify
from orchestrator.core.phases import CrashLooping, Failed, Phase, Rule, Running
from orchestrator.core.state import Container

__all__ = (
    "Change",
    "delivered",
    "failed",
    "given_again",
    "kind_of",
    "noticed",
    "sent",
    "silenced",
    "told_of_rollout",
)

Change: TypeAlias = tuple[str, Container | None, Container | None]
"""A name, what the container was before a step, and what it is after it."""


def kind_of(
    before: Container | None, after: Container, *, was_troubled: bool
) -> NoticeKind | None:
    """Say what a step of a container is to be told as; None: it is no news."""
    trouble = _trouble(after.phase)
    if trouble is not None:
        is_new = before is None or _trouble(before.phase) is not trouble
        return trouble if is_new else None
    match after.phase:
        case Running(ready_at=int()) if was_troubled:
            return NoticeKind.RECOVERED
        case _:
            return None


def _trouble(phase: Phase) -> NoticeKind | None:
    match phase:
        case CrashLooping():
            return NoticeKind.CRASH_LOOPING
        case Failed():
            return NoticeKind.FAILED
        case _:
            return None


def noticed(
    notices: Notices, notify: Notify, changes: Iterable[Change], at: Moment, epoch: int
) -> Notices:
    """Return the notices with those of a step."""
    for name, before, after in changes:
        was_troubled = name in notices.troubled
        if after is None:
            if was_troubled:
                notices = _calm(notices, name)
            continue
        kind = kind_of(before, after, was_troubled=was_troubled)
        if kind is NoticeKind.RECOVERED:
            notices = _calm(notices, name)
        elif kind is not None and not was_troubled:
            notices = evolve(notices, troubled=notices.troubled.put(name, None))
        if kind is not None and kind in notify.events:
            notices = _with(notices, _notice(notices, kind, after, at, epoch))
    return notices


def _calm(notices: Notices, name: str) -> Notices:
    return evolve(notices, troubled=notices.troubled.drop(name))


def _notice(
    notices: Notices, kind: NoticeKind, about: Container, at: Moment, epoch: int
) -> Notice:
    rule: Rule | None = getattr(about.phase, "rule", None)
    last = None if kind is NoticeKind.RECOVERED else about.last
    return Notice(
        number=notices.count + 1,
        kind=kind,
        name=about.name,
        run=about.run,
        at=at,
        epoch=epoch,
        rule=rule,
        exit=None if last is None else last.exit,
        due=at,
    )


def _with(notices: Notices, notice: Notice) -> Notices:
    if len(notices.open) >= NOTICES_MAX:
        return evolve(notices, count=notice.number, lost=notices.lost + 1)
    return evolve(
        notices,
        open=notices.open.put(str(notice.number), notice),
        due=notices.due.put((notice.at, notice.number), None),
        count=notice.number,
    )


def told_of_rollout(
    notices: Notices, notify: Notify, told: tuple[str, str], at: Moment, epoch: int
) -> Notices:
    """Return the notices with that of a rollout: its service, and how it ended."""
    service, why = told
    if NoticeKind.ROLLOUT_FINISHED not in notify.events:
        return notices
    notice = Notice(
        number=notices.count + 1,
        kind=NoticeKind.ROLLOUT_FINISHED,
        name=service,
        run=0,
        at=at,
        epoch=epoch,
        due=at,
        why=why,
    )
    return _with(notices, notice)


def sent(notices: Notices, at: Moment) -> tuple[Notices, tuple[SendNotice, ...]]:
    """Send what is due at a moment."""
    waiting, due = notices.open, notices.due
    commands: list[SendNotice] = []
    while (first := due.first()) is not None and first[0][0] <= at:
        (moment, number), _ = first
        due = due.drop((moment, number))
        notice = waiting[str(number)]
        waiting = waiting.put(str(number), evolve(notice, due=None))
        commands.append(SendNotice(number=number, attempt=notice.failed + 1))
    if not commands:
        return notices, ()
    return evolve(notices, open=waiting, due=due), tuple(commands)


def given_again(notices: Notices) -> tuple[SendNotice, ...]:
    """Return what was on its way when an operator ended, to be sent once more."""
    numbers = sorted(
        (notice.number, notice.failed + 1)
        for notice in notices.open.values()
        if notice.due is None
    )
    return tuple(
        SendNotice(number=number, attempt=attempt) for number, attempt in numbers
    )


def delivered(notices: Notices, number: int) -> Notices:
    """Return the notices without one that has arrived."""
    notice = notices.open.get(str(number))
    if notice is None or notice.due is not None:
        return notices
    return evolve(notices, open=notices.open.drop(str(number)))


def failed(notices: Notices, notify: Notify, number: int, at: Moment) -> Notices:
    """Have one that has not arrived wait for its next attempt, or give it up."""
    notice = notices.open.get(str(number))
    if notice is None or notice.due is not None:
        return notices
    failures = notice.failed + 1
    if failures >= notify.attempts:
        rest = notices.open.drop(str(number))
        return evolve(notices, open=rest, lost=notices.lost + 1)
    wait = backoff_wait(notify.backoff, failures, salt=number, revision=notice.epoch)
    again = evolve(notice, failed=failures, due=at + wait)
    return evolve(
        notices,
        open=notices.open.put(str(number), again),
        due=notices.due.put((at + wait, number), None),
    )


def silenced(notices: Notices) -> Notices:
    """Return the notices of a fleet that tells nobody any more."""
    lost = notices.lost + len(notices.open)
    return Notices(count=notices.count, lost=lost)
