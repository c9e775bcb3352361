"""Looking back by HTTP: steps, timelines, history, sifted events; nothing secret."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import attrs
import pytest
from returns.future import FutureResult

from orchestrator.api.app import make_app
from orchestrator.api.headers import SEQ_HEADER
from orchestrator.api.pages_of_events import SIFTED_MAX, Sieve, Wanted
from orchestrator.api.socket import serve
from orchestrator.core.errors import JournalError, JournalUnavailable
from orchestrator.core.table import Table
from orchestrator.journal.memory import MemoryJournal
from orchestrator.journal.port import Row, Snapshot
from orchestrator.replay.places import AfterRow
from orchestrator.runtime.feed import Feed
from tests.api.test_app import Api, api, session_of
from tests.runtime.kit import FullJournal, fleet, opened, spec, value
from tests.runtime.travel_kit import fill, history

PLANTED = "hunter2-planted"
SECRET = {
    "name": "vault",
    "command": ["run"],
    "env": {"API_TOKEN": PLANTED, "COLOUR": "blue"},
    "config": {"password": PLANTED, "size": 3},
}


async def rows_of(it: Api, **more: Any) -> list[dict[str, Any]]:
    found = (await it.call("GET", "/v1/events", params=more)).body
    assert isinstance(found, list)
    return found


async def test_a_step_says_what_it_changed_and_why(tmp_path: Path) -> None:
    async with api(tmp_path) as it:
        ended = next(
            row["seq"] for row in await rows_of(it, type="container_ended", name="dead")
        )
        told = (await it.call("GET", f"/v1/steps/{ended}")).body
        assert (told["seq"], told["event"]["type"]) == (ended, "container_ended")
        phase = told["changes"]["dead"]["phase"]
        assert phase["before"]["type"] in {"starting", "running"}
        assert phase["after"]["type"] == "crash_looping"
        before, after = (told["containers"]["dead"][k] for k in ("before", "after"))
        at = f"/v1/containers/dead?at={ended}"
        shown = (await it.call("GET", at)).body
        assert after == shown
        assert before["phase"] != after["phase"]
        assert told["why"]["dead"] == after["why"]
        applied = (await it.call("GET", "/v1/steps/2")).body
        assert applied["containers"]["web"]["before"] is None
        assert applied["changes"]["web"]["spec"]["before"] is None
        assert applied["commands"] == []


async def test_a_step_that_was_not_taken_is_refused(tmp_path: Path) -> None:
    async with api(tmp_path) as it:
        for seq in ("0", "999", "-1", "x", "1" * 30, "%C2%B2"):
            refused = await it.call("GET", f"/v1/steps/{seq}")
            assert (refused.status, refused.body["error"]["code"]) == (
                422,
                "invalid_spec",
            ), seq


async def test_a_timeline_is_of_one_container_up_to_now(tmp_path: Path) -> None:
    async with api(tmp_path) as it:
        told = (await it.call("GET", "/v1/containers/dead/timeline")).body
        assert (told["first_row"], told["last_row"]) == (1, it.kit.operator.seq)
        (course,) = told["containers"]
        assert course["name"] == "dead"
        assert [run["crashed"] for run in course["runs"]] == [True]
        assert told["ends_at"] >= course["runs"][0]["ended_at"]
        assert course["totals"]["crashes"] == 1
        assert course["waits"][-1]["until_at"] is None
        part = "/v1/containers/dead/timeline?from=2&until=4"
        some = (await it.call("GET", part)).body
        assert (some["first_row"], some["last_row"]) == (3, 4)
        nobody = await it.call("GET", "/v1/containers/nobody/timeline")
        assert nobody.status == 404


async def test_the_history_is_as_the_fleet_was(tmp_path: Path) -> None:
    async with api(tmp_path) as it:
        told = (await it.call("GET", "/v1/history?points=7&from=0")).body
        assert 1 <= len(told["points"]) <= 7
        assert sum(point["crashes"] for point in told["points"]) == 1
        last = told["points"][-1]
        assert (last["at"], last["seq"]) == (told["ends_at"], told["last_row"])
        facts = (await it.call("GET", "/v1/fleet")).body
        assert last["phases"] == facts["phases"]
        assert (last["wanted"], last["ready"]) == (2, 1)
        for query in ("from=5&until=2", "from=9999", "points=0", "points=1001"):
            refused = await it.call("GET", f"/v1/history?{query}")
            assert refused.status == 422, query


async def test_events_are_sifted_by_what_they_are_and_whom_they_concern(
    tmp_path: Path,
) -> None:
    async with api(tmp_path) as it:
        rows = await rows_of(it)
        kinds = ("container_started", "container_ended")
        found = await rows_of(it, type=",".join(kinds))
        assert found == [row for row in rows if row["event"]["type"] in kinds]
        own = await rows_of(it, name="web")
        applied = next(r for r in rows if r["event"]["type"] == "spec_applied")
        assert own[0] == applied
        assert all(row in own for row in rows if row["event"].get("name") == "web")
        assert not any(row["event"].get("name") == "dead" for row in own)
        page = await it.call("GET", "/v1/events?name=web&limit=2")
        assert page.body == own[:2]
        assert page.headers[SEQ_HEADER] == str(own[1]["seq"])
        after = page.headers[SEQ_HEADER]
        rest = await it.call("GET", f"/v1/events?name=web&after={after}")
        assert rest.body == own[2:]
        nothing = await it.call("GET", "/v1/events?name=nobody&wait_ms=1")
        assert nothing.body == []
        assert int(nothing.headers[SEQ_HEADER]) >= rows[-1]["seq"]
        assert (await it.call("GET", "/v1/events?limit=0&wait_ms=1000")).body == []


async def test_a_wait_ends_with_the_first_event_that_is_wanted(tmp_path: Path) -> None:
    async with api(tmp_path) as it:
        seq = it.kit.operator.seq
        path = f"/v1/events?type=stop_requested&after={seq}&wait_ms=60000"
        waiting = asyncio.ensure_future(it.call("GET", path))
        await value(it.kit.operator.reconcile())
        await value(it.kit.operator.stop_container("web", by="alice"))
        (row,) = (await asyncio.wait_for(waiting, 60)).body
        assert (row["event"]["type"], row["event"]["by"]) == ("stop_requested", "alice")


async def test_a_page_looks_at_so_many_rows_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("orchestrator.api.pages_of_events.PAGE", 40)
    monkeypatch.setattr("orchestrator.api.pages_of_events.SIFTED_MAX", 80)
    assert SIFTED_MAX > 80
    async with opened(fleet(spec("web"))) as kit:
        journal = MemoryJournal()
        await fill(journal, history(2, 200))
        feed: Feed = kit.operator.feed
        wanted = Wanted(names=("nobody",))
        sieve = Sieve(_of(feed, journal), wanted, 0, asyncio.Semaphore(1))
        assert await sieve.fill(10) is None
        assert (sieve.found, sieve.seq, sieve.is_tired) == ([], 80, True)


async def test_few_pages_are_looked_at_at_the_same_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at_once: list[int] = []
    running = threading.Semaphore(0)
    original = Sieve._sift

    def sift(self: Sieve, rows: tuple[Row, ...], limit: int) -> JournalError | None:
        running.release()
        at_once.append(running._value)
        try:
            return original(self, rows, limit)
        finally:
            running.acquire()

    monkeypatch.setattr(Sieve, "_sift", sift)
    async with opened(fleet(spec("web"))) as kit:
        journal = MemoryJournal()
        await fill(journal, history(2, 200))
        feed, turns = _of(kit.operator.feed, journal), asyncio.Semaphore(1)
        wanted = Wanted(names=("nobody",))
        sieves = [Sieve(feed, wanted, 0, turns) for _ in range(8)]
        assert await asyncio.gather(*(sieve.fill(1) for sieve in sieves)) == [None] * 8
        assert at_once == [1] * 8


def _of(feed: Feed, journal: MemoryJournal) -> Feed:
    return attrs.evolve(feed, journal=journal)


async def test_nothing_that_looks_secret_is_in_any_answer(tmp_path: Path) -> None:
    async with api(tmp_path) as it:
        path = "/v1/containers/vault/start"
        started = await it.call("POST", path, json={"spec": SECRET})
        assert started.status == 200
        seq = int(started.headers[SEQ_HEADER])
        declared = {"name": "demo", "containers": [SECRET]}
        applied = await it.call("PUT", "/v1/spec", json=declared)
        rows = (seq, int(applied.headers[SEQ_HEADER]))
        for look in (
            *(f"/v1/steps/{row}" for row in rows),
            "/v1/events",
            "/v1/config",
            "/v1/fleet",
            "/v1/containers/vault",
            "/v1/containers/vault/spec",
            "/v1/containers/vault/explain",
            "/v1/containers/vault/timeline",
        ):
            found = await it.call("GET", look)
            assert found.status == 200, look
            assert PLANTED not in json.dumps(found.body), look
        own = (await it.call("GET", "/v1/containers/vault/spec")).body
        assert own["env"] == {"API_TOKEN": "***", "COLOUR": "blue"}
        assert own["config"] == {"password": "***", "size": 3}
        kept = it.kit.operator.fleet.containers["vault"].spec
        assert kept.config == Table.of([("password", PLANTED), ("size", 3)])
        before = await value(it.kit.operator.fleet_at(AfterRow(seq - 1)))
        assert "vault" not in before.containers


async def test_a_journal_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    class Unreadable(FullJournal):
        shut = False

        def read(
            self, after: int, limit: int
        ) -> FutureResult[tuple[Row, ...], JournalError]:
            gone = JournalUnavailable(cause="gone")
            return (
                FutureResult.from_failure(gone)
                if self.shut
                else super().read(after, limit)
            )

        def beginning(self) -> FutureResult[Snapshot | None, JournalError]:
            return self.gone() if self.shut else super().beginning()

        def gone(self) -> FutureResult[Any, JournalError]:
            return FutureResult.from_failure(JournalUnavailable(cause="gone"))

    journal = Unreadable()
    async with opened(fleet(spec("web")), journal=journal) as kit:
        app = make_app(kit.operator, version="1")
        async with serve(app, tmp_path) as path, session_of(path) as session:
            it = Api(kit, session, asyncio.Event())
            journal.shut = True
            for look in (
                "/v1/events",
                "/v1/events?after=1",
                "/v1/events?after=1&name=web&wait_ms=20",
                "/v1/steps/2",
                "/v1/containers/web/timeline",
                "/v1/history",
            ):
                found = await it.call("GET", look)
                code = found.body["error"]["code"]
                assert (found.status, code) == (503, "journal_unavailable"), look
            journal.shut = False
