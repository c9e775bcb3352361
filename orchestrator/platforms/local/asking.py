"""Asking a container of this machine whether it is well.

What the container says is about it: refused, cut off, too late, another status, another
exit code. What says nothing about it is a failure, and counts for nothing: this machine
has no socket or process left, or we were ourselves too busy to hear an answer in time.

A command runs beside the container, as the same user, in its folder, with the
environment that its process was started with. That is stored nowhere: on Linux it is
read from the process at the moment of asking. Elsewhere a command gets what every
container of this platform inherits, the name (``CONTAINER_NAME``), and the ports.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import threading
import uuid
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeAlias, TypeVar, assert_never

import aiohttp
from returns.result import Failure, Result, Success
from yarl import URL

from orchestrator.core.errors import PlatformError, Refused, TimedOut, Unreachable
from orchestrator.core.health import CommandProbe, HttpProbe, TcpProbe
from orchestrator.platforms.local.check_commands import (
    CHECK_MARK,
    end_leftovers,
    run_check,
)
from orchestrator.platforms.local.records import Process, RunRecord
from orchestrator.platforms.local.shim.kin import LINUX
from orchestrator.platforms.local.spawn import is_the_same
from orchestrator.platforms.port import Question, Reply

__all__ = ("INHERITED", "Asking", "inherited")

T = TypeVar("T")

Answered: TypeAlias = Result[Reply, PlatformError]

INHERITED: Final = (
    "HOME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "LOGNAME",
    "PATH",
    "SHELL",
    "TMPDIR",
    "TZ",
    "USER",
)
"""What a container gets of the operator's own environment, and nothing else of it."""

COMMANDS: Final = 16
"""Check commands at once: each is a process."""

LATE_S: Final = 0.2
"""A time limit that strikes later than this found us busy, not the container."""

_ANSWERS: Final = frozenset(
    (
        errno.ECONNREFUSED,
        errno.ECONNRESET,
        errno.ECONNABORTED,
        errno.EPIPE,
        errno.ETIMEDOUT,
    )
)
"""Errors that the other side causes; the others are ours."""

_HEADERS: Final = {"User-Agent": "orchestrator-health-check", "Accept": "*/*"}


def inherited() -> dict[str, str]:
    """Return what a container gets of the operator's environment."""
    return {key: os.environ[key] for key in INHERITED if key in os.environ}


