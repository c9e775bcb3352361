"""Requests that come all the time, each until it is done: by whoever leads by then.

A client that is not answered, or is told that the one it asked does not lead, asks the
next operator for the same, with the same key. So a request that was done, and whose
answer was lost with its operator, comes to the next one again, which must know it.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import attrs

from tests.platforms.cloudflare.real.ha_kit import Ground, Wish
from tests.platforms.cloudflare.real.ha_peers import WEB

__all__ = ("Load", "load")

ANSWER_S: Final = 2.0
"""Until a client asks the next operator."""

PAUSE_S: Final = 0.05
"""Before it does, and between two requests."""

DONE: Final = 200


@attrs.define
class Load:
    """How many requests were done, and how often they had to be made."""

    done: int = 0
    asked: int = 0


@asynccontextmanager
async def load(ground: Ground, pause_s: float = PAUSE_S) -> AsyncIterator[Load]:
    """Have one client for each operator ask for something, again and again."""
    counts = Load()
    clients = [
        asyncio.ensure_future(_client(ground, counts, first, pause_s))
        for first in range(len(ground.peers))
    ]
    try:
        yield counts
    finally:
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)


async def _client(ground: Ground, counts: Load, first: int, pause_s: float) -> None:
    for number in itertools.count(first):
        path = f"/v1/containers/{WEB[number % len(WEB)]}/reset"
        await _until_done(ground, counts, path, first)
        await asyncio.sleep(pause_s)


async def _until_done(ground: Ground, counts: Load, path: str, first: int) -> None:
    """Ask one operator after the other; note what came of it, in any case."""
    key, status = os.urandom(8).hex(), None
    order = itertools.cycle((*ground.peers[first:], *ground.peers[:first]))
    try:
        for peer in order:
            counts.asked += 1
            reply = await peer.asked(
                "POST", path, {"by": "drill"}, key=key, limit_s=ANSWER_S
            )
            status = None if reply is None else reply.status
            if status == DONE:
                counts.done += 1
                return
            await asyncio.sleep(PAUSE_S)
    finally:
        ground.wishes.append(Wish(key=key, path=path, status=status))
