"""Who reads by the API, once or for long, leaves nothing to Python's collector."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from orchestrator.api.live.hub import joined, readers_of
from orchestrator.api.live.reader import Reader, begin
from orchestrator.api.live.wanted import Wanted
from tests.api.test_app import api
from tests.garbage import circles, ours
from tests.runtime.kit import fleet, opened, spec, value

PATHS = (
    "/v1/fleet",
    "/v1/containers",
    "/v1/containers/web",
    "/v1/containers/dead/explain",
    "/v1/containers/web/timeline",
    "/v1/events?limit=3",
    "/v1/services",
    "/v1/containers/nobody",
)


async def test_a_hub_that_all_have_left_is_let_go() -> None:
    async with opened(fleet(spec("web"))) as kit:
        await value(kit.operator.converge(steady_ms=0))
        with circles() as found:
            for _ in range(3):
                with joined(kit.operator, Wanted(containers=True)) as hub:
                    reader = await begin(hub, Wanted(containers=True))
                    assert isinstance(reader, Reader)
                    await value(kit.operator.restart_container("web"))
                    hub.take_in()
                    assert await reader.take()
                del hub, reader
    assert not ours(found)


@pytest.mark.skipif(os.name != "posix", reason="sockets of Unix")
async def test_reads_and_streams(tmp_path: Path) -> None:
    async with api(tmp_path) as it:
        for path in PATHS:  # what is kept from the first read on is no garbage
            _ = await it.call("GET", path)
        with circles() as found:
            for path in PATHS:
                _ = await it.call("GET", path)
            for _ in range(2):
                follow = "http://x/v1/events?follow=true&with=containers"
                async with it.session.get(follow) as stream:
                    assert await stream.content.readline()
                    await value(it.kit.operator.restart_container("web"))
                    assert await stream.content.readline()
                    stream.close()
                while readers_of(it.kit.operator):  # noqa: ASYNC110 - it tells nobody
                    await asyncio.sleep(0.01)
            await it.call("POST", "/v1/containers/web/restart")
        assert not ours(found)
