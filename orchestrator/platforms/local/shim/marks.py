"""The files of one run, each written whole, and the times in them."""

from __future__ import annotations

import json
import os
import time

__all__ = (
    "CONTROL",
    "ENDED",
    "LOCK",
    "READY",
    "SHIM",
    "STARTED",
    "End",
    "now_ms",
    "write_mark",
)

CONTROL = "control"
LOCK = "lock"
SHIM = "shim.json"
STARTED = "started.json"
READY = "ready.json"
ENDED = "ended.json"

ENDED_ROOM = 1_024
"""Bytes; an end is shorter."""

RETRY_S = 0.2


def now_ms() -> int:
    """Return the moment, in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def write_mark(folder: str, name: str, facts: dict[str, object]) -> None:
    """Write a record whole, or raise ``OSError`` and leave none."""
    partial = f"{folder}/.{name}"
    with open(partial, "w", encoding="utf-8") as file:
        file.write(json.dumps({"at": now_ms(), **facts}))
    os.replace(partial, f"{folder}/{name}")


class End:
    """The record of the end: its room is taken before the run begins."""

    def __init__(self, folder: str) -> None:
        """Take the room."""
        self._folder = folder
        self._partial = f"{folder}/.{ENDED}"
        with open(self._partial, "wb") as file:
            file.write(b" " * ENDED_ROOM)

    def write(self, facts: dict[str, object]) -> None:
        """Write down how the run ended; a folder that was removed needs no record."""
        said = {
            key: str(v)[:500] if isinstance(v, str) else v for key, v in facts.items()
        }
        text = json.dumps({"at": now_ms(), **said}).encode()[:ENDED_ROOM]
        while os.path.isdir(self._folder):
            try:
                with open(self._partial, "r+b") as file:
                    file.write(text.ljust(ENDED_ROOM))
                os.replace(self._partial, f"{self._folder}/{ENDED}")
            except OSError:
                time.sleep(RETRY_S)
            else:
                return
