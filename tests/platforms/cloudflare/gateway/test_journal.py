"""The journal at the gateway: what is appended is read, all of it or nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import pytest

from orchestrator.journal.line_format import end_line, header_line, row_line
from orchestrator.journal.port import START, Head, Row, broken
from tests.bench.engine import Engine
from tests.platforms.cloudflare.gateway.kit import Gateway, Reply, until, workerd_of
from tests.platforms.cloudflare.gateway.rows import (
    PART,
    Journal,
    body_of,
    following,
    head_of,
    large_rows,
    told,
)

APPEND = 4 * PART
ROW = 16 * PART
SECRET = "planted-and-never-told"
NOTHING: dict[str, Any] = {
    "head": told(START),
    "base": None,
    "snapshots": [],
    "rows": 0,
    "bytes": 0,
}


@pytest.fixture
def journal(gateway: Gateway) -> Journal:
    return Journal(gateway)


def conflict(expected: int, found: Head) -> tuple[int, str, dict[str, Any]]:
    digest = found.digest.hex()
    details = {"expected_seq": expected, "found_seq": found.seq, "digest": digest}
    return (409, "journal_conflict", details)


def refusal(answer: Reply) -> tuple[int, str, Any]:
    return (answer.status, answer.code, answer.body["details"])


# What is appended is read


async def test_a_new_journal_is_empty(journal: Journal) -> None:
    assert await journal.overview() == NOTHING
    page = await journal.read()
    assert (page.rows, page.head, page.lease) == ((), START, None)
    answer = await journal.put_rows(START, ())
    assert (answer.status, answer.body) == (200, {"head": told(START), "lease": None})
    assert await journal.overview() == NOTHING


async def test_what_is_read_is_what_was_appended(journal: Journal) -> None:
    head, rows = START, tuple[Row, ...]()
    for count in (1, 2, 40):
        more = following(head, count)
        head, rows = await journal.grown(head, more), rows + more
    page = await journal.read()
    assert (page.rows, page.head) == (rows, head)
    assert broken(START, page.rows) is None
    for after, limit in ((0, 1), (1, 41), (42, 5), (43, 9), (999, 9)):
        page = await journal.read(after, limit=limit)
        assert (page.rows, page.head) == (rows[after : after + limit], head)
    assert await journal.overview() == {
        **NOTHING,
        "head": told(head),
        "rows": 43,
        "bytes": sum(len(row_line(row)) for row in rows),
    }


@pytest.mark.parametrize("limit", ["0", "-1", "x", ""])
async def test_a_limit_that_is_none_is_none(journal: Journal, limit: str) -> None:
    await journal.grown(START, following(START, 2))
    assert (await journal.read(limit=limit)).rows != ()


async def test_large_rows_come_back_byte_for_byte(journal: Journal) -> None:
    sizes = (300, PART - 1, PART, PART + 1, 3 * PART, 3 * PART + 7)
    rows = large_rows(START, sizes)
    head = START
    for row in rows:
        head = await journal.grown(head, (row,))
    assert tuple([(await journal.read(seq, limit=1)).rows[0] for seq in range(6)]) == (
        rows
    )
    # A page ends before it has too many bytes, and has a row in any case.
    assert (await journal.read()).rows == rows[:4]
    assert (await journal.read(4)).rows == rows[4:5]
    assert (await journal.overview())["bytes"] == sum(sizes) + len(sizes)
    assert await journal.gateway.registry("stored") == [6, 0 + 0 + 0 + 1 + 2 + 3, 0, 0]


async def test_a_row_has_a_largest_size_and_so_has_an_append(journal: Journal) -> None:
    (largest,) = large_rows(START, [ROW])
    head = await journal.grown(START, (largest,))
    assert (await journal.read()).rows == (largest,)
    (too_large,) = large_rows(head, [ROW + 1])
    answer = await journal.put_rows(head, (too_large,))
    assert refusal(answer) == (413, "too_large", {"max": ROW})
    fits = large_rows(head, [APPEND - 1_000, 1_000])
    too_many = large_rows(head, [APPEND - 1_000, 1_001])
    answer = await journal.put_rows(head, too_many)
    assert refusal(answer) == (413, "too_large", {"max": APPEND})
    assert (await journal.overview())["head"] == told(head)
    await journal.grown(head, fits)


async def test_a_body_without_end_is_not_read_to_its_end(journal: Journal) -> None:
    answer = await journal.put_lines(b" " * (ROW + 1_025))
    assert refusal(answer) == (413, "too_large", {"max": ROW + 1_024})


async def test_those_who_wait_for_the_same_large_row_share_one_page(
    journal: Journal,
) -> None:
    readers = 6
    polls = [
        asyncio.ensure_future(journal.read(wait_ms=25_000)) for _ in range(readers)
    ]

    async def wait() -> bool:
        return bool(await journal.gateway.registry("readers") == readers)

    await until("they wait", wait)
    assert await journal.gateway.registry("pagesRead") == 0
    rows = large_rows(START, [3 * PART])
    head = await journal.grown(START, rows)
    for page in await asyncio.gather(*polls):
        assert (page.rows, page.head) == (rows, head)
    assert await journal.gateway.registry("pagesRead") == 1
    # Who comes later, or asks for something else, is told what there is then.
    more = following(head, 2)
    head = await journal.grown(head, more)
    assert (await journal.read()).rows == (*rows, *more)
    assert (await journal.read(1)).rows == more
    assert (await journal.read(1, limit=1)).rows == more[:1]


# Compare and append


async def test_of_writers_at_once_one_wins_and_the_others_learn_what_they_missed(
    journal: Journal,
) -> None:
    head = await journal.grown(START, following(START, 3))
    rivals = [following(head, 2, word=f"writer-{number}") for number in range(12)]
    answers = await asyncio.gather(*(journal.put_rows(head, rows) for rows in rivals))
    won = [rows for rows, one in zip(rivals, answers, strict=True) if one.status == 200]
    assert len(won) == 1
    (winner,) = won
    for answer in answers:
        assert answer.status == 200 or refusal(answer) == conflict(3, head_of(winner))
    assert (await journal.read(3)).rows == winner


async def test_an_append_behind_another_row_changes_nothing(journal: Journal) -> None:
    head = await journal.grown(START, following(START, 3))
    before = await journal.overview()
    elsewhere = (
        START,
        attrs.evolve(head, digest=bytes(32)),
        attrs.evolve(head, digest=b""),  # as one that somebody made up
        attrs.evolve(head, seq=2),
        Head(seq=99, digest=head.digest),
    )
    for wrong in elsewhere:
        answer = await journal.put_rows(wrong, following(wrong, 1))
        assert refusal(answer) == conflict(wrong.seq, head), wrong
        answer = await journal.put_rows(wrong, ())
        assert refusal(answer) == conflict(wrong.seq, head), wrong
    assert await journal.overview() == before


async def test_an_append_whose_answer_was_lost_is_done_already(
    journal: Journal,
) -> None:
    first = following(START, 2)
    head = await journal.grown(START, first)
    rows = following(head, 3)
    end = await journal.grown(head, rows)
    for _ in range(2):
        assert await journal.grown(head, rows) == end
    await journal.attach()  # as the same operator, or another that holds the same rows
    assert await journal.grown(head, rows) == end
    assert await journal.grown(START, (*first, *rows)) == end
    assert (await journal.read()).rows == (*first, *rows)
    # Some of them are not all of them, and others are not these.
    others = (
        (head, rows[:2]),
        (head, (*rows, *following(end, 1))),
        (head, following(head, 3, word="other")),
        (head, (attrs.evolve(rows[0], digest=bytes(32)), *rows[1:])),
        (head, (*rows[:2], attrs.evolve(rows[2], digest=bytes(32)))),
    )
    for expect, given in others:
        assert refusal(await journal.put_rows(expect, given)) == conflict(2, end)
    assert (await journal.overview())["head"] == told(end)


async def test_a_stale_operator_changes_nothing(journal: Journal) -> None:
    await journal.attach()
    rows = following(START, 3)
    head = await journal.grown(START, rows)
    await journal.saved(head_of(rows[:2]))
    old = attrs.evolve(journal)
    await journal.attach(lease={"holder": "the newer one", "ms": 600_000})
    stored = await journal.gateway.registry("stored")
    before = await journal.overview()
    calls: tuple[Callable[[], Any], ...] = (
        lambda: old.put_rows(head, following(head, 1)),
        lambda: old.put_rows(START, rows),  # also where they are there
        lambda: old.put_rows(START, ()),
        lambda: old.put_part(3, 0, b"{}"),
        lambda: old.keep(head, b"{}"),
        lambda: old.begin_behind(2),
        lambda: journal.gateway.post("lease", "renew", epoch=old.epoch),
        lambda: journal.gateway.post("lease", "release", epoch=old.epoch),
    )
    expected = {"epoch": old.epoch, "highest": journal.epoch}
    for call in calls:
        assert refusal(await call()) == (409, "stale_operator", expected)
    assert await journal.overview() == before
    assert await journal.gateway.registry("stored") == stored
    assert (await journal.read()).lease["holder"] == "the newer one"


ONE = row_line(following(START, 1)[0])
TWO = row_line(following(head_of(following(START, 1)), 1)[0])
FIRST = body_of(1, START, ())
LINES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "epoch"),
    "no first line": (ONE, "seq"),
    "no json": (b"{\n" + ONE, "line 1"),
    "no object": (b"[1]\n" + ONE, "line 1"),
    "no text": (b'{"epoch":"\xff"}\n', "line 1"),
    "too long": (FIRST.rstrip() + b" " * 1_024 + b"\n", "line 1"),
    "two objects": (FIRST.rstrip() + FIRST, "line 1"),
    "unknown field": (FIRST.replace(b"{", b'{"more":1,', 1), "more"),
    "another field of the head": (FIRST.replace(b'"seq"', b'"more":1,"seq"'), "expect"),
    "no epoch": (FIRST.replace(b'"epoch":1,', b""), "epoch"),
    "no head": (b'{"epoch":1}\n', "expect"),
    "a head below": (FIRST.replace(b'"seq":0', b'"seq":-1'), "expect"),
    "another digest": (FIRST.replace(b'"00', b'"0X'), "expect"),
    "a longer digest": (FIRST.replace(b'"00', b'"0000'), "expect"),
    "a blank line": (FIRST + b"\n" + ONE, "line 2"),
    "a blank line behind": (FIRST + ONE + b"\n", "line 3"),
    "another line": (FIRST + b"{}\n", "line 2"),
    "a header": (FIRST + header_line(1) + ONE, "line 2"),
    "an end": (FIRST + ONE + end_line(head_of(following(START, 1))), "line 3"),
    "a gap": (FIRST + TWO, "line 2"),
    "repeated": (FIRST + ONE + ONE, "line 3"),
    "displaced": (FIRST + TWO + ONE, "line 2"),
    "cut off": (FIRST + ONE + TWO[:-20], "line 3"),
    "cut at its beginning": (FIRST + ONE[1:], "line 2"),
    "longer": (FIRST + ONE.replace(b"\n", b" \n"), "line 2"),
    "two lines of one": (FIRST + ONE.replace(b',"commands', b'\n,"commands'), "line 2"),
    "of windows": (FIRST + ONE.replace(b"\n", b"\r\n"), "line 2"),
    "other order": (FIRST + b'{"at":1,"seq":1,' + ONE[9:], "line 2"),
    "a number that is none": (FIRST + ONE.replace(b'"seq":1', b'"seq":01'), "line 2"),
    "a moment that is none": (FIRST + ONE.replace(b'"at":', b'"at":-'), "line 2"),
    "a digest that is none": (
        FIRST + ONE.replace(b'"digest":"', b'"digest":"X'),
        "line 2",
    ),
    "a shorter digest": (FIRST + ONE[:-4] + b'"}\n', "line 2"),
    "a secret": (FIRST + SECRET.encode() + b"\n", "line 2"),
    "a secret field": (
        FIRST.replace(b'"seq":0', b'"seq":"%b"' % SECRET.encode()),
        "expect",
    ),
}


@pytest.mark.parametrize("case", LINES)
async def test_what_are_no_rows_is_refused_by_its_line(
    journal: Journal, case: str
) -> None:
    data, place = LINES[case]
    answer = await journal.put_lines(data)
    assert (answer.status, answer.code) == (422, "invalid"), answer
    assert answer.body["details"]["place"] == place
    assert SECRET not in str(answer.body)
    assert await journal.overview() == NOTHING


async def test_the_last_line_needs_no_end(journal: Journal) -> None:
    assert (await journal.put_lines(FIRST.rstrip())).status == 200
    assert (await journal.put_lines(FIRST + ONE.rstrip())).status == 200
    assert (await journal.read()).rows == following(START, 1)


# Waiting for a row


async def test_who_waits_is_told_of_a_row(journal: Journal) -> None:
    head = await journal.grown(START, following(START, 2))
    polls = [
        asyncio.ensure_future(journal.read(after, wait_ms=25_000))
        for after in (2, 2, 3)
    ]

    async def all_wait() -> bool:
        return bool(await journal.gateway.registry("readers") == len(polls))

    await until("all wait", all_wait)
    began = time.monotonic()
    rows = following(head, 2)
    end = await journal.grown(head, rows)
    pages = await asyncio.gather(*polls)
    assert time.monotonic() - began < 20
    assert [page.rows for page in pages] == [rows, rows, rows[1:]]
    assert {page.head for page in pages} == {end}
    assert await journal.gateway.registry("readers") == 0


async def test_who_waits_for_nothing_is_told_so_in_the_end(journal: Journal) -> None:
    head = await journal.grown(START, following(START, 2))
    began = time.monotonic()
    page = await journal.read(2, wait_ms=300)
    assert time.monotonic() - began > 0.25
    assert (page.rows, page.head) == ((), head)
    assert (await journal.read(1, wait_ms=25_000)).rows != ()  # at once


# A storage that is full, and a runtime that dies


async def test_a_full_storage_takes_no_rows_and_keeps_the_rest(
    journal: Journal,
) -> None:
    full: tuple[int, str, Any] = (507, "journal_full", {})
    rows = following(START, 5)
    head = await journal.grown(START, rows)
    await journal.gateway.registry("hold", 9_600_000_000)
    assert refusal(await journal.put_rows(head, following(head, 1))) == full
    assert await journal.grown(START, rows) == head  # they are there already
    assert (await journal.attach()).status == 200
    await journal.saved(head_of(rows[:3]))
    await journal.gateway.registry("hold", 9_950_000_000)
    assert refusal(await journal.put_part(4, 0, b"{}")) == full
    assert (await journal.begin_behind(3)).status == 200
    assert (await journal.read(3)).rows == rows[3:]
    await journal.gateway.registry("makeRoom")
    await journal.grown(head, following(head, 1))


async def test_where_the_storage_fills_up_nothing_is_written(journal: Journal) -> None:
    head = await journal.grown(START, following(START, 2))
    before = await journal.overview()
    stored = await journal.gateway.registry("stored")
    for rows in (following(head, 3), large_rows(head, [3 * PART])):
        await journal.gateway.registry("fillAfter", 2)
        answer = await journal.put_rows(head, rows)
        assert refusal(answer) == (507, "journal_full", {})
        await journal.gateway.registry("makeRoom")
        assert await journal.overview() == before
        assert await journal.gateway.registry("stored") == stored
    await journal.grown(head, following(head, 3))


async def test_a_database_that_is_really_full_is_told_as_that(
    engine: Engine, tmp_path: Path
) -> None:
    # The runtime then rolls back by itself, and resets the object.
    flags = ("experimental",)  # without it no database can be made small
    workerd = attrs.evolve(workerd_of(engine, tmp_path), compatibility_flags=flags)
    async with workerd, aiohttp.ClientSession() as session:
        journal = Journal(Gateway(workerd, session, "full"))
        head = await journal.grown(START, following(START, 2))
        lease = {"holder": "a", "ms": 600_000}
        await journal.attach(lease=lease)
        before = await journal.overview()
        await journal.gateway.registry("limitPages", 60)
        answer = await journal.put_rows(head, large_rows(head, [3 * PART]))
        assert refusal(answer) == (507, "journal_full", {})
        assert await journal.overview() == before
        assert await journal.gateway.registry("stored") == [2, 0, 0, 0]
        assert (await journal.read()).lease["holder"] == "a"
        await journal.grown(head, following(head, 1))


async def test_what_was_acknowledged_survives_a_kill(journal: Journal) -> None:
    rows = large_rows(START, [300, 2 * PART])
    head = await journal.grown(START, rows)
    body = bytes(range(256)) * 5_000
    snapshot = await journal.saved(head_of(rows[:1]), body)
    await journal.put_part(2, 0, b"{")
    before = await journal.overview()
    await journal.gateway.workerd.restart()
    assert await journal.overview() == before
    assert (await journal.read()).rows == rows
    assert await journal.body(snapshot) == body
    await journal.put_part(2, 1, b"}")  # what was staged is staged
    assert refusal(await journal.keep(head, b"{}", parts=3))[2] == {"missing": [2]}
    await journal.grown(head, following(head, 1))


async def test_journals_of_fleets_are_strangers(journal: Journal) -> None:
    head = await journal.grown(START, following(START, 2))
    await journal.saved(head)
    journal.gateway.fleet += "x"
    assert await journal.overview() == NOTHING
