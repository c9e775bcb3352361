"""A reader between the past and the present: the places where it changes over."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, cast

import attrs
import pytest
from returns.future import FutureResult

from orchestrator.api.live import records
from orchestrator.api.live.frames import Form
from orchestrator.api.live.reader import Reader, begin
from orchestrator.api.live.wanted import Wanted
from orchestrator.core.events import ContainerEnded, ContainerStarted
from orchestrator.core.journal_errors import JournalUnavailable
from tests.api.live.kit import Client, Stage, concerned

ALL = Wanted(after=0, containers=True)
NEW = Wanted(form=Form.NDJSON)


def kinds(client: Client) -> list[str]:
    return [message["kind"] for message in client.messages]


def seqs(client: Client) -> list[int]:
    return [m["seq"] for m in client.messages if m["kind"] == "event"]


async def test_the_first_message_says_where_the_stream_begins() -> None:
    stage = Stage(2)
    await stage.append(7)
    client = await Client.connect(stage, NEW)
    (hello,) = client.messages
    assert hello == {
        "kind": "hello",
        "seq": 7,
        "at": stage.view().at,
        "fleet": "golden",
        "revision": stage.view().fleet.revision,
        "first": 1,
        "id": 7,
    }


async def test_rows_of_the_past_come_before_those_of_now() -> None:
    stage = Stage(2)
    await stage.append(20)
    stage.restart()
    client = await Client.connect(stage, ALL)
    await stage.append(20)
    await client.drain()
    client.check()
    assert seqs(client) == list(range(1, 41))


async def test_a_row_that_is_durable_and_not_told_yet_comes_once() -> None:
    stage = Stage(2)
    await stage.append(3)
    stage.restart()
    client = await Client.connect(stage, attrs.evolve(ALL, after=1))
    written = await stage.write(4)
    await client.take()
    stage.tell(written)
    stage.hub.take_in()
    await client.drain()
    assert seqs(client) == [2, 3, 4, 5, 6, 7]


async def test_who_joins_before_the_hub_has_taken_a_row_in_begins_behind_it() -> None:
    stage = Stage(2)
    stage.tell(await stage.write(4))
    client = await Client.connect(stage, NEW)
    stage.hub.take_in()
    await stage.append(1)
    await client.drain()
    assert client.messages[0]["seq"] == 4
    assert seqs(client) == [5]


async def test_rows_that_were_encoded_without_containers_come_with_them() -> None:
    stage = Stage(2)
    plain = await Client.connect(stage, NEW)
    await stage.append(10)
    shown = await Client.connect(stage, attrs.evolve(ALL, after=2))
    await stage.append(2)
    for client in (plain, shown):
        await client.drain()
        client.check()
    assert seqs(shown) == list(range(3, 13))


async def test_a_reader_that_is_too_slow_is_told_what_it_misses() -> None:
    stage = Stage(2, rows_max=4)
    client = await Client.connect(stage, NEW)
    await stage.append(2)
    assert await client.take()
    await stage.append(9)
    await client.drain()
    await stage.append(1)
    await client.drain()
    client.check()
    assert kinds(client) == ["hello", "event", "event", "gap", "event"]
    gap = client.messages[3]
    assert (gap["from"], gap["to"], gap["why"]) == (3, 11, "too slow")


async def test_a_row_of_very_many_containers_is_named_to_who_wants_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = Stage(2)
    shown, plain = [await Client.connect(stage, each) for each in (ALL, NEW)]
    await stage.append(1)
    for client in (shown, plain):
        await client.drain()
    monkeypatch.setattr(records, "BROAD", 0)
    await stage.append(1)  # it declares the fleet
    monkeypatch.undo()
    await stage.append(20)
    for client in (shown, plain):
        await client.drain()
        client.check()
    (gap,) = [each for each in shown.messages if each["kind"] == "gap"]
    assert (gap["from"], gap["to"]) == (2, 2)
    assert gap["why"] == "too many containers"
    assert seqs(shown) == [1, *range(3, 23)]
    assert seqs(plain) == list(range(1, 23))


async def test_a_row_of_very_many_containers_is_not_written_down_by_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who does not want its kind is not held up; who does has it from the journal."""
    written: list[tuple[int, str]] = []
    begun = records.Record.__init__

    def noted(record: records.Record, seq: int, *rest: Any) -> None:
        written.append((seq, threading.current_thread().name))
        begun(record, seq, *rest)

    monkeypatch.setattr(records.Record, "__init__", noted)
    stage = Stage(2)
    others = attrs.evolve(NEW, kinds=frozenset({ContainerStarted}))
    plain, picky = [await Client.connect(stage, each) for each in (NEW, others)]
    await stage.append(1)
    for client in (plain, picky):
        await client.drain()
    monkeypatch.setattr(records, "BROAD", 0)
    await stage.append(1)  # it declares the fleet
    monkeypatch.setattr(records, "BROAD", 1_000)
    await stage.append(20)
    here = threading.current_thread().name
    assert (2, here) not in written
    await picky.drain()
    assert 2 not in [seq for seq, _ in written]
    await plain.drain()
    assert [name != here for seq, name in written if seq == 2] == [True]
    for client in (plain, picky):
        client.check()
    assert seqs(plain) == list(range(1, 23))


