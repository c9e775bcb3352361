"""Carrying out orders on this machine: what is done in a thread, start to end.

Every order is keyed by run and may come twice. A higher run ends the lower one first;
a lower one is refused.
"""

from __future__ import annotations

import shutil
import threading
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Final, assert_never

from returns.result import Failure, Result, Success

from orchestrator.core.errors import (
    ContainerStartFailed,
    PlatformError,
    Refused,
    StaleOperator,
    StaleRun,
    TimedOut,
    Unreachable,
)
from orchestrator.core.observations import Observation
from orchestrator.core.specs import ContainerSpec
from orchestrator.platforms.local.asking import inherited
from orchestrator.platforms.local.folders import Folders, read_json, write_json
from orchestrator.platforms.local.ports import kept_ports, ports_for
from orchestrator.platforms.local.records import RunRecord, read_run, sighting_of
from orchestrator.platforms.local.shim.marks import ENDED, now_ms
from orchestrator.platforms.local.spawn import (
    MARK,
    ask,
    destroy,
    launch,
    make_pipe,
    make_run,
    mark_of,
    settled,
)
from orchestrator.platforms.port import (
    Accepted,
    Attachment,
    DestroyOrder,
    ForgetOrder,
    Order,
    Question,
    StartOrder,
    StopOrder,
)

__all__ = ("Orders",)

KILL_MS: Final = 10_000


