"""The end of a journal at the gateway, cut off: all behind a row goes, or nothing."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import pytest
from returns.pipeline import is_successful

from orchestrator.core.errors import (
    JournalConflict,
    JournalCorrupt,
    JournalError,
    StaleOperator,
)
from orchestrator.journal.durable.repair import repair_far
from orchestrator.journal.durable.source import Waiting
from orchestrator.journal.line_format import row_line
from orchestrator.journal.port import START, Head, Row
from orchestrator.journal.repair_lines import Repaired
from tests.journal.opened import opened, refused
from tests.platforms.cloudflare.gateway.kit import WAIT_S, Gateway, Reply
from tests.platforms.cloudflare.gateway.rows import (
    PART,
    Journal,
    following,
    head_of,
    large_rows,
    told,
)
from tests.platforms.cloudflare.gateway.test_durable_journal import wire_of

ROWS = following(START, 9)
END = head_of(ROWS)


@pytest.fixture
def journal(gateway: Gateway) -> Journal:
    return Journal(gateway)


def refusal(answer: Reply) -> tuple[int, str, Any]:
    return (answer.status, answer.code, answer.body["details"])


def conflict(expected: int, found: Head) -> tuple[int, str, dict[str, Any]]:
    digest = found.digest.hex()
    details = {"expected_seq": expected, "found_seq": found.seq, "digest": digest}
    return (409, "journal_conflict", details)


def at(seq: int) -> Head:
    return head_of(ROWS[:seq]) if seq else START


async def test_what_is_behind_a_row_is_gone_and_the_journal_goes_on(
    journal: Journal,
) -> None:
    await journal.grown(START, ROWS)
    answer = await journal.end_with(at(4), END)
    assert (answer.status, answer.body) == (200, {"head": told(at(4))})
    assert (await journal.read()).rows == ROWS[:4]
    seen = await journal.overview()
    assert (seen["head"], seen["rows"]) == (told(at(4)), 4)
    assert seen["bytes"] == sum(len(row_line(row)) for row in ROWS[:4])
    # Where the answer was lost it is said once more, and is done already.
    again = await journal.end_with(at(4), END)
    assert (again.status, again.body) == (200, {"head": told(at(4))})
    other = following(at(4), 3, word="other")
    await journal.grown(at(4), other)
    assert (await journal.read()).rows == (*ROWS[:4], *other)
    await journal.gateway.workerd.restart()
    assert (await journal.read()).rows == (*ROWS[:4], *other)


async def test_all_of_it_may_go(journal: Journal) -> None:
    await journal.grown(START, ROWS)
    assert (await journal.end_with(START, END)).status == 200
    assert (await journal.overview())["head"] == told(START)
    await journal.grown(START, ROWS)


async def test_what_has_moved_or_is_not_there_is_not_cut(journal: Journal) -> None:
    await journal.grown(START, ROWS)
    wrong = Head(seq=4, digest=bytes(32))
    for head, expect, expected in (
        (at(4), at(8), 8),  # the head has moved since
        (at(4), Head(seq=9, digest=bytes(32)), 9),
        (wrong, END, 4),
        (Head(seq=0, digest=at(4).digest), END, 0),
        (Head(seq=10, digest=at(4).digest), END, 10),
    ):
        answer = await journal.end_with(head, expect)
        assert refusal(answer) == conflict(expected, END), head
    assert (await journal.read()).rows == ROWS


async def test_it_ends_with_its_base_at_the_least(journal: Journal) -> None:
    await journal.grown(START, ROWS)
    base = await journal.saved(at(5))
    assert (await journal.begin_behind(5)).status == 200
    assert refusal(await journal.end_with(at(3), END)) == conflict(3, END)
    assert refusal(await journal.end_with(START, END)) == conflict(0, END)
    wrong = Head(seq=5, digest=bytes(32))
    assert refusal(await journal.end_with(wrong, END)) == conflict(5, END)
    assert (await journal.end_with(at(5), END)).status == 200
    seen = await journal.overview()
    assert (seen["head"], seen["base"], seen["rows"]) == (told(at(5)), base, 0)
    assert seen["bytes"] == 0
    await journal.grown(at(5), ROWS[5:])
    assert (await journal.read(5)).rows == ROWS[5:]


async def test_snapshots_of_what_is_gone_go_too(journal: Journal) -> None:
    await journal.grown(START, ROWS)
    kept = [await journal.saved(at(seq), b"%d" % seq) for seq in (2, 4)]
    for seq in (5, 9):
        await journal.saved(at(seq), b"%d" % seq)
    await journal.put_part(8, 0, b"part")
    assert (await journal.end_with(at(4), END)).status == 200
    assert (await journal.overview())["snapshots"] == kept
    for seq in (5, 9):
        gone = await journal.gateway.get("journal", "snapshots", str(seq), "0")
        assert gone.status == 404
    # Rows of the same numbers that come later find nothing of them.
    head = await journal.grown(at(4), following(at(4), 5, word="other"))
    assert (await journal.overview())["snapshots"] == kept
    facts = await journal.keep(Head(seq=8, digest=head.digest), b"part")
    assert facts.code == "parts_missing"
    for _ in range(4):
        await journal.put_rows(head, ())
    assert (await journal.gateway.registry("stored"))[2:] == [2, 2]


async def test_parts_of_large_rows_go_with_them(journal: Journal) -> None:
    rows = large_rows(START, (PART + 1, 2 * PART + 1, 3 * PART))
    head = await journal.grown(START, rows[:1])
    head = await journal.grown(head, rows[1:2])
    head = await journal.grown(head, rows[2:])
    assert (await journal.gateway.registry("stored"))[:2] == [3, 1 + 2 + 2]
    assert (await journal.end_with(head_of(rows[:1]), head)).status == 200
    assert (await journal.gateway.registry("stored"))[:2] == [1, 1]
    assert (await journal.read()).rows == rows[:1]


async def test_only_the_newest_operator_cuts_and_a_full_journal_is_cut_too(
    journal: Journal,
) -> None:
    await journal.grown(START, ROWS)
    await journal.attach()
    newest, journal.epoch = journal.epoch, journal.epoch - 1
    answer = await journal.end_with(at(4), END)
    expected = {"epoch": newest - 1, "highest": newest}
    assert refusal(answer) == (409, "stale_operator", expected)
    journal.epoch = newest
    await journal.gateway.registry("hold", 10_000_000_000)
    assert (await journal.end_with(at(4), END)).status == 200
    assert (await journal.read()).rows == ROWS[:4]


@pytest.mark.parametrize(
    "wish",
    [
        {"seq": 1},
        {"seq": 1, "digest": "00", "expect": told(START)},
        {**told(START), "expect": {"seq": 1}},
        {**told(START), "expect": told(START), "more": 1},
        {**told(START), "seq": -1, "expect": told(START)},
    ],
)
async def test_a_wish_that_is_none_is_refused(
    journal: Journal, wish: dict[str, Any]
) -> None:
    answer = await journal.gateway.post("journal", "end", epoch=1, **wish)
    assert (answer.status, answer.code) == (422, "invalid")


# What a tool makes of it


async def repaired(
    journal: Journal, folder: Path, epoch: int | None = None
) -> Repaired | JournalError:
    """Repair as the command does: it waits for each answer, in a thread of its own."""

    def work() -> Repaired | JournalError:
        with closing(Waiting(wire_of(journal.gateway))) as one:
            epoch_now = journal.epoch if epoch is None else epoch
            done = repair_far(one, epoch_now, folder / "shop.journal")
            return opened(done) if is_successful(done) else refused(done)

    return await asyncio.to_thread(work)


async def damaged(journal: Journal) -> tuple[Row, bytes]:
    """Alter row 5, and lose row 7; return what row 5 is by now."""
    await journal.grown(START, ROWS)
    row = attrs.evolve(ROWS[4], at=1)
    line = row_line(row)
    await journal.gateway.registry("damage", 5, line.decode().rstrip("\n"))
    await journal.gateway.registry("lose", 7)
    return row, line


async def test_a_damaged_journal_is_repaired(journal: Journal, tmp_path: Path) -> None:
    _, line = await damaged(journal)
    kept = await journal.saved(at(3))
    await journal.saved(at(8))
    side = tmp_path / "shop.journal.after-4.jsonl"
    assert await repaired(journal, tmp_path) == Repaired(
        head=at(4), missing=1, moved=4, moved_to=side
    )
    rest = b"".join(row_line(ROWS[place]) for place in (5, 7, 8))
    assert side.read_bytes() == line + rest
    assert (await journal.read()).rows == ROWS[:4]
    assert (await journal.overview())["snapshots"] == [kept]
    again = Repaired(head=at(4), missing=0, moved=0, moved_to=None)
    assert await repaired(journal, tmp_path) == again
    await journal.grown(at(4), ROWS[4:])
    assert await repaired(journal, tmp_path) == attrs.evolve(again, head=END)
    assert [*tmp_path.iterdir()] == [side]


async def test_one_that_may_not_be_cut_is_as_it_was(
    journal: Journal, tmp_path: Path
) -> None:
    await damaged(journal)
    await journal.attach()
    stale = StaleOperator(epoch=journal.epoch - 1, highest=journal.epoch)
    assert await repaired(journal, tmp_path, journal.epoch - 1) == stale
    assert (await journal.overview())["head"] == told(END)
    assert list(tmp_path.iterdir()) == []


async def test_a_damaged_base_is_said_and_nothing_is_cut(
    journal: Journal, tmp_path: Path
) -> None:
    await journal.grown(START, ROWS)
    await journal.saved(at(5), b'{"base":5}')
    assert (await journal.begin_behind(5)).status == 200
    await journal.gateway.registry("damage", 7, "nonsense")
    error = await repaired(journal, tmp_path)
    assert isinstance(error, JournalCorrupt)  # its checksum is none of this library
    assert (error.place, "nothing was cut off" in error.found) == ("base", True)
    assert (await journal.overview())["head"] == told(END)
    assert list(tmp_path.iterdir()) == []


async def test_what_was_appended_meanwhile_is_not_cut(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await damaged(journal)
    loop = asyncio.get_running_loop()
    call = type(wire_of(journal.gateway)).call

    async def growing(wire: Any, method: str, path: str, **more: Any) -> Any:
        if path == "journal/end":
            grown = journal.grown(END, following(END, 1))
            asyncio.run_coroutine_threadsafe(grown, loop).result(WAIT_S)
        return await call(wire, method, path, **more)

    monkeypatch.setattr(type(wire_of(journal.gateway)), "call", growing)
    error = await repaired(journal, tmp_path)
    assert error == JournalConflict(expected_seq=9, found_seq=10)
    assert list(tmp_path.iterdir()) == []