async def test_a_slow_reader_takes_nothing_from_a_fast_one() -> None:
    stage = Stage(2, rows_max=4)
    slow, fast = [await Client.connect(stage, NEW) for _ in range(2)]
    for _ in range(10):
        await stage.append(3)
        await fast.drain()
        if len(slow.messages) == 1:
            await slow.take()
    await slow.drain()
    fast.check()
    slow.check()
    assert seqs(fast) == list(range(1, 31))
    assert kinds(slow) == ["hello", "event", "event", "event", "gap"]


async def test_rows_that_were_compacted_away_are_named() -> None:
    stage = Stage(2, base=30)
    await stage.append(3)
    stage.restart()
    for containers in (True, False):
        wanted = Wanted(after=10, containers=containers)
        client = await Client.connect(stage, wanted)
        await client.drain()
        client.check()
        assert client.messages[0]["first"] == 31
        gap = client.messages[1]
        assert (gap["from"], gap["to"], gap["why"]) == (11, 30, "compacted")
        assert seqs(client) == [31, 32, 33]


async def test_a_place_that_has_not_come_is_now() -> None:
    stage = Stage(2)
    await stage.append(3)
    client = await Client.connect(stage, attrs.evolve(ALL, after=1_000))
    await stage.append(1)
    await client.drain()
    assert client.messages[0]["seq"] == 3
    assert seqs(client) == [4]


@pytest.mark.parametrize("containers", [False, True])
async def test_a_reader_of_some_names_and_kinds_sees_those(*, containers: bool) -> None:
    stage = Stage(2)
    await stage.append(60)
    stage.restart()
    names = frozenset({next(iter(stage.view().fleet.containers))})
    ended = frozenset({ContainerEnded, ContainerStarted})
    wanted = attrs.evolve(ALL, names=names, kinds=ended, containers=containers)
    client = await Client.connect(stage, wanted)
    await stage.append(60)
    await client.drain()
    client.check()
    expected = [seq for seq in range(1, 121) if concerned(2, seq, wanted)]
    assert seqs(client) == expected
    assert expected


async def chunks_of(reader: Reader) -> bytes:
    return b"".join([chunk async for chunk in reader.chunks()])


async def test_when_the_operator_ends_what_is_held_is_sent_and_then_good_bye() -> None:
    stage = Stage(2)
    client = await Client.connect(stage, NEW)
    await stage.append(2)
    assert await client.take()
    await stage.append(3)
    stage.running.set_result(None)
    await asyncio.sleep(0)
    text = (await chunks_of(client.reader)).splitlines()
    assert [line[9:14] for line in text] == [
        b"hello",
        b"event",
        b"event",
        b"event",
        b'bye",',
    ]
    assert b"the operator has been closed" in text[-1]


