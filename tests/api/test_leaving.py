"""An application that shuts down: nobody who waits is left without an answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from orchestrator.platforms.port import LogLine
from tests.api.guard.kit import SOON_S, served
from tests.runtime.kit import Faulty


async def endless(_: object, name: str, *, follow: bool) -> AsyncIterator[LogLine]:
    yield LogLine(at=1, stream="o", text=name)
    if follow:
        await asyncio.Event().wait()


async def told(session: aiohttp.ClientSession, url: str) -> tuple[int, bytes]:
    """Return the whole of an answer; one that breaks off raises."""
    async with session.get(url) as answer:
        return answer.status, await answer.read()


@pytest.mark.parametrize(
    ("path", "status", "expected"),
    [
        ("containers/web/wait?for=stopped&limit_ms=60000", 503, "operator_closed"),
        ("events?after=999999&wait_ms=60000", 200, []),
        (
            "containers/web/log?follow=true",
            200,
            {"at": 1, "stream": "o", "text": "web"},
        ),
    ],
)
async def test_who_waits_is_answered_when_the_operator_leaves(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    status: int,
    expected: Any,
) -> None:
    monkeypatch.setattr(Faulty, "log", endless)
    async with asyncio.timeout(SOON_S), aiohttp.ClientSession() as session:
        async with served(tmp_path) as door:
            waiting = asyncio.ensure_future(told(session, f"{door.url}/v1/{path}"))
            for _ in range(20):  # by then the other has been let in long ago
                assert (await door.call("GET", "/v1/fleet")).status == 200
            assert not waiting.done()
        found, body = await waiting
    assert found == status
    answered = json.loads(body)
    assert expected == (answered if found == 200 else answered["error"]["code"])