class Asking:
    """Asks the containers below one root."""

    def __init__(
        self, root: Path, live: Callable[[Question], Result[RunRecord, PlatformError]]
    ) -> None:
        """Ask nothing yet; *live* finds the run of a question."""
        self._live = live
        self._root = str(root)
        self._mark = f"{root}/{uuid.uuid4().hex}"
        self._sweeping = threading.Lock()
        self._is_swept = False
        self._commands = ThreadPoolExecutor(COMMANDS, thread_name_prefix="checks")
        self._session: aiohttp.ClientSession | None = None
        self._under_way: set[threading.Event] = set()

    async def ask(self, question: Question) -> Answered:
        """Ask one question, if its run is the one that lives."""
        found = self._looked_up(question)
        if isinstance(found, Failure):
            return Failure(found.failure())
        match question.probe:
            case CommandProbe(command=command):
                return await self._command(command, question, found.unwrap())
            case HttpProbe() | TcpProbe() as probe:
                return await _bounded(self._network(probe, question), question)
            case _:
                assert_never(question.probe)

    def _looked_up(self, question: Question) -> Result[RunRecord, PlatformError]:
        """Look into three small files; a thread would cost more than they do."""
        try:
            return self._live(question)
        except OSError as error:
            return Failure(Unreachable(cause=str(error)))

    async def close(self) -> None:
        """Ask no more; commands under way are ended."""
        for given_up in self._under_way:
            given_up.set()
        self._commands.shutdown(wait=False, cancel_futures=True)
        if self._session is not None:
            await self._session.close()

    async def _network(
        self, probe: HttpProbe | TcpProbe, question: Question
    ) -> Answered:
        host, _, port = question.address.rpartition(":")
        if not host or not port.isdigit():
            return Failure(Refused(cause=f"port {probe.port} has no address"))
        try:
            if isinstance(probe, HttpProbe):
                return Success(await self._http(probe, question.address))
            return Success(await _tcp(host, int(port)))
        except (aiohttp.InvalidURL, ValueError) as error:  # it may quote a header
            cause = f"it cannot be asked in HTTP: {type(error).__name__}"
            return Failure(Refused(cause=cause))
        except OSError as error:
            return _trouble(error)
        except aiohttp.ClientError as error:
            detail = f"no answer in HTTP: {type(error).__name__}"
            return Success(Reply(passed=False, detail=detail))

    async def _http(self, probe: HttpProbe, address: str) -> Reply:
        """Ask for a page, and go when its status is told: what it says is not read."""
        url = URL(f"http://{address}{probe.path}", encoded=True)
        response = await self._opened().get(
            url,
            headers={**_HEADERS, **dict(probe.headers.items())},
            allow_redirects=False,
        )
        response.close()
        status = response.status
        return Reply(passed=probe.passes(status), detail=f"HTTP {status}")

    def _opened(self) -> aiohttp.ClientSession:
        """Return the session; each question has a connection of its own.

        One that is kept could have been closed by the container meanwhile, and that
        would look as if it did not answer.
        """
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, force_close=True),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
                auto_decompress=False,
            )
        return self._session

    async def _command(
        self, command: tuple[str, ...], question: Question, record: RunRecord
    ) -> Answered:
        given_up = threading.Event()
        self._under_way.add(given_up)

        def run() -> Answered:
            self._sweep()
            env = _environment(record)
            if env is None:
                return Failure(Unreachable(cause=f"{record.name} has just ended"))
            limit_s = question.timeout_ms / 1_000
            folder = record.working_dir or str(Path.cwd())
            bearing = {**env, CHECK_MARK: self._mark}
            return run_check(command, folder, bearing, limit_s, given_up)

        try:
            running = asyncio.get_running_loop()
            return await running.run_in_executor(self._commands, run)
        finally:
            given_up.set()
            self._under_way.discard(given_up)

    def _sweep(self) -> None:
        """End, once, what a killed operator's checks have left behind."""
        with self._sweeping:
            if not self._is_swept:
                end_leftovers(self._root, self._mark)
                self._is_swept = True


async def _tcp(host: str, port: int) -> Reply:
    _, writer = await asyncio.open_connection(host, port)
    writer.transport.abort()
    return Reply(passed=True, detail="connected")


async def _bounded(asked: Awaitable[Answered], question: Question) -> Answered:
    """Wait for an answer within the question's time; it is late if we are in time."""
    limit_ms = question.timeout_ms
    clock = asyncio.get_running_loop().time
    until = clock() + limit_ms / 1_000
    try:
        async with asyncio.timeout_at(until):
            return await asked
    except TimeoutError:
        if clock() > until + LATE_S:
            return Failure(TimedOut(after_ms=limit_ms))
        detail = f"no answer within {limit_ms} ms"
        return Success(Reply(passed=False, detail=detail))


def _trouble(error: OSError) -> Answered:
    """Say whose an error is; aiohttp wraps the system's in its own."""
    number = error.errno or getattr(getattr(error, "os_error", None), "errno", None)
    said = os.strerror(number or 0).lower() if number else type(error).__name__
    if number in _ANSWERS:
        return Success(Reply(passed=False, detail=said))
    return Failure(Unreachable(cause=said))


def _environment(record: RunRecord) -> Mapping[str, str] | None:
    """Return what a check command is given; None where the run's process is gone."""
    if LINUX and record.leader is not None:
        with contextlib.suppress(PermissionError):  # a program of another user
            return _own_environment(record.leader)
    ports = {
        f"PORT_{port.upper().replace('-', '_')}": address.rpartition(":")[2]
        for port, address in record.addresses.items()
    }
    return {**inherited(), "CONTAINER_NAME": record.name, **ports}


def _own_environment(leader: Process) -> Mapping[str, str] | None:
    """Read what a process was started with; one that has ended has nothing."""
    try:
        block = Path("/proc", str(leader.pid), "environ").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if not block or not is_the_same(leader):
        return None
    pairs = (os.fsdecode(entry).partition("=") for entry in block.split(b"\0"))
    return {key: value for key, is_pair, value in pairs if key and is_pair}
