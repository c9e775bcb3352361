"""Snapshots at the gateway, and the one that a journal begins behind."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.journal.port import START, Head
from orchestrator.journal.snapshots import kept
from tests.platforms.cloudflare.gateway.kit import Gateway, Reply
from tests.platforms.cloudflare.gateway.rows import (
    PART,
    Journal,
    following,
    head_of,
    large_rows,
    told,
)


@pytest.fixture
def journal(gateway: Gateway) -> Journal:
    return Journal(gateway)


def refusal(answer: Reply) -> tuple[int, str, Any]:
    return (answer.status, answer.code, answer.body["details"])


async def listed(journal: Journal) -> list[int]:
    return [one["seq"] for one in (await journal.overview())["snapshots"]]


# Parts


async def test_a_snapshot_of_parts_comes_back_as_it_was(journal: Journal) -> None:
    head = await journal.grown(START, following(START, 1))
    body = b"".join(number.to_bytes(8) for number in range(5 * PART // 8)) + b"rest"
    snapshot = await journal.saved(head, body)
    assert snapshot["parts"] == 6
    assert (await journal.overview())["snapshots"] == [snapshot]
    assert await journal.body(snapshot) == body
    for place in ("1/6", "2/0", "1/x", "x/0", "1/01", "1/1024", f"{2**51}/0"):
        answer = await journal.gateway.get("journal", "snapshots", place)
        assert (answer.status, answer.code) == (404, "not_found"), place


async def test_it_is_none_before_all_parts_are_there(journal: Journal) -> None:
    rows = following(START, 1)
    head, body = await journal.grown(START, rows), b"x" * (2 * PART + 1)
    assert refusal(await journal.keep(head, body)) == (
        409,
        "parts_missing",
        {"missing": [0, 1, 2]},
    )
    await journal.put_part(1, 2, body[2 * PART :])
    await journal.put_part(1, 0, body[:PART])
    assert refusal(await journal.keep(head, body))[2] == {"missing": [1]}
    many = refusal(await journal.keep(head, body, parts=1_024))[2]["missing"]
    assert many == [1, *range(3, 102)]
    answer = await journal.gateway.get("journal", "snapshots", "1", "0")
    assert (answer.status, await listed(journal)) == (404, [])
    await journal.put_part(1, 1, body[PART : 2 * PART])
    sized = refusal(await journal.keep(head, body, size=len(body) + 1))
    assert sized[:2] == (422, "invalid")
    assert sized[2]["place"] == "size"
    for _ in range(2):  # the answer may have been lost
        assert (await journal.keep(head, body)).status == 200
    assert await listed(journal) == [1]


async def test_a_part_put_again_replaces_itself(journal: Journal) -> None:
    head = await journal.grown(START, following(START, 1))
    await journal.put_part(1, 0, b"other and longer")
    await journal.put_part(1, 1, b"of a body that was given up")
    snapshot = await journal.saved(head, b"{}")
    assert await journal.body(snapshot) == b"{}"


async def test_a_snapshot_replaces_the_one_of_its_row(journal: Journal) -> None:
    head = await journal.grown(START, following(START, 1))
    await journal.saved(head, b"x" * (PART + 1))
    snapshot = await journal.saved(head, b'{"by":"newer rules"}')
    assert (await journal.overview())["snapshots"] == [snapshot]
    assert await journal.body(snapshot) == b'{"by":"newer rules"}'
    answer = await journal.gateway.get("journal", "snapshots", "1", "1")
    assert answer.status == 404


async def test_parts_of_two_operators_are_not_mixed(journal: Journal) -> None:
    head = await journal.grown(START, following(START, 1))
    body = b"x" * (PART + 1)
    await journal.put_part(1, 0, body[:PART])
    await journal.attach()
    answer = await journal.keep(head, body)
    assert refusal(answer)[2] == {"missing": [0, 1]}
    await journal.put_part(1, 1, body[PART:])
    assert refusal(await journal.keep(head, body))[2] == {"missing": [0]}
    await journal.put_part(1, 0, body[:PART])
    assert (await journal.keep(head, body)).status == 200


async def test_parts_that_nobody_wants_are_swept(journal: Journal) -> None:
    await journal.put_part(1, 0, b"given up")
    later = {"epoch": 1, "seq": 2, "part": 0, "body": "x"}
    for ahead, found in ((3_000_000, 2), (3_700_000, 1)):
        await journal.gateway.registry("ahead", ahead, "stage", later)
        await journal.gateway.registry("ahead", ahead, "stage", later)
        stored = await journal.gateway.registry("stored")
        assert stored[2:] == [found, found], ahead


async def test_parts_have_bounds(journal: Journal) -> None:
    answer = await journal.put_part(1, 0, b"x" * (PART + 1))
    assert refusal(answer) == (413, "too_large", {"max": PART})
    assert refusal(await journal.put_part(1, 0, b""))[2]["place"] == "body"
    assert (await journal.put_part(1, 1_024, b"x")).status == 404
    path = journal.gateway.path("journal", "snapshots", "1", "0")
    for query in ("", "?epoch=", "?epoch=x", "?epoch=-1", f"?epoch={2**51}"):
        answer = await journal.gateway.ask("PUT", path + query, data=b"x")
        assert refusal(answer)[:2] == (422, "invalid"), query
        assert answer.body["details"]["place"] == "epoch"
    assert await journal.gateway.registry("stored") == [0, 0, 0, 0]


# Which are kept


async def test_as_many_are_kept_as_other_journals_keep(journal: Journal) -> None:
    rows = following(START, 60)
    await journal.grown(START, rows)
    expected: tuple[int, ...] = ()
    for count in range(1, 61):
        await journal.saved(head_of(rows[:count]))
        expected = kept((*expected, count))
        assert await listed(journal) == [*expected]
    assert len(expected) < 12
    # One that would go at once stays for a while: it may be what rows begin behind.
    assert 30 not in expected
    await journal.saved(head_of(rows[:30]))
    assert await journal.part(30, 0) == b"{}"
    await journal.saved(head_of(rows))
    expected = kept((*expected, 30))
    assert await listed(journal) == [*expected]
    # What is gone goes.
    for _ in range(70):
        await journal.put_rows(head_of(rows), ())
    counts = (await journal.gateway.registry("stored"))[2:]
    assert counts == [len(expected), len(expected)]


async def test_one_that_does_not_agree_with_its_row_is_named_nowhere(
    journal: Journal,
) -> None:
    rows = following(START, 3)
    head = await journal.grown(START, rows)
    right = await journal.saved(head_of(rows[:1]))
    for wrong in (
        Head(seq=2, digest=bytes(32)),
        Head(seq=4, digest=head.digest),
        START,
    ):
        await journal.saved(wrong)
        assert (await journal.overview())["snapshots"] == [right]


# The base


async def test_rows_up_to_a_base_are_gone(journal: Journal) -> None:
    rows = following(START, 9)
    head = await journal.grown(START, rows)
    first = await journal.saved(head_of(rows[:2]))
    base = await journal.saved(head_of(rows[:5]), b'{"row":5}')
    later = await journal.saved(head_of(rows[:7]))
    assert (await journal.overview())["snapshots"] == [first, base, later]
    answer = await journal.begin_behind(5)
    assert (answer.status, answer.body) == (200, {})
    seen = await journal.overview()
    assert (seen["base"], seen["snapshots"], seen["rows"]) == (base, [later], 4)
    assert seen["head"] == told(head)
    for after in range(5):
        answer = await journal.gateway.get("journal", "rows", after=after, wait_ms=9)
        expected = {"asked": after, "base": 5}
        assert refusal(answer) == (409, "journal_compacted", expected)
    assert (await journal.read(5)).rows == rows[5:]
    assert await journal.body(base) == b'{"row":5}'
    more = following(head, 1)
    end = await journal.grown(head, more)
    assert await journal.grown(head_of(rows[:3]), (*rows[3:], *more)) == end
    # And again, behind a later one.
    assert (await journal.begin_behind(7)).status == 200
    seen = await journal.overview()
    assert (seen["base"], seen["snapshots"], seen["rows"]) == (later, [], 3)
    assert (await journal.read(7)).rows == (*rows[7:], *more)
    await journal.gateway.workerd.restart()
    assert await journal.overview() == seen


async def test_a_base_is_a_row_before_the_newest_with_its_digest(
    journal: Journal,
) -> None:
    rows = following(START, 7)
    head = await journal.grown(START, rows)
    for seq in (0, 7, 8):
        await journal.saved(Head(seq=seq, digest=rows[2].digest))
        answer = await journal.begin_behind(seq)
        found = {"expected_seq": seq, "found_seq": 7, "digest": head.digest.hex()}
        assert refusal(answer) == (409, "journal_conflict", found)
    assert refusal(await journal.begin_behind(3))[:2] == (404, "not_found")
    await journal.saved(Head(seq=3, digest=bytes(32)))
    found = {"expected_seq": 3, "found_seq": 3, "digest": rows[2].digest.hex()}
    assert refusal(await journal.begin_behind(3)) == (409, "journal_conflict", found)
    assert (await journal.overview())["base"] is None
    base = await journal.saved(head_of(rows[:3]))
    assert (await journal.begin_behind(3)).status == 200
    found = {"expected_seq": 3, "found_seq": 7, "digest": head.digest.hex()}
    for seq in (3, 2):  # it is cut once, and not back
        await journal.save(head_of(rows[:seq]), b"other")
        answer = await journal.begin_behind(seq)
        assert refusal(answer)[2] == {**found, "expected_seq": seq}
    seen = await journal.overview()
    assert (seen["base"], seen["snapshots"]) == (base, [])
    assert await journal.body(base) == b"{}"


async def test_an_imported_journal_begins_behind_any_snapshot(
    journal: Journal,
) -> None:
    rows = following(START, 50)
    start = head_of(rows)
    base = await journal.saved(start, b'{"imported":true}')
    assert (await journal.begin_behind(50)).status == 200
    expected = {
        "head": told(start),
        "base": base,
        "snapshots": [],
        "rows": 0,
        "bytes": 0,
    }
    assert await journal.overview() == expected
    assert refusal(await journal.put_rows(START, rows[:1]))[0] == 409
    assert (await journal.read(50)).head == start
    more = following(start, 2)
    await journal.grown(start, more)
    assert (await journal.read(50)).rows == more
    assert (await journal.overview())["rows"] == 2


async def test_row_0_is_nothing_to_begin_behind(journal: Journal) -> None:
    await journal.saved(START)
    assert refusal(await journal.begin_behind(0))[:2] == (409, "journal_conflict")


async def test_rows_go_in_pieces_and_nobody_sees_it(journal: Journal) -> None:
    rows = following(START, 2_500)
    head = await journal.grown(START, rows)
    (large,) = large_rows(head, [2 * PART])
    end = await journal.grown(head, (large,))
    rows = (*rows, large)
    await journal.saved(head_of(rows[:2_400]))
    assert (await journal.begin_behind(2_400)).status == 200
    stored = [(await journal.gateway.registry("stored"))[0]]
    seen = await journal.overview()
    assert seen["rows"] == 101
    for _ in range(4):
        assert (await journal.read(2_400)).rows == rows[2_400:]
        assert await journal.overview() == seen
        await journal.put_rows(end, ())  # any call that may write goes on
        stored.append((await journal.gateway.registry("stored"))[0])
    assert stored == [2_501, 1_501, 501, 101, 101]
    assert await journal.overview() == seen
