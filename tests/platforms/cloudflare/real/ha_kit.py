"""Operators as processes of their own, each behind its own proxy, on one real gateway.

``ground`` gives the gateway, two or more operators (``up --standby``), and all that is
recorded of them: calls and answers at the proxies, starts at the engine, what the API
has acknowledged, how long each take-over took. ``judged`` holds it to the laws.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import attrs

from orchestrator.codec.fleet_file import read_fleet_file
from orchestrator.journal.lines import open_lines
from orchestrator.journal.port import START, Row, broken
from orchestrator.journal.reading import Reading
from orchestrator.testing import Explained, StartSeen, judge
from tests.bench.engine import Engine
from tests.cli.kit import run_afresh
from tests.platforms.cloudflare.real.ha_peers import (
    NONCES,
    PATIENT_LEASE_S,
    READY_S,
    WEB,
    Peer,
    Reply,
    fleet_file,
)
from tests.platforms.cloudflare.real.ha_record import (
    Exchange,
    RecordingProxy,
    operations_of,
    orders_of,
)
from tests.platforms.cloudflare.real.ha_starts import StartsWatch
from tests.platforms.cloudflare.real.kit import TOKEN, Stage, stage

__all__ = ("Ground", "TakeOver", "Wish", "ground")

LIMIT_S: Final = 60.0
"""A bound on waiting, never a measurement."""

STEP_S: Final = 0.02

KEY: Final = re.compile(rb'"([0-9a-f]{16})"')
"""How the key of a request stands in its event."""


@attrs.frozen(kw_only=True)
class Wish:
    """A request with a key of its own, and what it was answered, if it was."""

    key: str
    path: str
    status: int | None

    @property
    def is_acknowledged(self) -> bool:
        return self.status is not None and self.status < 300


@attrs.frozen(kw_only=True)
class TakeOver:
    """How long it took until another one led, from the moment of what befell."""

    what: str
    seconds: float


@attrs.define(kw_only=True)
class Ground:
    """The gateway, its operators, and what is known of them."""

    stage: Stage
    peers: tuple[Peer, ...]
    watch: StartsWatch
    lease_s: float
    wishes: list[Wish] = attrs.field(factory=list)
    take_overs: list[TakeOver] = attrs.field(factory=list)

    async def until(
        self, what: str, is_so: Callable[[], Any], limit_s: float = LIMIT_S
    ) -> None:
        """Wait for something that has to come."""
        end = time.monotonic() + limit_s
        while not await is_so():
            if time.monotonic() > end:
                logs = "\n".join(f"{p.name}: {p.log[-1500:]}" for p in self.peers)
                raise AssertionError(f"{what}: not within {limit_s} s\n{logs}")
            await asyncio.sleep(STEP_S)

    async def leader(self) -> Peer:
        """Wait until one of them leads; return it."""
        found: list[Peer] = []

        async def is_led() -> bool:
            leads = await asyncio.gather(*(peer.leads() for peer in self.peers))
            found[:] = [p for p, so in zip(self.peers, leads, strict=True) if so]
            return len(found) == 1

        await self.until("one leads", is_led)
        return found[0]

    def other(self, peer: Peer) -> Peer:
        return next(each for each in self.peers if each is not peer)

    async def takes_over(self, peer: Peer, what: str, since: float) -> None:
        """Wait until a standby leads, and note how long that took."""
        await self.until(f"{peer.name} takes over: {what}", peer.leads)
        self.take_overs.append(TakeOver(what=what, seconds=time.monotonic() - since))

    async def is_standby(self, peer: Peer) -> None:
        """Wait until a peer answers, and says that it does not lead."""

        async def stands_by() -> bool:
            reply = await peer.asked("GET", "/readyz", limit_s=READY_S)
            return reply is not None and reply.status == 503

        await self.until(f"{peer.name} stands by", stands_by)

    async def wish(self, peer: Peer, path: str, **more: Any) -> Reply | None:
        """Ask for something with a key, which tells later whether it was done."""
        key = os.urandom(8).hex()
        reply = await peer.asked("POST", path, {"by": "drill"}, key=key, **more)
        status = None if reply is None else reply.status
        self.wishes.append(Wish(key=key, path=path, status=status))
        return reply

    async def run_of(self, name: str) -> int:
        """Return the run of a container that is ready; 0 while it is not."""
        leader = await self.leader()
        reply = await leader.asked("GET", f"/v1/containers/{name}")
        if reply is None or reply.status != 200 or not reply.body["ready"]:
            return 0
        return int(reply.body["run"])

    async def all_ready(self) -> None:
        """Wait until there is a leader, and all that is declared is ready."""

        async def ready() -> bool:
            return all([await self.run_of(name) for name in WEB])

        await self.until("all ready", ready)

    def exchanges(self) -> list[Exchange]:
        return [each for peer in self.peers for each in peer.proxy.exchanges]

    def starts(self) -> tuple[StartSeen, ...]:
        return self.watch.seen(orders_of(self.exchanges()))

    async def judged(self, rows: tuple[Row, ...]) -> None:
        """Hold what was recorded to the laws; ``rows`` are the journal that is left."""
        assert broken(START, rows) is None
        starts = self.starts()
        assert all(each.run for each in starts), starts
        verdict = judge(operations_of(self.exchanges()), started=starts, journal=rows)
        assert isinstance(verdict, Explained), str(verdict)
        told = Counter(key for row in rows for key in KEY.findall(row.event))
        for wish in self.wishes:
            assert told[wish.key.encode()] <= 1, wish
            assert told[wish.key.encode()] or not wish.is_acknowledged, wish

    async def exported(self, out: Path) -> tuple[Row, ...]:
        """End all, export the gateway's journal, verify it, and return its rows."""
        for peer in self.peers:
            await peer.end()
        secrets = ("--secrets", str(self.peers[0].secrets))
        source = str(self.stage.folder / "fleet.toml")
        for words in (
            ("journal", "export", source, str(out), *secrets),
            ("journal", "verify", source, *secrets),
        ):
            done = await asyncio.to_thread(run_afresh, *words)
            assert done.code == 0, (words, done)
        return read_rows(out)


