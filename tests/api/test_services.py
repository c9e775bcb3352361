"""Services and orphans by HTTP: listed, scaled, adopted, ended; each at most once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from orchestrator import Prune, Table
from orchestrator.api.app import make_app
from orchestrator.api.headers import KEY_HEADER, REPLAYED_HEADER, SEQ_HEADER
from orchestrator.api.socket import serve
from tests.api.test_app import Api, session_of
from tests.api.test_asks import event_of
from tests.runtime.kit import LIMIT_MS, opened, value
from tests.runtime.test_scales import served

SCALE = "/v1/services/web/scale"
SECRET = Table.of([("API_TOKEN", "hunter2")])


@asynccontextmanager
async def api(folder: Path) -> AsyncIterator[Api]:

    async with opened(served(2, env=SECRET)) as kit:
        app = make_app(kit.operator, version="9.9")
        async with serve(app, folder) as path, session_of(path) as session:
            for name in ("web-0", "web-1"):
                await value(kit.operator.wait(name, limit_ms=LIMIT_MS))
            yield Api(kit, session, asyncio.Event())


async def orphan(it: Api) -> None:
    await value(it.kit.operator.apply(served(1, env=SECRET), prune=Prune.FORGET))


async def test_services_are_listed_with_their_numbers(tmp_path: Path) -> None:
    async with api(tmp_path) as it:
        [web] = (await it.call("GET", "/v1/services")).body
        assert (web["name"], web["replicas"], web["declared"]) == ("web", 2, 2)
        assert (web["ready"], web["members"]) == (2, ["web-0", "web-1"])


async def test_services_are_listed_as_they_were(tmp_path: Path) -> None:
    async with api(tmp_path) as it:
        before = it.kit.operator.seq
        await it.call("POST", SCALE, json={"replicas": 3})
        [web] = (await it.call("GET", f"/v1/services?at={before}")).body
        assert (web["replicas"], web["members"]) == (2, ["web-0", "web-1"])
        gone = await it.call("GET", "/v1/services?at=999999")
        assert gone.status == 422


async def test_a_scale_is_one_row_and_is_done_once(tmp_path: Path) -> None:
    async with api(tmp_path) as it:
        key = {KEY_HEADER: "sale-1"}
        body = {"replicas": 3, "by": "ann", "why": "a sale"}
        first = await it.call("POST", SCALE, json=body, headers=key)
        assert first.body["members"] == ["web-0", "web-1", "web-2"]
        event = await event_of(it, first.headers[SEQ_HEADER])
        assert (event["type"], event["service"], event["replicas"]) == (
            "scale_requested",
            "web",
            3,
        )
        again = await it.call("POST", SCALE, json=body, headers=key)
        assert again.headers[REPLAYED_HEADER] == "true"
        other = {**body, "replicas": 4}
        reused = await it.call("POST", SCALE, json=other, headers=key)
        assert (reused.status, reused.body["error"]["code"]) == (422, "key_reused")


async def test_what_looks_secret_is_in_no_answer(tmp_path: Path) -> None:
    async with api(tmp_path) as it:
        scaled = await it.call("POST", SCALE, json={"replicas": 3})
        await orphan(it)
        await it.call("POST", "/v1/orphans/web-1/adopt", json={})
        assert scaled.status == 200
        for path in ("/v1/events", "/v1/config", "/v1/services", "/v1/orphans"):
            answer = await it.call("GET", path)
            assert "hunter2" not in str(answer.body), path
        config = (await it.call("GET", "/v1/config")).body
        [service] = config["services"]
        assert service["template"]["env"] == {"API_TOKEN": "***"}


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/v1/services/ghost/scale", {"replicas": 1}, 404, "service_not_found"),
        (SCALE, {"replicas": 10_001}, 422, "invalid_spec"),
        (SCALE, {"replicas": -1}, 422, "invalid_spec"),
        (SCALE, {"replicas": "3"}, 422, "invalid_spec"),
        (SCALE, {}, 422, "invalid_spec"),
        ("/v1/orphans/ghost/adopt", {}, 404, "container_not_found"),
        ("/v1/orphans/web-0/adopt", {}, 422, "invalid_spec"),
        ("/v1/orphans/ghost/stop", {}, 404, "container_not_found"),
    ],
)
async def test_what_cannot_be_is_refused(
    tmp_path: Path, path: str, body: dict[str, object], status: int, code: str
) -> None:
    async with api(tmp_path) as it:
        refused = await it.call("POST", path, json=body)
        assert (refused.status, refused.body["error"]["code"]) == (status, code)


async def test_an_orphan_is_adopted_as_it_is(tmp_path: Path) -> None:
    async with api(tmp_path) as it:
        await orphan(it)
        listed = await it.call("GET", "/v1/orphans")
        assert listed.body == [{"name": "web-1", "run": 1, "stopping": False}]
        nobody = {"service": "ghost"}
        missing = await it.call("POST", "/v1/orphans/web-1/adopt", json=nobody)
        assert missing.status == 404
        adopted = await it.call("POST", "/v1/orphans/web-1/adopt", json={"by": "ann"})
        assert (adopted.body["phase"], adopted.body["run"]) == ("running", 1)
        assert (await it.call("GET", "/v1/orphans")).body == []


async def test_an_orphan_is_ended(tmp_path: Path) -> None:
    async with api(tmp_path) as it:
        await orphan(it)
        ending = await it.call("POST", "/v1/orphans/web-1/stop", json={"why": "old"})
        assert ending.body == {"name": "web-1", "run": 1, "stopping": True}
        await it.kit.until(lambda: len(it.kit.operator.fleet.strangers) == 0)