class Orders:
    """Everything a local platform does below its root."""

    def __init__(self, folders: Folders, log_max_bytes: int) -> None:
        """Work below *folders*."""
        self._folders = folders
        self._log_max_bytes = log_max_bytes
        self._ports_lock = threading.Lock()
        self._kept: dict[str, Mapping[str, int]] | None = None
        self._lives: dict[str, RunRecord] = {}

    def attach(self, after: int) -> Result[Attachment, PlatformError]:
        """Make what must be there, and grant the next epoch."""
        root = self._folders.root
        self._folders.containers.mkdir(parents=True, exist_ok=True, mode=0o700)
        make_pipe(self._folders.hints)
        if read_json(root / "id") is None:
            write_json(root / "id", {"id": str(uuid.uuid4())})
        epoch = max(self._epoch(), after) + 1
        write_json(root / "epoch", {"epoch": epoch})
        return Success(Attachment(epoch=epoch, fences=True))

    def _epoch(self) -> int:
        known = (read_json(self._folders.root / "epoch") or {}).get("epoch")
        return known if type(known) is int else 0

    def ports(self, spec: ContainerSpec) -> Mapping[str, int]:
        """Return the loopback ports of a container."""
        if not spec.ports:
            return {}
        with self._ports_lock:
            if self._kept is None:  # read once: nobody else gives ports here
                names = self._folders.names()
                self._kept = {name: kept_ports(self._folders, name) for name in names}
            taken = {
                port
                for name, ports in self._kept.items()
                if name != spec.name
                for port in ports.values()
            }
            record = self.newest(spec.name)
            alive = record is not None and record.exit is None
            ports = ports_for(self._folders, spec.name, spec.ports, taken, alive=alive)
            self._kept[spec.name] = ports
            return ports

    def newest(self, name: str) -> RunRecord | None:
        """Return the newest run of a container; one whose shim died is lost."""
        run = self._folders.newest_run(name)
        if run is None:
            return None
        return settled(self._folders, read_run(self._folders, name, run))

    def observe(self) -> Observation:
        """Look at the newest run of every container."""
        began = now_ms()
        records = [self.newest(name) for name in self._folders.names()]
        sightings = [
            None if record is None else sighting_of(record) for record in records
        ]
        return Observation(
            began=began,
            complete=True,
            sightings=tuple(seen for seen in sightings if seen is not None),
        )

    def live(self, question: Question) -> Result[RunRecord, PlatformError]:
        """Return the run that a question is about, if it is the one that lives.

        Questions come often: what is known of a process is read once.
        """
        highest = self._epoch()
        if question.epoch < highest:
            return Failure(StaleOperator(epoch=question.epoch, highest=highest))
        name, run = question.name, question.run
        newest = self._folders.newest_run(name)
        if newest is not None and newest != run:
            return Failure(StaleRun(name=name, run=run, highest=newest))
        known = self._lives.get(name)
        if newest is not None and (known is None or known.run != newest):
            known = read_run(self._folders, name, newest)
        has_ended = (self._folders.run(name, run) / ENDED).exists()
        if known is None or known.ready_at is None or newest is None or has_ended:
            self._lives.pop(name, None)
            return Failure(Unreachable(cause=f"{name} does not run"))
        self._lives[name] = known
        return Success(known)

    def perform(self, order: Order) -> Result[Accepted, PlatformError]:
        """Carry out an order, unless a newer operator has taken over."""
        highest = self._epoch()
        if order.epoch < highest:
            return Failure(StaleOperator(epoch=order.epoch, highest=highest))
        match order:
            case StartOrder():
                return self._start(order)
            case StopOrder():
                self._end(order, order.signal, order.grace_ms)
            case DestroyOrder():
                self._end(order, "KILL", 0)
            case ForgetOrder():
                return self._forget(order)
            case _:
                assert_never(order)
        return Success(Accepted())

    def _start(self, order: StartOrder) -> Result[Accepted, PlatformError]:
        newest = self.newest(order.name)
        if newest is not None and newest.run > order.run:
            stale = StaleRun(name=order.name, run=order.run, highest=newest.run)
            return Failure(stale)
        if newest is not None and newest.run == order.run and newest.shim is not None:
            return Success(Accepted())
        old = newest if newest is not None and newest.run < order.run else None
        if old is not None and destroy(self._folders, old).exit is None:
            return Failure(TimedOut(after_ms=KILL_MS))  # it does not die: never two
        folder = self._folders.run(order.name, order.run)
        if not folder.exists():
            facts = {
                "fingerprint": order.fingerprint,
                "revision": order.revision,
                "cwd": _folder_of(order),
            }
            make_run(self._folders, order.name, order.run, facts)
        problem = launch(folder, self._payload(order))
        if problem is not None:
            return Failure(ContainerStartFailed(name=order.name, cause=problem))
        if old is not None:
            shutil.rmtree(self._folders.run(old.name, old.run), ignore_errors=True)
        return Success(Accepted())

    def _payload(self, order: StartOrder) -> dict[str, object]:
        mark = mark_of(self._folders, order.name, order.run)
        return {
            "argv": list(order.command),
            "env": {**inherited(), **order.env, MARK: mark},
            "cwd": _folder_of(order),
            "ports": dict(order.ports),
            "wait_for": list(order.spec.awaited_ports),
            "hints": str(self._folders.hints),
            "label": order.name,
            "log": str(self._folders.log(order.name)),
            "log_max_bytes": self._log_max_bytes,
        }

    def _end(self, order: StopOrder | DestroyOrder, signal: str, grace_ms: int) -> None:
        """Ask the shim; where there is none, see that the run is over."""
        folder = self._folders.run(order.name, order.run)
        if not ask(folder, signal, grace_ms) and folder.exists():
            self.destroy(order.name, order.run)

    def destroy(self, name: str, run: int) -> None:
        """Kill a run, also one whose shim does not answer any more."""
        _ = destroy(self._folders, read_run(self._folders, name, run))

    def _forget(self, order: ForgetOrder) -> Result[Accepted, PlatformError]:
        newest = self.newest(order.name)
        if newest is not None and newest.run > order.run:
            return Success(Accepted())
        if newest is not None and newest.exit is None and newest.shim is not None:
            return Failure(Refused(cause=f"{order.name} still runs"))
        shutil.rmtree(self._folders.container(order.name), ignore_errors=True)
        with self._ports_lock:
            if self._kept is not None:
                self._kept.pop(order.name, None)
        return Success(Accepted())


def _folder_of(order: StartOrder) -> str:
    return order.spec.working_dir or str(Path.cwd())
