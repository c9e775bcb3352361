"""Notices of trouble, until they are delivered or given up.

A notice is part of the fleet: that it is to be sent was decided with the event that
made it, and is as durable. It is *due* at a moment, then on its way until an event
says what came of that. ``core.noticing`` decides all this.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import attrs

from orchestrator.core.evolving import quick
from orchestrator.core.exits import Exit
from orchestrator.core.fields import LATER
from orchestrator.core.moments import Moment
from orchestrator.core.notify import NoticeKind
from orchestrator.core.phases import Rule
from orchestrator.core.table import Table

__all__ = (
    "NOTICES_MAX",
    "Notice",
    "NoticeDelivered",
    "NoticeEvent",
    "NoticeFailed",
    "Notices",
    "delivery_of",
)

NOTICES_MAX: Final = 10_000
"""Notices that are kept; while there are so many, further ones are given up at once."""


@quick
@attrs.frozen(kw_only=True, weakref_slot=False)
class Notice:
    """What is to be told of one container, as it was when it came to be so.

    ``epoch`` is that of the operator who noticed. ``failed`` counts the attempts that
    failed; ``due`` is when it is sent next, None while it is on its way. One of a
    rollout has the name of its service and run 0, and ``why`` says how it ended.
    """

    number: int
    kind: NoticeKind
    name: str
    run: int
    at: Moment
    epoch: int
    rule: Rule | None = None
    exit: Exit | None = None
    failed: int = 0
    due: Moment | None = None
    why: str = attrs.field(default="", metadata=LATER)


@quick
@attrs.frozen(kw_only=True, weakref_slot=False)
class Notices:
    """The notices that are not delivered yet, and what they are noticed by.

    ``open`` has them by their numbers, ``due`` is the order in which they are sent.
    ``troubled``: names of which trouble was seen, and no recovery since. ``count``
    numbers all that ever were, ``lost`` counts those that were given up.
    """

    open: Table[str, Notice] = Table()
    due: Table[tuple[Moment, int], None] = Table()
    troubled: Table[str, None] = Table()
    count: int = 0
    lost: int = 0


@attrs.frozen(kw_only=True, weakref_slot=False)
class NoticeDelivered:
    """The receiver has taken a notice."""

    at: Moment
    number: int


@attrs.frozen(kw_only=True, weakref_slot=False)
class NoticeFailed:
    """The receiver has not taken a notice, as far as anybody knows."""

    at: Moment
    number: int
    cause: str


NoticeEvent: TypeAlias = NoticeDelivered | NoticeFailed
"""What came of a notice that was sent."""


def delivery_of(fleet: str, notice: Notice) -> str:
    """Name a notice, the same at each attempt, so that a receiver can drop repeats.

    >>> heard = Notice(
    ...     number=7, kind=NoticeKind.FAILED, name="web", run=3, at=5, epoch=2
    ... )
    >>> delivery_of("demo", heard)
    'demo-2-7'

    """
    return f"{fleet}-{notice.epoch}-{notice.number}"
