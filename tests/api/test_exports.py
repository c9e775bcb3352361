"""The journal by HTTP: the bytes of a file, whole or visibly cut, and what it hides."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import pytest
from returns.future import FutureResult

from orchestrator.api import export_lines, exports
from orchestrator.api.app import make_app
from orchestrator.api.export_lines import Lines, pages, stretch_of
from orchestrator.api.guard.tokens import Grant
from orchestrator.api.headers import SEQ_HEADER
from orchestrator.api.socket import serve
from orchestrator.cli.transfers import redacted_before
from orchestrator.core.errors import (
    JournalCompacted,
    JournalCorrupt,
    JournalError,
    JournalUnavailable,
)
from orchestrator.core.notify import Notify
from orchestrator.core.services import Service
from orchestrator.core.table import Table
from orchestrator.journal.jsonl import export_rows
from orchestrator.journal.lines import open_lines
from orchestrator.journal.memory import MemoryJournal
from orchestrator.journal.port import Head, Journal, Row
from orchestrator.journal.provenance import Redacted
from orchestrator.journal.reading import RECORDING, Reading, beginning
from orchestrator.journal.sqlite import open_sqlite
from orchestrator.replay.verifying import verify
from orchestrator.runtime.outcomes import opened as result_of
from tests.api.documented import check_documented
from tests.api.guard.kit import HASTY, SOON_S, revoke, served
from tests.runtime.kit import LIMIT_MS, FullJournal, Kit, fleet, opened, spec, value
from tests.runtime.travel_kit import compacted, fill, history

PLANTED = "hunter2-planted"


class Moody(FullJournal):
    """A journal whose reading can break off at a page."""

    def __init__(self) -> None:
        super().__init__()
        self.good_pages: int | None = None
        self.why: JournalError = JournalUnavailable(cause="disk gone")
        self.sizes: list[int] = []

    def read(
        self, after: int, limit: int
    ) -> FutureResult[tuple[Row, ...], JournalError]:
        self.sizes.append(limit)
        if self.good_pages is not None:
            if not self.good_pages:
                return FutureResult.from_failure(self.why)
            self.good_pages -= 1
        return super().read(after, limit)


@attrs.frozen
class Exporting:
    kit: Kit
    session: aiohttp.ClientSession

    async def raw(
        self, query: str = "", **headers: str
    ) -> tuple[int, bytes, dict[str, str]]:
        url = f"http://x/v1/export{query}"
        async with self.session.get(url, headers=headers) as answer:
            data = await answer.read()
            found = dict(answer.headers.items())
            check_documented("GET", "/v1/export", answer.status, answer.headers, data)
            return answer.status, data, found

    async def error(self, query: str = "") -> tuple[int, str]:
        status, body, _ = await self.raw(query)
        return status, json.loads(body)["error"]["code"]


@asynccontextmanager
async def exporting(folder: Path, **means: Any) -> AsyncIterator[Exporting]:
    quiet = fleet(spec("web"), reconcile_interval_ms=0)
    declared = means.pop("declared", None) or quiet
    means.setdefault("journal", Moody())
    async with opened(declared, **means) as kit:
        app = make_app(kit.operator, version="9.9")
        async with (
            serve(app, folder) as path,
            aiohttp.ClientSession(
                connector=aiohttp.UnixConnector(str(path)),
                headers={"Accept-Encoding": "identity"},
                auto_decompress=False,
            ) as session,
        ):
            await value(kit.operator.converge(limit_ms=LIMIT_MS, steady_ms=0))
            yield Exporting(kit, session)


async def file_of(journal: Journal, folder: Path, end: int, name: str) -> bytes:
    """Return the file that an export of a journal up to a row is."""
    base = await value(journal.beginning())
    begin = 0 if base is None else base.seq
    rows = await value(journal.read(begin, end - begin))
    path = folder / name
    result_of(export_rows(path, rows, base))
    return path.read_bytes()


def read_of(data: bytes) -> Reading:
    """Read an export to its end."""
    read = Reading(open_lines(io.BytesIO(data)))
    for _ in read.rows():
        pass
    return read


def is_whole(data: bytes) -> bool:
    read = read_of(data)
    return read.error is None and read.cut_at_line is None


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_it_is_the_file_that_the_command_writes(
    tmp_path: Path, kind: str
) -> None:
    journal: Any = Moody()
    if kind == "sqlite":
        journal = await value(open_sqlite(tmp_path / "journal.db"))
    async with exporting(tmp_path, journal=journal) as it:
        status, data, headers = await it.raw()
        end = int(headers[SEQ_HEADER])
        assert (status, end) == (200, it.kit.operator.seq)
        assert headers["Content-Type"] == "application/x-ndjson"
        assert data == await file_of(journal, tmp_path, end, "whole.jsonl")
        packed = await file_of(journal, tmp_path, end, "whole.jsonl.gz")
        _, data, headers = await it.raw("?gzip=true")
        assert data == packed
        assert headers["Content-Type"] == "application/gzip"
        assert headers["Content-Disposition"].endswith(f'"demo-{end}.jsonl.gz"')
        _, data, headers = await it.raw(**{"Accept-Encoding": "br, gzip;q=0.5"})
        assert (data, headers["Content-Encoding"]) == (packed, "gzip")
        assert headers["Content-Type"] == "application/x-ndjson"


@pytest.mark.parametrize("accepted", ["identity", "br", "gzip;q=0", "gzip; q=0.0"])
async def test_who_does_not_unpack_gets_it_plain(tmp_path: Path, accepted: str) -> None:
    async with exporting(tmp_path) as it:
        _, data, headers = await it.raw(**{"Accept-Encoding": accepted})
        assert "Content-Encoding" not in headers
        assert is_whole(data)


async def test_it_verifies_and_reads_back(tmp_path: Path) -> None:
    async with exporting(tmp_path) as it:
        _, data, _ = await it.raw()
        read = Reading(open_lines(io.BytesIO(data)))
        fleet = beginning(read).unwrap()
        verdict = verify(read.entries(), RECORDING, fleet=fleet).unwrap()
        assert read.head == await value(it.kit.journal.head())
        assert verdict.fleet == it.kit.operator.fleet


async def test_it_ends_where_the_journal_ended_when_it_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_lines, "PAGE", 1)
    async with exporting(tmp_path) as it:
        async with it.session.get("http://x/v1/export") as answer:
            end = int(answer.headers[SEQ_HEADER])
            for number in range(5):
                await value(it.kit.operator.start_container(f"more-{number}"))
            data = await answer.read()
        assert it.kit.operator.seq > end
        assert data == await file_of(it.kit.journal, tmp_path, end, "whole.jsonl")


async def test_a_page_is_all_that_is_held_of_a_journal_that_nobody_takes() -> None:
    journal = Moody()
    await fill(journal, history(2, 240))
    stretch = await stretch_of(journal)
    assert not isinstance(stretch, JournalError)
    taking = pages(journal, stretch)
    assert journal.sizes == []
    await anext(taking)
    assert journal.sizes == [export_lines.PAGE]
    await anext(taking)
    assert journal.sizes == [export_lines.PAGE, 240 - export_lines.PAGE]
    with pytest.raises(StopAsyncIteration):
        await anext(taking)


async def test_what_cannot_be_read_at_all_has_a_status(tmp_path: Path) -> None:
    async with exporting(tmp_path) as it:
        it.kit.journal.good_pages = 0  # type: ignore[attr-defined]
        assert await it.error() == (503, "journal_unavailable")


@pytest.mark.parametrize(
    "why",
    [
        JournalUnavailable(cause="disk gone"),
        JournalCompacted(asked=1, base=2),
        JournalCorrupt(seq=2, place="row", expected="a row", found="none"),
    ],
)
@pytest.mark.parametrize("query", ["", "?gzip=true"])
async def test_an_export_that_breaks_off_is_seen_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: JournalError, query: str
) -> None:
    monkeypatch.setattr(export_lines, "PAGE", 1)
    async with exporting(tmp_path) as it:
        journal = it.kit.journal
        assert isinstance(journal, Moody)
        journal.good_pages, journal.why = 3, why
        taken: list[bytes] = []
        async with it.session.get(f"http://x/v1/export{query}") as answer:
            assert answer.status == 200
            with pytest.raises(aiohttp.ClientError):
                await take(answer, taken)
        assert not is_whole(b"".join(taken))


async def take(answer: aiohttp.ClientResponse, taken: list[bytes]) -> None:
    """Take what comes until the end, or until it breaks off."""
    async for piece in answer.content.iter_any():
        taken.append(piece)  # noqa: PERF401 - what came before the break counts


@pytest.mark.parametrize("token", [None, "revoked"])
async def test_who_has_not_taken_all_of_it_when_the_operator_leaves_sees_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str | None
) -> None:
    """So it is where the token is revoked meanwhile."""
    letting = asyncio.Event()

    async def slow(journal: Journal, stretch: Any) -> AsyncIterator[Any]:
        async for rows in pages(journal, stretch):
            yield rows
            await letting.wait()

    monkeypatch.setattr(exports, "pages", slow)
    async with asyncio.timeout(SOON_S), aiohttp.ClientSession() as session:
        async with served(tmp_path, limits=HASTY) as door:
            headers = {"Accept-Encoding": "identity"}
            if token is not None:
                secret = door.token("one", Grant.WRITE)
                headers["Authorization"] = f"Bearer {secret}"
            answer = await session.get(f"{door.url}/v1/export", headers=headers)
            data = await answer.content.readany()
            if token is not None:
                revoke(door.state, "one")
                with pytest.raises(aiohttp.ClientError):
                    await answer.read()
        with pytest.raises(aiohttp.ClientError):
            data += await answer.read()
        answer.close()
    assert data.startswith(b'{"format"')
    assert not is_whole(data)


async def test_no_more_than_some_are_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    letting, begun = asyncio.Event(), asyncio.Semaphore(0)

    async def slow(journal: Journal, stretch: Any) -> AsyncIterator[Any]:
        begun.release()
        await letting.wait()
        async for rows in pages(journal, stretch):
            yield rows

    monkeypatch.setattr(exports, "pages", slow)
    async with asyncio.timeout(SOON_S), exporting(tmp_path) as it:
        asking = [asyncio.ensure_future(it.raw()) for _ in range(exports.AT_ONCE)]
        for _ in asking:
            await begun.acquire()
        assert await it.error() == (429, "too_many_requests")
        letting.set()
        for _, data, _ in await asyncio.gather(*asking):
            assert is_whole(data)
        assert (await it.raw())[0] == 200


async def test_a_reader_who_takes_nothing_is_cut_off_and_makes_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "STALLED_S", 0.1)
    monkeypatch.setattr(exports, "AT_ONCE", 1)
    big = spec("big", config=Table.of([("much", "x" * 8_000_000)]))
    async with exporting(tmp_path, declared=fleet(big)) as it:
        answer = await it.session.get("http://x/v1/export")
        async with asyncio.timeout(SOON_S):
            # What is packed is little: who asks for it holds nothing up.
            while (await it.raw("?gzip=true"))[0] == 429:  # noqa: ASYNC110 - only tests ask
                await asyncio.sleep(0.05)
        with pytest.raises(aiohttp.ClientError):
            await answer.read()


# What answers hide


HIDING = {
    "env": fleet(spec("web", env=Table.of([("API_TOKEN", PLANTED)]))),
    "config": fleet(spec("web", config=Table.of([("password", PLANTED)]))),
    "command": fleet(spec("web", command=("run", "--password", PLANTED))),
    "notify": fleet(spec("web"), notify=Notify(url=f"https://hook.example/{PLANTED}")),
    "template": fleet(
        spec("web"), ad_hoc=spec("any", env=Table.of([("API_TOKEN", PLANTED)]))
    ),
    "service": attrs.evolve(
        fleet(spec("web")),
        services=(
            Service(
                template=spec("none", env=Table.of([("API_TOKEN", PLANTED)])),
                replicas=0,
            ),
        ),
    ),
}


@pytest.mark.parametrize("what", HIDING)
@pytest.mark.parametrize("query", ["", "?redact=true&keep=config"])
async def test_who_may_only_read_is_not_shown_what_answers_hide(
    tmp_path: Path, what: str, query: str
) -> None:
    async with served(tmp_path) as door:
        reader = door.token("reader", Grant.READ)
        writer = door.token("writer", Grant.WRITE)
        path = f"/v1/export{query}"
        found = await door.call("GET", path, reader)
        assert (found.status, is_whole(found.body)) == (200, True)
        await value(door.kit.operator.apply(HIDING[what]))
        found = await door.call("GET", path, reader)
        assert (found.status, found.code) == (403, "not_allowed")
        assert PLANTED not in str(found.body)
        found = await door.call("GET", path, writer)
        assert (found.status, is_whole(found.body)) == (200, True)
        found = await door.call("GET", "/v1/export?redact=true", reader)
        assert (found.status, is_whole(found.body)) == (200, True)
        assert PLANTED.encode() not in found.body


@pytest.mark.parametrize("what", ["env", "service"])
async def test_what_a_base_holds_is_hidden_as_well(what: str) -> None:
    """The rows in which it was declared may have been compacted away."""
    journal = MemoryJournal()
    async with opened(HIDING[what], journal=journal) as kit:
        await value(kit.operator.converge(limit_ms=LIMIT_MS, steady_ms=0))
        fleet_then, seq = kit.operator.fleet, kit.operator.seq
    head = await value(journal.head())
    base = await value(journal.latest_snapshot())
    assert base is not None
    assert base.head == head
    assert seq == head.seq
    assert fleet_then.containers
    assert exports._hidden_in(export_lines.reading_of(base=base)) == exports._HIDDEN
    bare = attrs.evolve(base, body=b"{}")
    damage = exports._hidden_in(export_lines.reading_of(base=bare))
    assert isinstance(damage, JournalCorrupt)


# In other words


async def test_in_other_words_it_replays_and_names_where_it_comes_from(
    tmp_path: Path,
) -> None:
    async with exporting(tmp_path) as it:
        await value(it.kit.operator.start_container("telling-name"))
        for query in ("?redact=true", "?redact=true&gzip=true"):
            _, data, headers = await it.raw(query)
            seq = int(headers[SEQ_HEADER])
            read = Reading(open_lines(io.BytesIO(data)))
            fleet = beginning(read).unwrap()
            told = verify(read.entries(), RECORDING, fleet=fleet).unwrap().fleet
            (last,) = await value(it.kit.journal.read(seq - 1, 1))
            assert redacted_before(read) == Redacted(of=last.digest.hex())
            assert (read.head.seq, len(told.containers)) == (seq, 2)
            plain = data if "gzip" not in query else gzip.decompress(data)
            assert b"telling-name" not in plain
        _, data, _ = await it.raw("?redact=true&keep=names,texts")
        assert b"telling-name" in data


async def test_what_is_kept_needs_something_that_is_not(tmp_path: Path) -> None:
    async with exporting(tmp_path) as it:
        assert await it.error("?keep=names") == (422, "invalid_spec")
        assert await it.error("?redact=true&keep=all") == (422, "invalid_spec")


async def test_a_journal_of_too_many_names_is_told_in_its_own_words_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "WORDS_MAX", 5)
    async with exporting(tmp_path) as it:
        assert await it.error("?redact=true") == (422, "invalid_spec")
        assert (await it.raw())[0] == 200


async def test_a_compacted_journal_begins_with_its_base_also_in_other_words(
    tmp_path: Path,
) -> None:
    journal = await compacted(2, 240, 100)
    stretch = await stretch_of(journal)
    assert not isinstance(stretch, JournalError)
    whole = await file_of(journal, tmp_path, 240, "whole.jsonl")
    lines = Lines(stretch, None, is_packed=False)
    assert await all_of(lines, journal, stretch) == whole


async def all_of(lines: Lines, journal: Journal, stretch: Any) -> bytes:
    parts: list[bytes] = []
    add: Callable[[Any], None] = parts.append
    add(lines.beginning())
    async for rows in pages(journal, stretch):
        assert isinstance(rows, tuple)
        add(lines.page(rows))
    add(lines.end())
    return b"".join(parts)


async def test_rows_that_are_not_a_chain_are_no_export() -> None:
    journal = Moody()
    await fill(journal, history(2, 30))
    stretch = await stretch_of(journal)
    assert not isinstance(stretch, JournalError)
    false_end = attrs.evolve(stretch, head=Head(seq=30, digest=bytes(32)))
    found = [rows async for rows in pages(journal, false_end)]
    assert isinstance(found[-1], JournalCorrupt)
    beyond = attrs.evolve(stretch, head=Head(seq=31, digest=bytes(32)))
    found = [rows async for rows in pages(journal, beyond)]
    assert isinstance(found[-1], JournalCorrupt)
    journal._rows[9] = attrs.evolve(journal._rows[9], event=b"{}")
    found = [rows async for rows in pages(journal, stretch)]
    assert [type(each) for each in found] == [JournalCorrupt]
