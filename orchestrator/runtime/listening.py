"""Hearing the platform: its news go to the loop, and it is told what is durable."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from orchestrator.platforms.port import Platform, StreamRefused
from orchestrator.runtime.loop import Loop

__all__ = ("acknowledge", "listen")

LOG: Final = logging.getLogger("orchestrator.boot")

LISTEN_AGAIN_S: Final = 1.0

ACKNOWLEDGE_S: Final = 5.0
"""The platform keeps its news a little longer, rather than hear of each event."""


async def listen(loop: Loop, platform: Platform) -> None:
    """Pass on what the platform tells; begin again where its stream breaks off."""
    while True:
        try:
            async for event in platform.events(loop.fleet.cursor):
                await loop.tell_when_there_is_room(event)
        except StreamRefused as refused:
            loop.stand_down(refused.error)
            return
        except Exception:
            LOG.exception("the platform's stream broke off")
        await asyncio.sleep(LISTEN_AGAIN_S)


async def acknowledge(loop: Loop, platform: Platform) -> None:
    """Let the platform know now and then how far its news are durable here."""
    known = ""
    while True:
        await asyncio.sleep(ACKNOWLEDGE_S)
        if (cursor := loop.fleet.cursor) != known:
            try:
                await platform.acknowledge(cursor)
            except Exception:
                LOG.exception("the platform was not told what is durable")
            else:
                known = cursor