async def test_a_reader_that_is_far_behind_does_not_keep_the_operator_open() -> None:
    stage = Stage(2)
    await stage.append(90)
    stage.restart()
    client = await Client.connect(stage, attrs.evolve(ALL, form=Form.NDJSON))
    stage.hub.end("enough")
    lines = (await chunks_of(client.reader)).splitlines()
    assert lines[-1] == b'{"kind":"bye","why":"enough"}'
    assert len(lines) == 2


async def test_a_journal_that_cannot_be_read_ends_the_stream_with_the_cause() -> None:
    stage = Stage(2)
    await stage.append(5)
    stage.restart()
    client = await Client.connect(stage, attrs.evolve(ALL, form=Form.NDJSON))
    stage.journal._rows.clear()  # the disk has lost them
    lines = (await chunks_of(client.reader)).splitlines()
    assert lines[-1].startswith(b'{"kind":"bye","why":"')


async def test_a_journal_that_cannot_say_where_it_begins_refuses_the_reader() -> None:
    class Gone:
        def beginning(self) -> object:
            return FutureResult.from_failure(JournalUnavailable(cause="gone"))

    stage = Stage(2)
    feed = attrs.evolve(stage.hub.feed, journal=Gone())  # type: ignore[arg-type]
    stage.hub.feed = feed
    assert isinstance(await begin(stage.hub, NEW), JournalUnavailable)


async def test_silence_is_broken_by_heartbeats_that_say_how_far_it_is() -> None:
    stage = Stage(2)
    await stage.append(3)
    wanted = attrs.evolve(NEW, heartbeat_ms=1)
    client = await Client.connect(stage, wanted)
    chunks = client.reader.chunks()
    await anext(chunks)
    client.receive(await anext(chunks))
    assert client.messages[-1]["kind"] == "heartbeat"
    assert client.messages[-1]["seq"] == 3
    await stage.append(1)
    client.receive(await anext(chunks))
    assert client.messages[-1]["kind"] == "event"
    await chunks.aclose()


@pytest.mark.parametrize("containers", [False, True])
async def test_a_row_that_makes_no_sense_ends_the_stream_with_its_place(
    *, containers: bool
) -> None:
    stage = Stage(2)
    await stage.append(5)
    stage.restart()
    stage.journal._rows[3] = attrs.evolve(stage.journal._rows[3], event=b'{"type":"x"}')
    wanted = Wanted(form=Form.NDJSON, after=0, containers=containers)
    client = await Client.connect(stage, wanted)
    lines = (await chunks_of(client.reader)).splitlines()
    assert lines[-1].startswith(b'{"kind":"bye","why":')
    assert b"row 4" in lines[-1]


async def test_a_past_that_cannot_be_folded_ends_the_stream_with_the_cause() -> None:
    stage = Stage(2)
    await stage.append(5)
    stage.restart()
    client = await Client.connect(
        stage, Wanted(form=Form.NDJSON, after=2, containers=True)
    )
    await stage.hub.feed.travel.close()
    lines = (await chunks_of(client.reader)).splitlines()
    assert lines[-1].startswith(b'{"kind":"bye","why":')


async def test_a_row_that_recorded_something_else_is_counted_and_sent() -> None:
    stage = Stage(2)
    await stage.append(9)
    stage.restart()
    row = stage.journal._rows[6]
    stage.journal._rows[6] = attrs.evolve(row, changes=b'{"web":{"run":77}}')
    client = await Client.connect(stage, ALL)
    await client.drain()
    client.check()
    assert stage.hub.feed.telemetry.divergences == 1


async def test_a_row_that_cannot_be_encoded_is_a_gap_and_no_wrong_number() -> None:
    stage = Stage(2)
    client = await Client.connect(stage, NEW)
    await stage.append(2)
    step = stage.hub._coming.append  # what the loop would hand over
    step(cast("Any", "no step"))
    with pytest.raises(AttributeError):
        stage.hub.take_in()
    await stage.write(1)
    stage.head += 1
    await stage.append(2)
    await client.drain()
    assert seqs(client) == [1, 2]
    gap = client.messages[-1]
    assert (gap["kind"], gap["from"], gap["to"]) == ("gap", 3, 5)
    await stage.append(1)
    await client.drain()
    assert seqs(client) == [1, 2, 6]
