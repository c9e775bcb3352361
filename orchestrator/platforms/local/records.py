"""What the shims wrote down, read back as facts."""

from __future__ import annotations

from typing import Any

import attrs

from orchestrator.core.events import (
    ContainerEnded,
    ContainerReady,
    ContainerStarted,
    LifecycleEvent,
)
from orchestrator.core.exits import Exit, Exited, Lost, Signaled, StartFailed
from orchestrator.core.moments import Moment
from orchestrator.core.observations import SeenEnded, SeenRunning, Sighting
from orchestrator.core.table import Table
from orchestrator.platforms.local.folders import Folders, read_json
from orchestrator.platforms.local.shim.marks import ENDED, READY, SHIM, STARTED

__all__ = ("ORDER", "Process", "RunRecord", "news_of", "read_run", "sighting_of")

ORDER = "order.json"


@attrs.frozen(kw_only=True)
class Process:
    """A process by its number and its birth: numbers are used again."""

    pid: int
    birth: str


@attrs.frozen(kw_only=True)
class RunRecord:
    """What is known of one run from its folder.

    ``shim`` None: it was ordered, and no shim has taken it yet. ``working_dir`` is ""
    where a release that did not write it down has ordered it.
    """

    name: str
    run: int
    fingerprint: str
    working_dir: str
    shim: Process | None
    leader: Process | None
    started_at: Moment | None
    ready_at: Moment | None
    addresses: Table[str, str]
    ended_at: Moment | None
    exit: Exit | None


def read_run(folders: Folders, name: str, run: int) -> RunRecord:
    """Read the folder of a run."""
    folder = folders.run(name, run)
    ended = read_json(folder / ENDED)
    shim = read_json(folder / SHIM)
    started = read_json(folder / STARTED)
    ready = read_json(folder / READY)
    order = read_json(folder / ORDER) or {}
    return RunRecord(
        name=name,
        run=run,
        fingerprint=str(order.get("fingerprint", "")),
        working_dir=str(order.get("cwd", "")),
        shim=_process(shim),
        leader=_process(started),
        started_at=_moment(started),
        ready_at=_moment(ready),
        addresses=_addresses(ready),
        ended_at=_moment(ended),
        exit=None if ended is None else _exit(ended),
    )


def _process(tree: dict[str, Any] | None) -> Process | None:
    if tree is None or type(tree.get("pid")) is not int:
        return None
    return Process(pid=tree["pid"], birth=str(tree.get("birth", "")))


def _moment(tree: dict[str, Any] | None) -> Moment | None:
    moment = None if tree is None else tree.get("at")
    return moment if type(moment) is int else None


def _addresses(tree: dict[str, Any] | None) -> Table[str, str]:
    found = None if tree is None else tree.get("addresses")
    pairs = found.items() if isinstance(found, dict) else ()
    return Table.of((str(name), str(address)) for name, address in pairs)


def _exit(tree: dict[str, Any]) -> Exit:
    match tree:
        case {"code": int(code)} if 0 <= code <= 255:  # noqa: PLR2004 - a byte
            return Exited(code=code)
        case {"signal": int(signal)} if 1 <= signal <= 64:  # noqa: PLR2004 - SIGRTMAX
            return Signaled(signal=signal)
        case {"start_failed": str(reason)}:
            return StartFailed(reason=reason)
        case _:
            return Lost()


def news_of(record: RunRecord) -> tuple[LifecycleEvent, ...]:
    """Tell everything that a record says, in order."""
    name, run = record.name, record.run
    told: list[LifecycleEvent] = []
    if record.started_at is not None:
        at = record.started_at
        told.append(ContainerStarted(at=at, name=name, run=run, source_at=at))
    if record.ready_at is not None:
        at = record.ready_at
        told.append(
            ContainerReady(
                at=at, name=name, run=run, addresses=record.addresses, source_at=at
            )
        )
    if record.exit is not None:
        at = record.ended_at or 0
        told.append(
            ContainerEnded(at=at, name=name, run=run, exit=record.exit, source_at=at)
        )
    return tuple(told)


def sighting_of(record: RunRecord) -> Sighting | None:
    """Show a run as it is; None where nothing has taken it yet."""
    if record.exit is None and record.shim is None:
        return None
    seen = SeenRunning(ready=record.ready_at is not None, addresses=record.addresses)
    return Sighting(
        name=record.name,
        run=record.run,
        sight=seen if record.exit is None else SeenEnded(exit=record.exit),
        fingerprint=record.fingerprint,
    )
