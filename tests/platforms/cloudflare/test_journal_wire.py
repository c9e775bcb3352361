"""The way to a journal over a real socket: bytes as they are, every outcome a value."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import attrs
import orjson
import pytest
from returns.result import Failure, Result

from orchestrator.core.errors import (
    JournalCompacted,
    JournalConflict,
    JournalUnavailable,
    PlatformError,
    RateLimited,
    Refused,
    StaleOperator,
    TimedOut,
    Unauthorized,
    Unreachable,
)
from orchestrator.journal.durable.adapter import DurableJournal
from orchestrator.journal.port import START, Compactable, Journal, Snapshot
from orchestrator.platforms.cloudflare.journal_wire import (
    FULL,
    FleetWire,
    refusal_of,
    wire_to,
)
from orchestrator.runtime.durable import open_durable
from orchestrator.runtime.outcomes import settled
from orchestrator.testing.journals import check_compactable, check_journal
from tests.journal.durable_kit import at_once, snapshot_after
from tests.journal.opened import bad, drafts, good, head_after
from tests.platforms.cloudflare.fake_gateway import (
    FLEET,
    SECRETS,
    TOKEN,
    Fault,
    choice_of,
    serving,
)
from tests.platforms.cloudflare.fake_rest import Drop, Slow, Status, Truncate
from tests.platforms.cloudflare.keeping_gateway import KeepingGateway


@pytest.fixture(autouse=True)
def _at_once() -> Iterator[None]:
    with at_once():
        yield


def wire(url: str | None, secrets: Mapping[str, str] = SECRETS, **more: Any) -> Any:
    return wire_to(choice_of(url, **more), FLEET, secrets)


@asynccontextmanager
async def asking(fake: KeepingGateway, **more: Any) -> AsyncIterator[FleetWire]:
    async with serving(fake) as url:
        opened: FleetWire = wire(url, **more).unwrap()
        try:
            yield opened
        finally:
            await opened.close()


@asynccontextmanager
async def journal_at(
    fake: KeepingGateway, **more: Any
) -> AsyncIterator[DurableJournal]:
    async with asking(fake, **more) as opened:
        journal = DurableJournal(opened)
        journal.lead(1)
        yield journal


async def test_it_obeys_the_laws_over_a_socket() -> None:
    kept, cut = KeepingGateway(), KeepingGateway()
    async with serving(kept) as url, serving(cut) as other:

        async def open_journal() -> Journal:
            journal = DurableJournal(wire(url).unwrap())
            journal.lead(1)
            return journal

        async def open_compactable() -> Compactable:
            journal = DurableJournal(wire(other).unwrap())
            journal.lead(1)
            return journal

        await check_journal(open_journal)
        await check_compactable(open_compactable)


async def test_rows_are_handed_on_to_the_byte_whatever_is_in_them() -> None:
    """Even the token itself: a digest covers it, and who reads it may."""
    odd = attrs.evolve(drafts([1])[0], commands=orjson.dumps([TOKEN, "\u2028", "ü"]))
    async with journal_at(KeepingGateway()) as journal:
        await good(journal.append(START, (odd,)))
        (row,) = await good(journal.read(0, 9))
    assert row.commands == odd.commands


async def test_the_largest_row_and_a_large_fleet_go_through() -> None:
    text = "x" * (16 * 1_048_576 - 500)
    large = attrs.evolve(drafts([1])[0], commands=orjson.dumps([text]))
    body = orjson.dumps({"fleet": "y" * 3_000_000})
    async with journal_at(KeepingGateway(), timeout_ms=60_000) as journal:
        head = await good(journal.append(START, (large,)))
        (row,) = await good(journal.read(0, 9))
        assert row.commands == large.commands
        saved = Snapshot(seq=1, digest=head.digest, rules=1, body=body)
        await good(journal.save_snapshot(saved))
        assert await good(journal.latest_snapshot()) == saved


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Status(500, b"{}"), Unreachable),
        (Status(502, b"<html>"), Unreachable),
        (Status(302, b""), Unreachable),
        (Status(401, b"{}"), Unauthorized),
        (Status(413, b"{}"), Refused),
        (Status(429, b"{}", (("Retry-After", "1"),)), RateLimited),
        (Drop(after=False), Unreachable),
        (Drop(after=True), Unreachable),
        (Truncate(), Unreachable),
        (Slow(30.0), TimedOut),
    ],
)
async def test_every_outcome_is_a_value(
    fault: Fault, expected: type[PlatformError]
) -> None:
    fake = KeepingGateway()
    fake.journal_faults.append(fault)
    limit_ms = 500 if isinstance(fault, Slow) else 60_000
    async with asking(fake, timeout_ms=limit_ms) as opened:
        told = orjson.dumps({"epoch": 1, "seq": 1})
        answered = await opened.call("POST", "journal/base", body=told)
    assert isinstance(answered, Failure)
    assert isinstance(answered.failure(), expected)


async def test_what_was_lost_on_the_way_is_made_once() -> None:
    fake = KeepingGateway()
    async with journal_at(fake) as journal:
        fake.journal_faults.extend([Drop(after=True), Truncate()])
        assert await good(journal.append(START, drafts([1, 2]))) == head_after(2)
        fake.journal_faults.extend([Status(503, b"{}")] * 3)
        error = await bad(journal.append(head_after(2), drafts([3])))
        assert isinstance(error, JournalUnavailable)
        assert error.in_doubt
        assert await good(journal.append(head_after(2), drafts([3]))) == head_after(3)
        fake.journal_faults.extend([Drop(after=True), Truncate(), Drop(after=False)])
        await good(journal.save_snapshot(snapshot_after(2)))
        assert await good(journal.latest_snapshot()) == snapshot_after(2)
    assert fake.archive.head["seq"] == 3


def refusal(code: str, **details: Any) -> bytes:
    return orjson.dumps({"code": code, "message": "m", "details": details})


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (
            refusal("journal_conflict", expected_seq=1, found_seq=2, digest="00"),
            JournalConflict(expected_seq=1, found_seq=2),
        ),
        (
            refusal("journal_compacted", asked=1, base=2),
            JournalCompacted(asked=1, base=2),
        ),
        (refusal("journal_full"), FULL),
        (refusal("journal_conflict"), None),
        (refusal("journal_compacted", asked="1", base=2), None),
        (refusal("stale_operator", epoch=1, highest=2), None),
        (b"[]", None),
        (b"", None),
    ],
)
def test_what_a_refusal_says_of_the_journal(told: bytes, expected: object) -> None:
    assert refusal_of(told) == expected


async def test_who_was_replaced_is_told_and_a_wrong_token_says_nothing_of_itself() -> (
    None
):
    fake = KeepingGateway(epoch=5)
    async with journal_at(fake) as journal:
        stale = await bad(journal.append(START, drafts([1])))
        assert stale == StaleOperator(epoch=1, highest=5)
    fake = KeepingGateway()
    async with asking(fake, secrets={"GATEWAY_TOKEN": "another-" + TOKEN}) as denied:
        answered: Result[bytes, Any] = await denied.call("GET", "journal")
    assert isinstance(answered.failure(), Unauthorized)
    assert TOKEN not in repr(answered)


async def test_a_program_opens_it_and_is_told_what_is_in_the_way() -> None:
    fake = KeepingGateway()
    async with serving(fake) as url:
        journal = await settled(open_durable(choice_of(url), FLEET, SECRETS))
        assert isinstance(journal, DurableJournal)
        assert await good(journal.head()) == START
        await good(journal.close())
        fake.journal_faults.extend([Status(503, b"{}")] * 3)
        lost = await settled(open_durable(choice_of(url), FLEET, SECRETS))
        assert isinstance(lost, JournalUnavailable)
        denied = await settled(open_durable(choice_of(url), FLEET, {"OTHER": "x"}))
        assert denied == Unauthorized(cause="the secret GATEWAY_TOKEN is not set")


def test_without_an_address_or_a_token_there_is_no_way() -> None:
    assert isinstance(wire(None).failure(), Refused)
    missing = wire("https://gateway.example", {}).failure()
    assert missing == Unauthorized(cause="the secret GATEWAY_TOKEN is not set")
