"""The lease: one holder at a time, until it runs out or is released."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest

from orchestrator.journal.port import START
from tests.platforms.cloudflare.gateway.kit import Gateway, Reply, until
from tests.platforms.cloudflare.gateway.rows import Journal, following, head_of

LONG = 600_000
QUARTER = LONG // 4
SHORT = 10_000
"""It runs out while a test waits, and not before it has said something of it."""

FIELDS = {"epoch", "holder", "since", "ms", "expires_in_ms"}


@pytest.fixture
def journal(scripted: Gateway) -> Journal:
    return Journal(scripted)


def wish(holder: str = "a", ms: int = LONG) -> dict[str, Any]:
    return {"holder": holder, "ms": ms}


async def led(journal: Journal, holder: str = "a", ms: int = LONG) -> dict[str, Any]:
    """Attach with a lease, and return it."""
    answer = await journal.attach(lease=wish(holder, ms))
    assert answer.status == 200, answer
    lease: dict[str, Any] = answer.body["lease"]
    assert set(lease) == FIELDS
    assert lease["epoch"] == journal.epoch
    assert (lease["holder"], lease["ms"]) == (holder, ms)
    return lease


async def leader(journal: Journal) -> Any:
    answer = await journal.gateway.get("lease")
    assert answer.status == 200
    return answer.body


async def nobody(journal: Journal) -> bool:
    return bool(await leader(journal) == {"holder": None, "epoch": journal.epoch})


async def renew(journal: Journal) -> Reply:
    return await journal.gateway.post("lease", "renew", epoch=journal.epoch)


async def release(journal: Journal) -> Reply:
    return await journal.gateway.post("lease", "release", epoch=journal.epoch)


def assert_held(answer: Reply, lease: dict[str, Any]) -> None:
    """Assert that a call was refused because somebody has this lease."""
    assert (answer.status, answer.code) == (409, "lease_held"), answer
    details = answer.body["details"]
    assert set(details) == FIELDS
    assert 0 < details["expires_in_ms"] <= lease["ms"]
    assert {**details, "expires_in_ms": 0} == {**lease, "expires_in_ms": 0}


def assert_stale(answer: Reply, epoch: int, highest: int) -> None:
    assert (answer.status, answer.code) == (409, "stale_operator"), answer
    assert answer.body["details"] == {"epoch": epoch, "highest": highest}


# Held


async def test_before_the_first_operator_nobody_leads(journal: Journal) -> None:
    assert await leader(journal) == {"holder": None, "epoch": 0}


async def test_who_asks_for_no_lease_has_none(journal: Journal) -> None:
    answer = await journal.attach()
    assert answer.body["lease"] is None
    assert await nobody(journal)
    assert_stale(await renew(journal), journal.epoch, journal.epoch)
    first = journal.epoch
    assert (await journal.attach()).status == 200  # and keeps nobody out
    assert journal.epoch > first


async def test_a_lease_says_who_leads_since_when_and_how_long(
    journal: Journal,
) -> None:
    about = (await journal.gateway.ask("GET", "/v1/about")).body["now"]
    lease = await led(journal, "host-1/0123abcd", 1_000_000 - 400_000)
    assert 0 <= lease["since"] - about < 60_000
    assert lease["expires_in_ms"] == LONG
    seen = await leader(journal)
    assert {**seen, "expires_in_ms": LONG} == lease
    assert LONG - 60_000 < seen["expires_in_ms"] <= LONG
    assert (await journal.read()).lease["holder"] == "host-1/0123abcd"
    answer = await journal.put_rows(START, following(START, 1))
    assert answer.body["lease"]["holder"] == "host-1/0123abcd"


async def test_while_it_is_in_force_nobody_else_attaches(journal: Journal) -> None:
    lease = await led(journal)
    other = attrs.evolve(journal)
    for more in ({}, {"lease": None}, {"lease": wish("b")}, {"lease": wish("A")}):
        assert_held(await other.attach(**more), lease)
    assert (await journal.put_rows(START, ())).status == 200  # its epoch is the newest
    # Its own holder may: it may not have heard the answer.
    again = await led(journal)
    assert again["epoch"] > lease["epoch"]


async def test_of_operators_at_once_one_leads(journal: Journal) -> None:
    rivals = [attrs.evolve(journal) for _ in range(12)]
    answers = await asyncio.gather(
        *(one.attach(lease=wish(f"host-{at}")) for at, one in enumerate(rivals))
    )
    (won,) = [answer for answer in answers if answer.status == 200]
    for answer in answers:
        assert (
            answer is won
            or answer.body["details"]["holder"] == (won.body["lease"]["holder"])
        )
    assert (await leader(journal))["epoch"] == won.body["epoch"]


# Over


async def test_who_releases_it_lets_another_in_at_once(journal: Journal) -> None:
    await led(journal)
    first = attrs.evolve(journal)
    for _ in range(2):
        answer = await release(journal)
        assert (answer.status, answer.body) == (200, {})
        assert await nobody(journal)
    # Its epoch is still the newest, and it has no lease: it is to stand down.
    assert (await journal.put_rows(START, ())).body["lease"] is None
    assert_stale(await renew(journal), journal.epoch, journal.epoch)
    assert await nobody(journal)
    await led(journal, "b")
    assert_stale(await renew(first), first.epoch, journal.epoch)
    assert_stale(await release(first), first.epoch, journal.epoch)
    assert (await leader(journal))["holder"] == "b"


async def test_one_that_ran_out_is_nobodys(journal: Journal) -> None:
    await led(journal, ms=SHORT)
    other = attrs.evolve(journal)
    assert (await other.attach(lease=wish("b"))).code == "lease_held"

    async def is_nobodys() -> bool:
        return await nobody(journal)

    await until("it runs out", is_nobodys)
    assert (await journal.read()).lease is None
    lease = await led(other, "b")
    assert lease["epoch"] > journal.epoch
    assert_stale(await renew(journal), journal.epoch, other.epoch)


async def test_one_that_ran_out_and_that_nobody_took_is_renewed(
    journal: Journal,
) -> None:
    lease = await led(journal)
    await journal.gateway.registry("age", LONG)
    assert await nobody(journal)
    answer = await renew(journal)
    assert answer.status == 200
    assert {**answer.body, "expires_in_ms": LONG} == lease
    other = attrs.evolve(journal)
    assert_held(await other.attach(lease=wish("b")), lease)


async def test_an_epoch_that_nobody_granted_ends_it(journal: Journal) -> None:
    # It is from an operator that remembers more than the registry.
    await led(journal)
    old = attrs.evolve(journal)
    journal.epoch += 5
    assert (await journal.put_rows(START, ())).body["lease"] is None
    assert await nobody(journal)
    assert_stale(await renew(old), old.epoch, journal.epoch)


# Renewed


Call = Callable[[Journal], Awaitable[Reply]]
OTHERS: dict[str, tuple[int, Call]] = {
    # calls that show the newest epoch, and what they answer
    "renew": (200, renew),
    "append": (200, lambda it: it.put_rows(START, ())),
    "a conflict": (409, lambda it: it.put_rows(head_of(following(START, 2)), ())),
    "a part": (200, lambda it: it.put_part(1, 0, b"{}")),
    "a snapshot": (409, lambda it: it.keep(START, b"{}")),
    "a base": (404, lambda it: it.begin_behind(1)),
    "a start": (202, lambda it: it.gateway.start("a")),
    "a stop": (202, lambda it: it.gateway.stop("a")),
    "a batch": (200, lambda it: it.gateway.post("batch", orders=[forget(it)])),
    "a look": (200, lambda it: it.gateway.get("containers", epoch=it.epoch)),
    "loads": (200, lambda it: it.gateway.get("loads", epoch=it.epoch)),
    "news": (200, lambda it: it.gateway.get("events", epoch=it.epoch)),
    "questions": (200, lambda it: it.gateway.post("probe", questions=[asked(it)])),
}
SILENT: dict[str, tuple[int, Call]] = {
    # calls that show none, or an older one
    "lease": (200, lambda it: it.gateway.get("lease")),
    "journal": (200, lambda it: it.gateway.get("journal")),
    "rows": (200, lambda it: it.gateway.get("journal", "rows")),
    "a look of anybody": (200, lambda it: it.gateway.get("containers")),
    "news for anybody": (200, lambda it: it.gateway.get("events")),
    "a stale renewal": (409, lambda it: renew(stale(it))),
    "a stale append": (409, lambda it: stale(it).put_rows(START, ())),
    "a stale look": (409, lambda it: it.gateway.get("containers", epoch=it.epoch - 1)),
}


def forget(journal: Journal) -> dict[str, Any]:
    return {"op": "forget", "name": "a", "run": 1, "epoch": journal.epoch}


def asked(journal: Journal) -> dict[str, Any]:
    return {"name": "a", "port": 80, "run": 1, "epoch": journal.epoch}


def stale(journal: Journal) -> Journal:
    return attrs.evolve(journal, epoch=journal.epoch - 1)


@pytest.mark.parametrize("case", OTHERS)
async def test_every_call_of_the_newest_operator_renews_it(
    journal: Journal, case: str
) -> None:
    await led(journal)
    status, call = OTHERS[case]
    await journal.gateway.registry("age", 300_000)
    assert (await leader(journal))["expires_in_ms"] <= LONG - 300_000
    assert (await call(journal)).status == status
    assert LONG - 60_000 < (await leader(journal))["expires_in_ms"] <= LONG


@pytest.mark.parametrize("case", OTHERS)
async def test_one_that_ran_out_is_in_force_again_only_where_it_is_asked_for(
    journal: Journal, case: str
) -> None:
    """A tool that writes under the epoch of a dead leader does not revive its lease."""
    await led(journal)
    status, call = OTHERS[case]
    await journal.gateway.registry("age", LONG)
    assert (await call(journal)).status == status
    assert await nobody(journal) is (case != "renew")
    other = attrs.evolve(journal)
    answer = await other.attach(lease=wish("b"))
    assert answer.status == (409 if case == "renew" else 200)


@pytest.mark.parametrize("case", SILENT)
async def test_no_other_call_does(journal: Journal, case: str) -> None:
    await led(journal)
    status, call = SILENT[case]
    await journal.gateway.registry("age", 300_000)
    assert (await call(journal)).status == status
    assert (await leader(journal))["expires_in_ms"] <= LONG - 300_000


async def test_a_renewal_is_written_down_once_in_a_quarter(journal: Journal) -> None:
    await led(journal)
    renewal = {"epoch": journal.epoch}
    written = await journal.gateway.registry("leaseWrittenAt")
    for _ in range(3):
        await renew(journal)
    await journal.gateway.registry("ahead", QUARTER - 60_000, "renew", renewal)
    assert await journal.gateway.registry("leaseWrittenAt") == written
    await journal.gateway.registry("ahead", QUARTER, "renew", renewal)
    assert await journal.gateway.registry("leaseWrittenAt") >= written + QUARTER


async def test_its_holder_keeps_it_over_a_kill(journal: Journal) -> None:
    lease = await led(journal)
    # A renewal that its holder believes in, and that is not written down.
    began = time.monotonic()
    renewal = {"epoch": journal.epoch}
    ahead = QUARTER - 60_000
    await journal.gateway.registry("ahead", ahead, "renew", renewal)
    await journal.gateway.workerd.restart()
    seen = await leader(journal)
    elapsed = (time.monotonic() - began) * 1_000
    assert {**seen, "expires_in_ms": LONG} == lease
    # It is given away late rather than early, by a quarter at most.
    assert LONG + ahead - elapsed - 10 < seen["expires_in_ms"] <= LONG + QUARTER
    other = attrs.evolve(journal)
    assert (await other.attach(lease=wish("b"))).code == "lease_held"
    assert LONG - 60_000 < (await renew(journal)).body["expires_in_ms"] <= LONG
    assert (await release(journal)).status == 200
    await journal.gateway.workerd.restart()
    assert await nobody(journal)
    await led(other, "b")


async def test_a_clock_that_is_set_back_does_not_keep_it_for_ever(
    journal: Journal,
) -> None:
    await led(journal)
    renewal = {"epoch": journal.epoch}
    await journal.gateway.registry("ahead", 10**10, "renew", renewal)
    assert (await leader(journal))["expires_in_ms"] <= LONG + QUARTER
    assert LONG - 60_000 < (await renew(journal)).body["expires_in_ms"] <= LONG


# Waited for


@pytest.mark.parametrize("change", ["released", "taken", "run out", "granted"])
async def test_who_waits_for_rows_learns_that_another_leads(
    journal: Journal, change: str
) -> None:
    if change != "granted":
        await led(journal, ms=SHORT if change == "run out" else LONG)
    poll = asyncio.ensure_future(journal.read(wait_ms=25_000))

    async def waits() -> bool:
        return bool(await journal.gateway.registry("readers") == 1)

    await until("it waits", waits)
    began = time.monotonic()
    if change == "released":
        await release(journal)
    elif change == "taken":
        journal.epoch += 1  # with one that nobody granted
        await journal.put_rows(START, ())
    elif change == "granted":
        await led(journal)
    page = await poll
    assert time.monotonic() - began < 20
    assert page.rows == ()
    assert (page.lease or {}).get("holder") == ("a" if change == "granted" else None)


async def test_who_only_waits_for_news_is_not_heard_again_and_again(
    journal: Journal,
) -> None:
    """A leader that has died leaves its poll behind, which is no sign of life."""
    await led(journal)
    poll = journal.gateway.get("events", epoch=journal.epoch, wait_ms=25_000)
    waiting = asyncio.ensure_future(poll)

    async def waits() -> bool:
        return bool(await journal.gateway.registry("listeners") == 1)

    await until("it waits", waits)
    await journal.gateway.registry("age", 300_000)
    await journal.gateway.registry("succeeded")  # woken, and there is nothing
    await until("it waits again", waits)
    await journal.gateway.registry("leap", 1)
    await journal.gateway.registry("succeeded")
    assert (await waiting).status == 200
    assert (await leader(journal))["expires_in_ms"] <= LONG - 300_000
