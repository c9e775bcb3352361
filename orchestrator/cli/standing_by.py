"""``up --standby``: waiting to lead, leading, and waiting again once another one leads.

```
standing by ──nobody leads──▶ leading ──the end──▶ leave, and release the lease
     ▲                           │
     └── another one leads, or ◀─┘
         the gateway is out of reach
```

The door stays open all the while: who asks is answered by whatever this process is.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import Any, Final

import attrs

from orchestrator.api.seat import Seat
from orchestrator.cli.failing import Failed, failed
from orchestrator.cli.opening import means_of
from orchestrator.cli.plain import cleaned
from orchestrator.cli.reloading import reloaded
from orchestrator.cli.said import (
    WENT_DOWN,
    say_goodbye,
    told_what_was_found,
    told_who_leads,
)
from orchestrator.cli.session import Session
from orchestrator.cli.tools import parsed_file
from orchestrator.core.errors import (
    ContainerError,
    JournalConflict,
    JournalUnavailable,
    LeaseHeld,
    OperatorClosed,
    RateLimited,
    StaleOperator,
    TimedOut,
    Unreachable,
)
from orchestrator.runtime.operator import Operator
from orchestrator.runtime.outcomes import settled
from orchestrator.runtime.standby import Standby

__all__ = (
    "Ending",
    "begin_to_stand_by",
    "stand_by",
)

TERMINATED: Final = 128 + signal.SIGTERM
"""The exit code by which a supervisor knows that nobody has brought the fleet down."""

AGAIN_S: Final = 0.2
"""Between a lead that has ended and the next time that one is asked for."""

_PASSING: Final = (
    JournalConflict,
    LeaseHeld,
    RateLimited,
    StaleOperator,
    TimedOut,
    Unreachable,
)
"""What ends a lead, and not the process: another one leads, or nobody can be asked."""


@attrs.frozen(eq=False)
class Ending:
    """What ends a session: ``end``; ``again`` asks for its file to be read again.

    ``went_down`` holds something once all is down; ``signals`` what this process was
    sent to end it.
    """

    end: asyncio.Event = attrs.field(factory=asyncio.Event)
    again: asyncio.Event = attrs.field(factory=asyncio.Event)
    went_down: list[bool] = attrs.field(factory=list)
    signals: list[int] = attrs.field(factory=list)

    def down(self) -> None:
        """Take note that all is down, and end."""
        self.went_down.append(True)
        self.end.set()

    def signalled(self, number: int) -> None:
        """Take note of a signal, and end."""
        self.signals.append(number)
        self.end.set()

    def code(self, found: int, *, is_supervised: bool) -> int:
        """Return the exit code, where *found* is that of what was shown.

        Whoever starts this process again must leave a fleet down that was brought
        down: so it is told by another code that the process alone was ended.
        """
        if found or self.went_down or not is_supervised:
            return found
        return TERMINATED if signal.SIGTERM in self.signals else found


async def begin_to_stand_by(session: Session, more: dict[str, Any]) -> Standby:
    """Follow the fleet of a session, or fail as the command does."""
    file = session.file
    means = await means_of(
        session.state, file.spec.name, file.platform, file.journal.kind, **more
    )
    standby = await settled(Standby.start(file.spec, **means))
    if not isinstance(standby, Standby):
        raise failed(standby)
    return standby


async def stand_by(
    session: Session,
    standby: Standby,
    seat: Seat,
    ending: Ending,
    more: dict[str, Any],
) -> int:
    """Stand by and lead by turns, until the end; return the exit code."""
    say = session.telling.say
    while True:
        standby.on_change(seat.give_to)
        async with told_who_leads(standby, more["lease"].holder, say):
            found = await _until_leading(session, standby, ending)
        if found is None:
            say("the standby has ended; whoever leads goes on")
            return 0
        if isinstance(found, OperatorClosed):
            say("the fleet was brought down: the standby ends")
            ending.down()
            return 0
        if isinstance(found, Operator):
            seat.give_to(found)
            say(f"leading, under epoch {found.leadership.epoch}")
            why = await _led(session, found, ending)
            if why is None:
                if ending.went_down:
                    say(WENT_DOWN)
                return 0
        else:
            why = found
        if not _passes(why):
            raise failed(why)
        say(cleaned(f"standing by again: {why.message}"))
        standby = await _after(session, seat.operator, more)
        seat.give_to(standby.operator)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(AGAIN_S):
                await ending.end.wait()


async def _until_leading(
    session: Session, standby: Standby, ending: Ending
) -> Operator | ContainerError | None:
    """Wait until the standby leads, or cannot; None: the end has come before."""
    leading = asyncio.ensure_future(settled(standby.lead()))
    end = asyncio.ensure_future(ending.end.wait())
    try:
        while not (leading.done() or end.done()):
            again = asyncio.ensure_future(ending.again.wait())
            await asyncio.wait(
                {leading, end, again}, return_when=asyncio.FIRST_COMPLETED
            )
            again.cancel()
            if ending.again.is_set():
                ending.again.clear()
                await asyncio.to_thread(_read_again, session, standby)
        if standby.is_taking_over:
            await asyncio.wait([leading])
        if leading.done():
            return leading.result()
    finally:
        end.cancel()
        leading.cancel()
    await asyncio.wait([leading])
    await standby.close()
    return None


def _read_again(session: Session, standby: Standby) -> None:
    """Read the file again: what it says takes effect when the standby leads."""
    path, say = session.path, session.telling.say
    if path is None:
        return
    try:
        file = parsed_file(path)
    except Failed as error:
        say(cleaned(f"{path} is not taken: {error.message}"))
        return
    if file.spec.name != session.file.spec.name:
        say(cleaned(f"{path} is not taken: it is of another fleet"))
        return
    standby.declare(file.spec)
    say(cleaned(f"{path} was read again: it is declared when this one leads"))


async def _led(
    session: Session, operator: Operator, ending: Ending
) -> ContainerError | None:
    """Lead until the end, or until that is over; return why, None for the end."""
    over = asyncio.Event()
    ended = asyncio.ensure_future(operator.ended())
    end = asyncio.ensure_future(ending.end.wait())
    for each in (ended, end):
        each.add_done_callback(lambda _: over.set())
    try:
        async with (
            reloaded(session.reloading(operator), ending.again, watch=session.watch),
            told_what_was_found(operator, session.telling.say),
        ):
            _ = await session.show(operator, over)
        why = ended.result() if ended.done() else None
    finally:
        for each in (ended, end):
            each.cancel()
        await operator.close()
    if why is None and not ending.went_down:
        say_goodbye(operator, session.state)
    return why


async def _after(session: Session, operator: Operator, more: dict[str, Any]) -> Standby:
    """Follow on from where an operator had to stand down."""
    file = session.file
    means = await means_of(
        session.state,
        file.spec.name,
        file.platform,
        file.journal.kind,
        is_known=True,
        **more,
    )
    return Standby.after(operator, file.spec, more["lease"], means)


def _passes(error: ContainerError) -> bool:
    """Say whether a standby goes on after an error: it may pass by itself."""
    if isinstance(error, JournalUnavailable):
        return error.retryable
    return isinstance(error, _PASSING)
