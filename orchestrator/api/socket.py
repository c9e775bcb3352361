"""Where the API listens: a Unix socket in the state folder, mode 0600.

A path that is too long for a socket (104 bytes on macOS, 108 on Linux, with the final
zero) gets a short one elsewhere, which a file in the state folder names.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import AsyncIterator
from hashlib import blake2b
from pathlib import Path
from typing import Final

from aiohttp import web

from orchestrator.api.places import SOCKET, SOCKET_NAMED_BY, socket_of

__all__ = ("serve",)

PATH_MAX: Final = 103


def _chosen(state: Path) -> Path:
    """Return where the socket shall be, and leave word where that is elsewhere."""
    path = state / SOCKET
    named_by = state / SOCKET_NAMED_BY
    if len(os.fsencode(path)) <= PATH_MAX:
        named_by.unlink(missing_ok=True)
        return path
    digest = blake2b(os.fsencode(state.resolve()), digest_size=8).hexdigest()
    folder = Path(tempfile.gettempdir(), f"orchestrator-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid() or folder.stat().st_mode & 0o077:
        msg = f"{folder} is not a folder of ours alone"
        raise PermissionError(msg)
    path = folder / digest
    named_by.write_text(str(path), encoding="utf-8")
    return path


@contextlib.asynccontextmanager
async def serve(app: web.Application, state: Path) -> AsyncIterator[Path]:
    """Serve an application for a block; the socket is gone afterwards.

    Whoever serves holds the journal's lock: a socket that is there is a dead one.
    """
    path = _chosen(state)
    path.unlink(missing_ok=True)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    mask = os.umask(0o177)
    try:
        await web.UnixSite(runner, str(path)).start()
    finally:
        os.umask(mask)
    try:
        yield path
    finally:
        await runner.cleanup()
        socket_of(state).unlink(missing_ok=True)
        (state / SOCKET_NAMED_BY).unlink(missing_ok=True)
