"""Rollouts by HTTP: read, asked for once, refused; each answer as it is documented."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from orchestrator.api.app import make_app
from orchestrator.api.counts import Tally
from orchestrator.api.headers import KEY_HEADER, REPLAYED_HEADER, SEQ_HEADER
from orchestrator.api.metrics import scraped
from orchestrator.api.socket import serve
from orchestrator.core.lineages import RolloutStatus
from tests.api.test_app import Api, session_of
from tests.api.test_asks import event_of
from tests.runtime.kit import LIMIT_MS, opened, value
from tests.runtime.test_rollouts import MANUAL, come_up, has, served

ROLLOUT = "/v1/services/web/rollout"


@asynccontextmanager
async def api(folder: Path) -> AsyncIterator[Api]:
    async with opened(served(policy=MANUAL)) as kit:
        app = make_app(kit.operator, version="9.9")
        async with serve(app, folder) as path, session_of(path) as session:
            await come_up(kit)
            yield Api(kit, session, asyncio.Event())


async def roll_out(it: Api) -> None:
    """Begin a rollout, and wait until it waits for a promotion."""
    await value(it.kit.operator.apply(served("two", MANUAL)))
    await has(it.kit, RolloutStatus.AWAITING_PROMOTION)


async def over(it: Api) -> None:
    await value(it.kit.operator.wait_for_rollout("web", limit_ms=LIMIT_MS))


async def test_a_rollout_is_read_with_its_replicas(tmp_path: Path) -> None:
    async with api(tmp_path) as it:
        before = (await it.call("GET", "/v1/fleet")).body["seq"]
        await roll_out(it)
        info = (await it.call("GET", ROLLOUT)).body
        assert (info["status"], info["revision"]) == ("awaiting_promotion", 2)
        assert [each["state"] for each in info["members"]] == ["counted", "old", "old"]
        assert (await it.call("GET", "/v1/rollouts")).body == [info]
        then = await it.call("GET", f"{ROLLOUT}?at={before}")
        assert (then.status, then.body["error"]["code"]) == (404, "rollout_not_found")
        assert (await it.call("GET", f"/v1/rollouts?at={before}")).body == []
        history = (await it.call("GET", f"{ROLLOUT}/history")).body
        assert [one["number"] for one in history["revisions"]] == [1, 2]
        [web] = (await it.call("GET", "/v1/services")).body
        assert (web["revision"], web["rollout"]) == (1, "awaiting_promotion")


async def test_each_request_is_one_row_and_is_done_once(tmp_path: Path) -> None:
    async with api(tmp_path) as it:
        await roll_out(it)
        asked = {"by": "ann", "why": "lunch"}
        key = {KEY_HEADER: "lunch-1"}
        first = await it.call("POST", f"{ROLLOUT}/pause", json=asked, headers=key)
        assert first.body["status"] == "paused"
        event = await event_of(it, first.headers[SEQ_HEADER])
        told = [event[name] for name in ("type", "service", "action", "by", "why")]
        assert told == ["rollout_requested", "web", "pause", "ann", "lunch"]
        again = await it.call("POST", f"{ROLLOUT}/pause", json=asked, headers=key)
        assert again.headers[REPLAYED_HEADER] == "true"
        reused = await it.call("POST", f"{ROLLOUT}/abort", json=asked, headers=key)
        assert (reused.status, reused.body["error"]["code"]) == (422, "key_reused")
        for action, status in (
            ("resume", "awaiting_promotion"),
            ("promote", "progressing"),
        ):
            answer = await it.call("POST", f"{ROLLOUT}/{action}", json={})
            assert answer.body["status"] == status
        await over(it)
        undone = await it.call("POST", f"{ROLLOUT}/undo", json={"to": 1})
        assert (undone.body["revision"], undone.body["previous"]) == (3, 2)
        aborted = await it.call("POST", f"{ROLLOUT}/abort", json={})
        assert aborted.body["status"] == "reverting"
        await over(it)
        started = await it.call("POST", f"{ROLLOUT}/start", json={})
        assert started.body["revision"] == 4


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/v1/services/ghost/rollout/start", {}, 404, "service_not_found"),
        (f"{ROLLOUT}/resume", {}, 409, "rollout_refused"),
        (f"{ROLLOUT}/start", {}, 409, "rollout_refused"),
        (f"{ROLLOUT}/start", {"to": 1}, 422, "invalid_spec"),
        (f"{ROLLOUT}/undo", {"to": 99}, 404, "rollout_not_found"),
        (f"{ROLLOUT}/undo", {"to": 0}, 422, "invalid_spec"),
        (f"{ROLLOUT}/undo", {"to": "1"}, 422, "invalid_spec"),
        (f"{ROLLOUT}/explode", {}, 404, "not_found"),
    ],
)
async def test_what_cannot_be_is_refused(
    tmp_path: Path, path: str, body: dict[str, object], status: int, code: str
) -> None:
    async with api(tmp_path) as it:
        await roll_out(it)
        refused = await it.call("POST", path, json=body)
        assert (refused.status, refused.body["error"]["code"]) == (status, code)


async def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    async with api(tmp_path) as it:
        for path, code in (
            (ROLLOUT, "rollout_not_found"),
            (f"{ROLLOUT}/history", "rollout_not_found"),
            ("/v1/services/ghost/rollout", "service_not_found"),
            ("/v1/services/ghost/rollout/history", "service_not_found"),
        ):
            missing = await it.call("GET", path)
            assert (missing.status, missing.body["error"]["code"]) == (404, code)


async def test_metrics_tell_how_far_rollouts_are(tmp_path: Path) -> None:
    async with api(tmp_path) as it:
        assert await measured(it, "fleet_rollouts") == {}
        await roll_out(it)
        assert await measured(it, "fleet_rollouts") == {"awaiting_promotion": 1.0}
        share = await measured(it, "fleet_rollout_progress_ratio")
        assert share == {"web": pytest.approx(1 / 3)}
        await it.call("POST", f"{ROLLOUT}/promote", json={})
        await over(it)
        assert await measured(it, "fleet_rollouts") == {"done": 1.0}
        assert await measured(it, "fleet_rollout_progress_ratio") == {"web": 1.0}
        await it.call("POST", f"{ROLLOUT}/undo", json={})
        await it.call("POST", f"{ROLLOUT}/abort", json={})
        await over(it)
        assert await measured(it, "fleet_rollouts") == {"reverted": 1.0}
        assert await measured(it, "fleet_rollout_progress_ratio") == {}


async def measured(it: Api, name: str) -> dict[str, float]:
    """Return what a metric is for each value of its label, where it is not 0."""
    tally = Tally.of(it.kit.operator.fleet.containers.values())
    body, _ = await scraped(it.kit.operator, tally)
    lines = [line for line in body.decode().splitlines() if f"{name}{{" in line]
    found = {line.split('"')[1]: float(line.split()[-1]) for line in lines}
    return {label: count for label, count in found.items() if count}
