"""``up`` reads its file again: on SIGHUP, and with ``--watch`` when it has changed.

What a running operator can take is applied. What it was opened with (its platform, its
journal, ...) is told by name, and stays. A file that is wrong, gone or only half
written changes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

import attrs

from orchestrator.cli.failing import Failed
from orchestrator.cli.plain import cleaned
from orchestrator.cli.planning import summary
from orchestrator.cli.python_files import source_of
from orchestrator.codec.fleet_file import FleetFile
from orchestrator.codec.wire import tree_of
from orchestrator.core.errors import ContainerError
from orchestrator.runtime.limits import call_limited
from orchestrator.runtime.operator import Operator
from orchestrator.runtime.outcomes import settled

__all__ = ("Reloading", "content_of", "on_hang_up", "reloaded")

LOG: Final = logging.getLogger("orchestrator.up")

LOOK_S: Final = 1.0
"""How often the content is looked at; it must have stood still for so long."""

READ_S: Final = 30.0
"""A reading that takes longer is left alone: a file in Python may never end."""

OPENED_WITH: Final = (
    *("platform", "journal", "lease", "api"),
    *("env_vars", "hooks", "policies"),
)
"""What of a fleet file takes effect only when an operator is opened."""


@attrs.define(kw_only=True)
class Reloading:
    """One file, and the operator that was opened with it.

    ``read`` reads the file or fails as a command does; ``say`` tells the owner;
    ``content`` is what was last taken, or refused.
    """

    operator: Operator
    path: Path
    opened: FleetFile
    read: Callable[[Path], FleetFile]
    say: Callable[[str], None]
    content: bytes | None
    _fresh: bytes | None = None
    _tried: bytes | None = None
    _told: set[str] = attrs.field(factory=set[str])
    _is_reading: bool = False

    async def look(self) -> None:
        """Take the file if its content is another one, and has stood still."""
        content = await asyncio.to_thread(content_of, self.path)
        has_stood = content == self._fresh
        self._fresh = content
        if has_stood and content != self.content:
            if content != self._tried:
                self._told.clear()
            self._tried = content
            await self._take()

    async def again(self) -> None:
        """Take the file, whatever it holds; tell also what was told before."""
        self._told.clear()
        await self._take()

    async def _take(self) -> None:
        self.content = await asyncio.to_thread(content_of, self.path)
        try:
            file = await self._file()
        except Failed as error:
            self._refuse(error.message)
            return
        for warning in file.warnings:
            self._tell(f"warning: {warning}")
        if file.spec.name != self.opened.spec.name:
            self._refuse(f"fleet.name: {file.spec.name!r} needs an operator of its own")
        elif file.platform.kind != self.opened.platform.kind:
            self._refuse(f"platform.kind: {file.platform.kind!r} needs a new operator")
        else:
            self._tell_what_stays(file)
            await self._apply(file)

    async def _file(self) -> FleetFile:
        """Read the file in a thread that nobody has to wait for, one at a time."""
        if self._is_reading:
            self.content = None  # a look tries it again, when the other has ended
            raise Failed("its reading before has not come to its end", 2)
        try:
            file: FleetFile = await call_limited(self._read, limit_s=READ_S)
        except TimeoutError as error:
            why = str(error) or f"it did not come to its end within {READ_S:g}s"
            raise Failed(why, 2) from None
        return file

    def _read(self) -> FleetFile:
        self._is_reading = True
        try:
            return self.read(self.path)
        finally:
            self._is_reading = False

    def _tell_what_stays(self, file: FleetFile) -> None:
        others = [
            name
            for name in OPENED_WITH
            if getattr(file, name) != getattr(self.opened, name)
        ]
        if others:
            named = ", ".join(others)
            self._tell(f"{self.path}: not taken until the next start: {named}")

    async def _apply(self, file: FleetFile) -> None:
        spec = file.spec
        plan = await settled(self.operator.plan(spec, keep_scale=True))
        if isinstance(plan, ContainerError):
            self._try_again(plan)
            return
        if plan.is_empty:
            self._tell(f"{self.path} was read again: nothing to change")
            return
        why = "its file was read again"
        asked = self.operator.apply(spec, by="fleet file", why=why, keep_scale=True)
        revision = await settled(asked)
        if isinstance(revision, ContainerError):
            self._try_again(revision)
            return
        told = summary(tree_of(plan))
        self._tell(f"{self.path} was read again: {told}, revision {revision}")

    def _try_again(self, error: ContainerError) -> None:
        """Have the next look take the file: another state of the fleet may let it."""
        self.content = None
        self._refuse(error.message)

    def _refuse(self, why: str) -> None:
        for line in why.splitlines():
            self._tell(f"{self.path} is not taken: {line}")

    def _tell(self, text: str) -> None:
        """Tell something of this content once, however often it is tried."""
        if text not in self._told:
            self._told.add(text)
            self.say(cleaned(text))


def content_of(path: Path) -> bytes | None:
    """Return what a file holds; None where it cannot be read."""
    try:
        return source_of(path).read_bytes()
    except OSError:
        return None


@contextlib.asynccontextmanager
async def reloaded(
    reloading: Reloading | None, asked: asyncio.Event, *, watch: bool
) -> AsyncIterator[None]:
    """Read the file again for a block: when it is *asked*, and by itself to *watch*."""
    if reloading is None:
        yield
        return
    working = asyncio.ensure_future(_until_cancelled(reloading, asked, watch=watch))
    try:
        yield
    finally:
        working.cancel()
        await asyncio.wait([working])


async def _until_cancelled(
    reloading: Reloading, asked: asyncio.Event, *, watch: bool
) -> None:
    while True:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S if watch else None):
                await asked.wait()
        is_asked = asked.is_set()
        asked.clear()
        try:
            await (reloading.again() if is_asked else reloading.look())
        except Exception:
            LOG.exception("%s was not read again", reloading.path)


def on_hang_up(end: Callable[[], None], again: Callable[[], None]) -> None:
    """Have SIGHUP read the file *again*; where the terminal has hung up, *end*.

    Who was started to outlive its terminal (with ``nohup``) does.
    """
    outlives = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    had_terminal = not outlives and _has_terminal()

    def hung_up() -> None:
        (end if had_terminal and not _has_terminal() else again)()

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hung_up)


def _has_terminal() -> bool:
    """Say whether this process has a terminal that can still hang up."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
