"""Loads by HTTP: told, answered with what they come to, refused in words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest

from orchestrator.api.app import make_app
from orchestrator.api.headers import KEY_HEADER, REPLAYED_HEADER, SEQ_HEADER
from orchestrator.api.socket import serve
from orchestrator.core.autoscaling import Autoscaling
from tests.api.test_app import Api, session_of
from tests.api.test_asks import event_of
from tests.runtime.kit import opened
from tests.runtime.test_measurer import IN_FLIGHT, served
from tests.runtime.test_measurer import POLICY as SHORT

POLICY = attrs.evolve(SHORT, window_ms=600_000)
"""What was told is not forgotten before it is asked for."""

LOAD = "/v1/services/web/load"


@asynccontextmanager
async def api(folder: Path, policy: Autoscaling | None = POLICY) -> AsyncIterator[Api]:
    async with opened(served(policy)) as kit:
        app = make_app(kit.operator, version="9.9")
        async with serve(app, folder) as path, session_of(path) as session:
            yield Api(kit, session, asyncio.Event())


async def test_a_load_scales_and_the_answer_says_so(tmp_path: Path) -> None:
    async with api(tmp_path) as it:
        told = await it.call("POST", LOAD, json={"load": 41.5})
        assert (told.status, told.body["replicas"]) == (200, 5)
        assert told.body["autoscaling"]["load"] == 41.5
        assert told.body["autoscaling"]["metric"] == "pushed"
        event = await event_of(it, told.headers[SEQ_HEADER])
        assert (event["type"], event["load_milli"]) == ("load_observed", 41_500)
        [web] = (await it.call("GET", "/v1/services")).body
        assert (web["replicas"], web["declared"]) == (5, 1)
        assert web["autoscaling"]["wanted"] == 5


async def test_metrics_say_what_a_service_bears_and_should_have(
    tmp_path: Path,
) -> None:
    async with api(tmp_path) as it:
        async with it.session.get("http://x/metrics") as answer:
            before = await answer.text()
        await it.call("POST", LOAD, json={"load": 45})
        async with it.session.get("http://x/metrics") as answer:
            after = await answer.text()
    assert 'fleet_service_replicas{service="web"} 1.0' in before
    assert "fleet_service_load_ratio{" not in before
    assert 'fleet_service_replicas{service="web"} 5.0' in after
    assert 'fleet_service_wanted{service="web"} 5.0' in after
    assert 'fleet_service_load_ratio{service="web"} 0.9' in after


async def test_a_key_makes_no_load_a_repeated_one(tmp_path: Path) -> None:
    async with api(tmp_path) as it:
        key = {KEY_HEADER: "again"}
        # The average may be one of two slots: it wants more than there may be anyhow.
        for load, replicas in ((15, 2), (1_000, 6)):
            told = await it.call("POST", LOAD, json={"load": load}, headers=key)
            assert (told.status, told.body["replicas"]) == (200, replicas)
            assert REPLAYED_HEADER not in told.headers


async def test_a_service_that_its_owner_scales_has_no_load(tmp_path: Path) -> None:
    async with api(tmp_path, None) as it:
        [web] = (await it.call("GET", "/v1/services")).body
        assert web["autoscaling"] is None


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/v1/services/ghost/load", {"load": 1}, 404, "service_not_found"),
        (LOAD, {"load": -1}, 422, "invalid_spec"),
        (LOAD, {"load": 10**13}, 422, "invalid_spec"),
        (LOAD, {"load": "1"}, 422, "invalid_spec"),
        (LOAD, {"load": True}, 422, "invalid_spec"),
        (LOAD, {"load": 1, "by": "ann"}, 422, "invalid_spec"),
        (LOAD, {}, 422, "invalid_spec"),
    ],
)
async def test_what_is_no_load_is_refused(
    tmp_path: Path, path: str, body: dict[str, object], status: int, code: str
) -> None:
    async with api(tmp_path) as it:
        refused = await it.call("POST", path, json=body)
        assert (refused.status, refused.body["error"]["code"]) == (status, code)


async def test_what_is_measured_by_others_is_not_told(tmp_path: Path) -> None:
    async with api(tmp_path, IN_FLIGHT) as it:
        refused = await it.call("POST", LOAD, json={"load": 1})
        assert refused.status == 422
        assert "the metric pushed" in refused.body["error"]["message"]
