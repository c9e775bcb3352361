"""Requests that are made at most once: the tickets that came with them, remembered.

Whoever does not know whether a request has arrived makes it again, with the ticket of
the first time. What is remembered is part of the fleet and came with the event of the
request itself, so no crash comes between the two: a repeat is known for what it is
``KEPT_MS`` long, or until ``KEPT_MAX`` others came after the first.

A *key* names one wish of one caller; the *digest* names what was wished. The same key
with another digest is a mistake of the caller's, and refused.
"""

from __future__ import annotations

from typing import Final, cast

import attrs

from orchestrator.core.evolving import quick
from orchestrator.core.fields import holds
from orchestrator.core.moments import Millis, Moment
from orchestrator.core.table import Table

__all__ = (
    "KEPT_MAX",
    "KEPT_MS",
    "Ticket",
    "Tickets",
    "Used",
    "is_ticket_key",
    "remembered",
    "use_of",
)

KEPT_MAX: Final = 1_024
"""Tickets that are remembered, the newest."""

KEPT_MS: Final[Millis] = 86_400_000
"""A day: how long a ticket is remembered."""

KEY_MAX: Final = 128
"""Letters of a key, and of a digest."""


def is_ticket_key(value: object) -> bool:
    """Say whether a value can be a key: 1 to 128 visible ASCII letters.

    >>> is_ticket_key("order-7"), is_ticket_key("a b"), is_ticket_key("")
    (True, False, False)

    """
    return (
        isinstance(value, str)
        and 0 < len(value) <= KEY_MAX
        and value.isascii()
        and value.isprintable()
        and " " not in value
    )


_visible = holds(is_ticket_key, "1 to 128 visible letters of ASCII")


@attrs.frozen(kw_only=True)
class Ticket:
    """What a request is known by: the caller's *key*, a *digest* of what is asked.

    >>> Ticket(key="order 7", digest="00")
    Traceback (most recent call last):
    ValueError: key: expected 1 to 128 visible letters of ASCII, found 'order 7'

    """

    key: str = attrs.field(validator=_visible)
    digest: str = attrs.field(validator=_visible)


@quick
@attrs.frozen(kw_only=True, weakref_slot=False)
class Used:
    """When a ticket was used first, and for what; ``number`` counts all that were."""

    digest: str
    at: Moment
    number: int


@quick
@attrs.frozen(kw_only=True, weakref_slot=False)
class Tickets:
    """The tickets that are remembered, by their keys, and in the order of their use."""

    used: Table[str, Used] = Table()
    order: Table[tuple[int, str], None] = Table()
    count: int = 0


def use_of(tickets: Tickets, key: str, at: Moment) -> Used | None:
    """Return the first use of a key, as it is remembered at a moment.

    >>> known = remembered(Tickets(), Ticket(key="order-7", digest="00"), 5)
    >>> use_of(known, "order-7", 6)
    Used(digest='00', at=5, number=1)
    >>> use_of(known, "order-7", 5 + KEPT_MS) is None
    True

    """
    used = tickets.used.get(key)
    return None if used is None or used.at + KEPT_MS <= at else used


def remembered(tickets: Tickets, ticket: Ticket, at: Moment) -> Tickets:
    """Return the tickets with one more; the oldest are forgotten where it is time."""
    used, order, number = tickets.used, tickets.order, tickets.count + 1
    before = used.get(ticket.key)
    if before is not None:
        order = order.drop((before.number, ticket.key))
    used = used.put(ticket.key, Used(digest=ticket.digest, at=at, number=number))
    order = order.put((number, ticket.key), None)
    # The one just put is young, and ends it at last.
    while True:
        (_, key), _ = cast("tuple[tuple[int, str], None]", order.first())
        if len(order) <= KEPT_MAX and at < used[key].at + KEPT_MS:
            return Tickets(used=used, order=order, count=number)
        order = order.drop((used[key].number, key))
        used = used.drop(key)
