"""The journal of the library behind the real gateway: its laws, and its model's too."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import attrs
import orjson
import pytest
from returns.result import Failure, Result

from orchestrator.codec.platform_choices import CloudflareChoice
from orchestrator.core.errors import JournalUnavailable, StaleOperator, TimedOut
from orchestrator.journal.durable.adapter import DurableJournal
from orchestrator.journal.durable.wire import JSON, NOTHING_ASKED, Refusal, Wire
from orchestrator.journal.line_format import row_line
from orchestrator.journal.port import (
    START,
    Compactable,
    Head,
    Journal,
    Snapshot,
    chained,
)
from orchestrator.journal.stored_snapshots import checksum_of
from orchestrator.platforms.cloudflare.journal_wire import FleetWire, wire_to
from orchestrator.testing.journals import check_compactable, check_journal
from tests.journal.durable_kit import at_once, snapshot_after
from tests.journal.fake_archive import FakeArchive
from tests.journal.opened import bad, base_after, drafts, good, head_after
from tests.platforms.cloudflare.gateway.kit import TOKEN, Gateway

ROWS = chained(START, drafts(range(1, 13)))
SEEDS = range(20_261_126, 20_261_130)
REQUESTS = 150


def wire_of(gateway: Gateway) -> FleetWire:
    choice = CloudflareChoice(url=gateway.workerd.url)
    wire: FleetWire = wire_to(choice, gateway.fleet, {"GATEWAY_TOKEN": TOKEN}).unwrap()
    return wire


def journal_of(gateway: Gateway, epoch: int = 1) -> DurableJournal:
    journal = DurableJournal(wire_of(gateway))
    journal.lead(epoch)
    return journal


@attrs.define
class LosingWire:
    """A wire that loses the answers to what writes, every other one."""

    wire: Wire
    count: int = 0

    async def call(
        self,
        method: str,
        path: str,
        *,
        body: bytes = b"",
        kind: str = JSON,
        query: Mapping[str, str] = NOTHING_ASKED,
        wait_ms: int = 0,
    ) -> Result[bytes, Refusal]:
        answered = await self.wire.call(
            method, path, body=body, kind=kind, query=query, wait_ms=wait_ms
        )
        self.count += method != "GET"
        if method != "GET" and self.count % 2:
            return Failure(TimedOut(after_ms=1))
        return answered

    async def close(self) -> None:
        await self.wire.close()


async def test_it_obeys_the_laws_of_every_journal(gateway: Gateway) -> None:
    behind = attrs.evolve(gateway, fleet=f"{gateway.fleet}-behind")
    begun: list[int] = []

    async def open_journal() -> Journal:
        return journal_of(gateway)

    async def open_behind() -> Journal:
        journal = journal_of(behind)
        if not begun:
            await good(journal.begin_behind(base_after(3)))
            begun.append(3)
        return journal

    await check_journal(open_journal)
    await check_journal(open_behind, base=base_after(3))


async def test_it_can_be_cut_short_while_it_is_written(gateway: Gateway) -> None:
    async def open_journal() -> Compactable:
        return journal_of(gateway)

    await check_compactable(open_journal)


async def test_who_was_replaced_writes_nothing(gateway: Gateway) -> None:
    granted = [await gateway.post("attach", after=0) for _ in range(2)]
    first, second = (answer.body["epoch"] for answer in granted)
    old, new = journal_of(gateway, first), journal_of(gateway, second)
    await good(new.append(START, drafts([1, 2, 3])))
    stale = StaleOperator(epoch=first, highest=second)
    assert await bad(old.append(head_after(3), drafts([4]))) == stale
    assert await bad(old.save_snapshot(snapshot_after(2))) == stale
    assert await bad(old.begin_behind(snapshot_after(2))) == stale
    assert await good(old.read(0, 9)) == ROWS[:3]
    for one in (old, new):
        await good(one.close())


async def test_what_was_lost_on_the_way_is_there_once(gateway: Gateway) -> None:
    losing = DurableJournal(LosingWire(wire_of(gateway)))
    losing.lead(1)
    with at_once():
        head = await good(losing.append(START, drafts(range(1, 8))))
        await good(losing.save_snapshot(snapshot_after(5)))
        await good(losing.begin_behind(snapshot_after(3)))
        head = await good(losing.append(head, drafts([8])))
    assert head == head_after(8)
    assert await good(losing.read(3, 99)) == ROWS[3:8]
    assert await good(losing.beginning()) == snapshot_after(3)
    assert await good(losing.latest_snapshot()) == snapshot_after(5)
    await good(losing.close())


async def test_a_long_append_and_a_large_fleet_go_through(gateway: Gateway) -> None:
    """Several requests; and a row, and a fleet, of several parts."""
    text = orjson.dumps(["x" * 1_500_000])
    long = [attrs.evolve(one, commands=text) for one in drafts(range(1, 6))]
    journal = journal_of(gateway)
    head = await good(journal.append(START, tuple(long)))
    assert await good(journal.read(0, 9)) == chained(START, long)
    body = orjson.dumps({"fleet": "y" * 2_500_000})
    saved = Snapshot(seq=5, digest=head.digest, rules=1, body=body)
    await good(journal.save_snapshot(saved))
    assert await good(journal.latest_snapshot()) == saved
    large = attrs.evolve(drafts([6])[0], commands=orjson.dumps(["z" * 16_777_216]))
    error = await bad(journal.append(head, (large,)))
    assert isinstance(error, JournalUnavailable)
    assert not error.in_doubt
    assert await good(journal.head()) == head
    await good(journal.close())


# The model


@pytest.mark.parametrize("seed", SEEDS)
async def test_the_model_says_what_the_gateway_says(
    gateway: Gateway, seed: int
) -> None:
    """Requests by chance, right and wrong ones: the same status, code and bytes."""
    model, chance = FakeArchive(), random.Random(seed)
    codes: set[Any] = set()
    for _ in range(REQUESTS):
        method, path, query, body = asked(chance, model)
        status, told = model.answer(method, path, query, body)
        real_status, real = await sent(gateway, method, path, query, body)
        assert (real_status, comparable(real)) == (status, comparable(told)), (
            method,
            path,
            query,
            body,
        )
        codes.add(status if status == 200 else orjson.loads(told)["code"])
    assert codes >= {200, "journal_conflict", "stale_operator", "not_found"}


def asked(
    chance: random.Random, model: FakeArchive
) -> tuple[str, str, dict[str, str], bytes]:
    """Return something that an operator, or a mistaken one, may ask."""
    epoch = max(0, model.epoch - (chance.random() < 0.1))
    epoch += chance.random() < 0.05
    end = model.head["seq"]
    seq = chance.randint(0, len(ROWS))
    match chance.randrange(11):
        case 0:
            return "GET", "journal", {}, b""
        case 1 | 2:
            words = {"after": str(seq), "limit": str(chance.randint(1, 5))}
            return "GET", "journal/rows", words, b""
        case 3 | 4 | 5:
            behind = min(len(ROWS), end if chance.random() < 0.7 else seq)
            rows = ROWS[behind : behind + chance.randint(1, 4)]
            expect = head_after(behind) if chance.random() < 0.9 else OTHER
            return "POST", "journal/rows", {}, append(epoch, expect, rows)
        case 6:
            part = str(chance.randint(0, 1))
            words = {"epoch": str(epoch)}
            return "PUT", f"journal/snapshots/{seq}/{part}", words, b"part"
        case 7:
            return "POST", "journal/snapshots", {}, facts(epoch, seq, chance)
        case 8:
            if chance.random() < 0.5:
                return "GET", f"journal/snapshots/{seq}/0", {}, b""
            return "GET", "lease", {}, b""
        case 9:
            told = {"epoch": epoch, "seq": seq}
            return "POST", "journal/base", {}, orjson.dumps(told)
        case _:
            return "POST", "journal/end", {}, ended(epoch, seq, end, chance)


OTHER = Head(seq=1, digest=bytes(32))


def append(epoch: int, expect: Head, rows: tuple[Any, ...]) -> bytes:
    first = {
        "epoch": epoch,
        "expect": {"seq": expect.seq, "digest": expect.digest.hex()},
    }
    return orjson.dumps(first) + b"\n" + b"".join(map(row_line, rows))


def ended(epoch: int, seq: int, end: int, chance: random.Random) -> bytes:
    """Ask for an end, mostly near the one that there is: else all would go at once."""
    place = max(0, end - chance.randint(0, 2)) if chance.random() < 0.8 else seq
    head = head_after(place) if chance.random() < 0.9 else OTHER
    expect = head_after(end) if chance.random() < 0.9 else OTHER
    tree = {"epoch": epoch, "seq": place, "digest": head.digest.hex()}
    where = {"seq": expect.seq, "digest": expect.digest.hex()}
    return orjson.dumps({**tree, "expect": where})


def facts(epoch: int, seq: int, chance: random.Random) -> bytes:
    head = head_after(seq)
    parts = chance.randint(1, 2)
    one = Snapshot(seq=seq, digest=head.digest, rules=1, body=b"part" * parts)
    digest = head.digest if chance.random() < 0.9 else bytes(32)
    tree = {
        "epoch": epoch,
        "seq": seq,
        "digest": digest.hex(),
        "rules": 1,
        "size": len(one.body),
        "parts": parts,
        "checksum": checksum_of(one, is_base=False).hex(),
    }
    return orjson.dumps(tree)


async def sent(
    gateway: Gateway, method: str, path: str, query: Mapping[str, str], body: bytes
) -> tuple[int, bytes]:
    url = f"{gateway.workerd.url}/v1/fleets/{gateway.fleet}/{path}"
    headers = {"authorization": f"Bearer {TOKEN}"}
    async with gateway.session.request(
        method, url, params=query, data=body or None, headers=headers
    ) as answer:
        return answer.status, await answer.read()


def comparable(told: bytes) -> Any:
    """Return an answer without its sentence, which is for people."""
    try:
        tree = orjson.loads(told)
    except orjson.JSONDecodeError:
        return told
    if isinstance(tree, dict) and "code" in tree:
        known = tree["code"] in {"journal_conflict", "journal_compacted"}
        return (tree["code"], tree["details"] if known else None)
    return tree
