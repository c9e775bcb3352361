"""One HTTP POST to a stranger: bounded, never redirected, and silent about where to.

No more of the answer is read than its status, and of that no more than some
kilobytes. What went wrong is said in a few fixed words: neither the address nor what
was sent ever stands in them.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Mapping
from typing import Final
from urllib.parse import SplitResult, urlsplit

from orchestrator.core.moments import Millis, format_duration
from orchestrator.platforms.broken import broken_words

__all__ = ("post",)

LINE_MAX: Final = 8_192
"""Bytes of one line of an answer."""

LINES_MAX: Final = 200
"""Lines before the final status: those of interim answers."""

_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: [^\r\n]*)?\r?\n")
_PORTS: Final = {"http": 80, "https": 443}
_TAKEN: Final = range(200, 300)
_MOVED: Final = range(300, 400)
_FINAL: Final = 200
"""Statuses below it are interim."""


class _NotHttp(Exception):
    """The answer is none of HTTP."""


async def post(
    url: str, headers: Mapping[str, str], body: bytes, *, timeout_ms: Millis
) -> str | None:
    """Post a body; return None where it was taken (2xx), else in a few words why not.

    *url* is an address as ``core.notify.is_notice_url`` has it, *headers* are short and
    of one line each.
    """
    parts = urlsplit(url)
    try:
        async with asyncio.timeout(timeout_ms / 1_000):
            status = await _answered(parts, _request(parts, headers, body))
    except TimeoutError:
        return f"no answer within {format_duration(timeout_ms)}"
    except (_NotHttp, ValueError):
        return "the answer is not HTTP"
    except OSError as error:
        return broken_words(error) or "the connection failed"
    if status in _TAKEN:
        return None
    note = " (redirects are not followed)" if status in _MOVED else ""
    return f"it answered {status}{note}"


def _request(parts: SplitResult, headers: Mapping[str, str], body: bytes) -> bytes:
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    fields = {
        "Host": parts.netloc,
        "Connection": "close",
        "Content-Length": str(len(body)),
        **headers,
    }
    lines = [f"POST {target} HTTP/1.1", *(f"{k}: {v}" for k, v in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


async def _answered(parts: SplitResult, request: bytes) -> int:
    reader, writer = await asyncio.open_connection(
        parts.hostname,
        parts.port or _PORTS[parts.scheme],
        ssl=ssl.create_default_context() if parts.scheme == "https" else None,
        limit=LINE_MAX,
    )
    try:
        writer.write(request)
        await writer.drain()
        return await _status(reader)
    finally:
        writer.close()


async def _status(reader: asyncio.StreamReader) -> int:
    """Read the final status; interim answers are skipped."""
    is_begin = True
    for _ in range(LINES_MAX):
        line = await reader.readline()
        if not is_begin:
            is_begin = not line.strip()
            continue
        found = _STATUS.fullmatch(line)
        if found is None:
            raise _NotHttp
        status = int(found[1])
        if status >= _FINAL:
            return status
        is_begin = False
    raise _NotHttp
