"""What lasts is not let in for ever: a token that falls ends what it has opened."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from orchestrator.api.guard.connections import Limits
from orchestrator.api.guard.standing import Standing
from orchestrator.api.guard.tokens import Grant
from tests.api.guard.kit import NOW, SOON_S, Served, revoke, served, token_in

OFTEN = Limits(recheck_s=0.05)
STREAM = "/v1/events?heartbeat_ms=1000"
LASTING = (STREAM, "/v1/containers/web/log?follow=true")


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Served]:
    token_in(tmp_path, "other", Grant.READ)
    async with served(tmp_path, limits=OFTEN) as one:
        yield one


async def begun(door: Served, path: str, token: str | None) -> aiohttp.ClientResponse:
    headers = {"Accept": "application/x-ndjson"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    answer = await door.session.get(f"{door.url}{path}", headers=headers)
    assert answer.status == 200
    return answer


async def is_broken_off(answer: aiohttp.ClientResponse) -> bool:
    """Say whether an answer breaks off, without the end that it would have."""
    try:
        async with asyncio.timeout(SOON_S):
            await answer.read()
    except aiohttp.ClientError:
        return True
    return False


async def test_a_revoked_token_ends_what_it_has_opened(door: Served) -> None:
    gone, kept = door.token("gone", Grant.READ), door.token("kept", Grant.READ)
    ends = await begun(door, STREAM, gone)
    goes_on = await begun(door, STREAM, kept)
    assert await ends.content.readline()
    assert await goes_on.content.readline()
    revoke(door.state, "gone")
    assert await is_broken_off(ends)
    beats = 0
    while beats < 2:  # its heartbeats come on; a row may come between them
        line = await goes_on.content.readline()
        assert line
        beats += b'"heartbeat"' in line
    goes_on.close()


async def test_a_stream_ends_when_its_token_expires(tmp_path: Path) -> None:
    now = [NOW]
    token = token_in(tmp_path, "short", Grant.READ, expires_at=NOW + 1)
    async with served(tmp_path, limits=OFTEN, now=lambda: now[0]) as door:
        answer = await begun(door, STREAM, token)
        assert await answer.content.readline()
        now[0] += 1
        assert await is_broken_off(answer)


async def test_a_stream_without_a_token_ends_when_the_first_is_made(
    tmp_path: Path,
) -> None:
    async with served(tmp_path, limits=OFTEN) as door:
        answer = await begun(door, STREAM, None)
        assert await answer.content.readline()
        door.token("first", Grant.READ)
        assert await is_broken_off(answer)


async def test_who_waits_with_a_revoked_token_is_told_so(door: Served) -> None:
    token = door.token("gone", Grant.READ)
    path = "/v1/containers/web/wait?for=stopped&limit_ms=60000"
    waiting = asyncio.ensure_future(door.call("GET", path, token))
    assert (await door.call("GET", "/v1/fleet", token)).status == 200
    revoke(door.state, "gone")
    async with asyncio.timeout(SOON_S):
        answer = await waiting
    assert (answer.status, answer.code) == (401, "not_authenticated")
    assert "revoked" in str(answer.body)


async def test_an_own_time_limit_of_an_answer_stays_its_own() -> None:
    async def late() -> None:
        raise TimeoutError

    standing = Standing(lambda: frozenset({None}), 0.01)
    with pytest.raises(TimeoutError):
        await standing.answered(None, late())
    assert await standing.answered(None, asyncio.sleep(0.05, "answered")) == "answered"