def read_rows(path: Path) -> tuple[Row, ...]:
    """Read the rows of an export."""
    with path.open("rb") as file:
        reading = Reading(open_lines(file))
        rows = tuple(reading.rows())
    assert reading.error is None
    return rows


@asynccontextmanager
async def ground(
    engine: Engine,
    folder: Path,
    names: tuple[str, ...] = ("one", "two"),
    lease_s: float = PATIENT_LEASE_S,
) -> AsyncIterator[Ground]:
    """Run a gateway with an operator of each name, until the block ends."""
    text = fleet_file("https://x.example", lease_s)
    (folder / "nonces.py").write_text(NONCES, encoding="utf-8")
    declared = read_fleet_file(text.encode(), file="f", folder="/").unwrap().spec
    secrets = folder / "secrets"
    secrets.write_text(f"GATEWAY_TOKEN={TOKEN}\n", encoding="utf-8")
    secrets.chmod(0o600)
    async with AsyncExitStack() as stack:
        it = await stack.enter_async_context(stage(engine, folder, declared))
        own = f"workerd-{it.workerd.name}-"
        watch = stack.enter_context(StartsWatch(engine.docker, own))
        (folder / "fleet.toml").write_text(
            fleet_file(it.workerd.url, lease_s), encoding="utf-8"
        )
        peers = []
        for name in names:
            proxy = RecordingProxy(upstream=it.workerd.url, process=name)
            await stack.enter_async_context(proxy)
            peer = Peer(
                name=name,
                folder=folder / name,
                proxy=proxy,
                secrets=secrets,
                lease_s=lease_s,
            )
            peer.write()
            stack.callback(peer.kill)
            peers.append(peer)
        yield Ground(stage=it, peers=tuple(peers), watch=watch, lease_s=lease_s)
