"""What the command runs an operator with: a fleet file, and what was asked besides."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import attrs

from orchestrator.cli.reloading import Reloading
from orchestrator.cli.telling import Telling
from orchestrator.cli.tools import parsed_file
from orchestrator.codec.api_choice import ApiChoice
from orchestrator.codec.fleet_file import FleetFile
from orchestrator.runtime.operator import Operator
from orchestrator.runtime.secrets import Secrets

__all__ = ("Session",)


@attrs.frozen(kw_only=True)
class Session:
    """What to run, and what to do while it runs.

    ``show`` is given the operator and the event that ends the session;
    ``snapshot_every``, ``listen`` and ``read_only`` are in place of what the file says.
    ``path`` is where the file is, for it to be read again on SIGHUP, and with ``watch``
    when it is not ``content`` any more; None: there is none. ``standby``: another one
    may lead, and this one waits to. ``supervised``: whoever started this process starts
    it again, and must know whether the fleet was brought down.
    """

    state: Path
    file: FleetFile
    folder: Path
    secrets: Secrets | None
    show: Callable[[Operator, asyncio.Event], Awaitable[int]]
    stop_on_exit: bool = False
    snapshot_every: int | None = None
    listen: str | None = None
    read_only: bool = False
    telling: Telling = Telling()
    path: Path | None = None
    content: bytes | None = None
    watch: bool = False
    standby: bool = False
    supervised: bool = False

    def reloading(self, operator: Operator) -> Reloading | None:
        """Return what reads the file again for an operator, if there is one."""
        if self.path is None:
            return None
        return Reloading(
            operator=operator,
            path=self.path,
            opened=self.file,
            read=parsed_file,
            say=self.telling.say,
            content=self.content,
        )

    def api(self) -> ApiChoice:
        """Return what is served over HTTP."""
        said = self.file.api
        return attrs.evolve(
            said,
            listen=self.listen or said.listen,
            read_only=self.read_only or said.read_only,
        )
