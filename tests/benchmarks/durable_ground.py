"""What the area ``durable`` works on: a gateway in the real runtime, and its journals.

No container runs. The registry of a fleet is told of containers that have ended
(peer_sources/durable_worker.js), and the journal of their operator is written as it
would be of an operator that has seen all of them start.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp
import attrs

from orchestrator import FleetSettings, FleetSpec, Table, never_restart_policy, settled
from orchestrator.codec.platform_choices import CloudflareChoice
from orchestrator.core.admit import admit
from orchestrator.core.events import Booted, ContainerObserved, Event, FleetObserved
from orchestrator.core.observations import SeenRunning
from orchestrator.core.reduce import step_of
from orchestrator.core.requests import Apply
from orchestrator.core.state import RULES, Fleet, empty_fleet
from orchestrator.journal.durable.adapter import DurableJournal
from orchestrator.journal.port import START, Draft, Head
from orchestrator.platforms.cloudflare.gateway import CloudflarePlatform
from orchestrator.platforms.cloudflare.journal_wire import wire_to
from orchestrator.platforms.cloudflare.project.files import gateway_sources, project_of
from orchestrator.platforms.cloudflare.project.plan import plan_of
from orchestrator.platforms.port import Attachment
from orchestrator.runtime.recovery import snapshot_of
from orchestrator.runtime.steps import draft_of
from tests.bench.engine import Engine
from tests.bench.workerd import DurableObject, Workerd
from tests.platforms.cloudflare.real.kit import TOKEN, spec, write

__all__ = ("Ground", "declared", "ground", "journal_filled", "lived")

WORKER: Final = Path(__file__).parent / "peer_sources" / "durable_worker.js"
PIECE: Final = 1_000
"""Rows of one append: less than the gateway takes at once."""

FILL: Final = 500
"""Containers that the registry is told of with one request."""

SECRETS: Final = {CloudflareChoice().token_secret: TOKEN}

LED_MS: Final = 60_000
"""So long ago the operator before has gone."""


def declared(containers: int, name: str = "measured") -> FleetSpec:
    """Return a fleet of so many; what has ended is not started again."""
    one = spec("web", "serve", restart=never_restart_policy())
    return FleetSpec(
        name=name,
        settings=FleetSettings(reconcile_interval_ms=0),
        containers=tuple(
            attrs.evolve(one, name=f"web-{number:06}", replica=number)
            for number in range(containers)
        ),
    )


@attrs.frozen(kw_only=True)
class Ground:
    """A gateway that runs."""

    workerd: Workerd
    binding: str

    def platform(self, fleet: str) -> CloudflarePlatform:
        """Return a client of the gateway for a fleet."""
        return CloudflarePlatform(self._choice(), fleet, SECRETS)

    def _choice(self) -> CloudflareChoice:
        return CloudflareChoice(url=self.workerd.url, timeout_ms=60_000)

    async def epoch(self, fleet: str) -> int:
        """Attach to a fleet, and let go again."""
        platform = self.platform(fleet)
        attached = await settled(platform.attach(0))
        await platform.detach()
        assert isinstance(attached, Attachment), attached
        return attached.epoch

    async def journal(self, fleet: str) -> DurableJournal:
        """Return the journal of a fleet, to be written under a new epoch."""
        wire = wire_to(self._choice(), fleet, SECRETS).unwrap()
        journal = DurableJournal(wire)
        journal.lead(await self.epoch(fleet))
        return journal

    async def listed(self, fleet: str) -> tuple[int, bytes]:
        """Ask for the list of a fleet; return the status, and the bytes of it."""
        headers = {"authorization": f"Bearer {TOKEN}"}
        url = f"{self.workerd.url}/v1/fleets/{fleet}/containers"
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.get(url) as said,
        ):
            return said.status, await said.read()

    async def filled(self, fleet: str, containers: int, news: int) -> int:
        """Have the registry know containers that have ended, and so many news."""
        each, kept = max(1, news // containers), 0
        async with aiohttp.ClientSession() as session:
            for first in range(0, containers, FILL):
                count = min(FILL, containers - first)
                query = f"fleet={fleet}&binding={self.binding}&from={first}"
                query += f"&count={count}&each={each}"
                url = f"{self.workerd.url}/measure/fill?{query}"
                async with session.post(url) as said:
                    assert said.status == 200, await said.text()
                    kept = await said.json()
        return kept


@asynccontextmanager
async def ground(engine: Engine, folder: Path) -> AsyncIterator[Ground]:
    """Run the gateway of a fleet."""
    plan = plan_of(declared(1), CloudflareChoice(), folder="..").unwrap()
    files = project_of(plan, gateway_sources(), token_secret="GATEWAY_TOKEN")
    write(folder, files.items())
    (folder / "src" / WORKER.name).write_bytes(WORKER.read_bytes())
    (application,) = plan.applications
    async with Workerd(
        engine=engine,
        project=folder,
        main=f"src/{WORKER.name}",
        durable_objects={
            application.binding: DurableObject(application.class_name),
            "REGISTRY": DurableObject("FleetRegistry"),
        },
        bindings={"GATEWAY_TOKEN": TOKEN},
    ) as workerd:
        yield Ground(workerd=workerd, binding=application.binding)


def lived(spec_of: FleetSpec) -> tuple[Fleet, tuple[Draft, ...]]:
    """Return a fleet of which an operator has seen all running, and its rows."""
    fleet, drafts = empty_fleet(spec_of.name), list[Draft]()
    for told in _life(spec_of):
        event = told or admit(fleet, Apply(spec=spec_of), fleet.at).unwrap()
        step = step_of(fleet, event)
        fleet = step.after
        drafts.append(draft_of(step))
    return fleet, tuple(drafts)


def _life(spec_of: FleetSpec) -> Iterator[Event | None]:
    """Yield what has happened; None: the fleet is declared."""
    at = time.time_ns() // 1_000_000 - LED_MS
    yield Booted(at=at, epoch=1, rules=RULES, fences=True)
    yield None
    for one in spec_of.containers:
        addresses = Table.of([("http", f"web:{spec_of.name}/{one.name}:8080")])
        sight = SeenRunning(ready=True, addresses=addresses)
        yield ContainerObserved(at=at, name=one.name, run=1, sight=sight)
    yield FleetObserved(at=at, complete=True)


async def journal_filled(
    journal: Any, drafts: Sequence[Draft], fleet: Fleet | None = None
) -> Head:
    """Append rows to an empty journal; with *fleet*, keep that as a snapshot."""
    head = START
    for first in range(0, len(drafts), PIECE):
        piece = tuple(drafts[first : first + PIECE])
        written: Any = await settled(journal.append(head, piece))
        assert isinstance(written, Head), written
        head = written
    if fleet is not None:
        assert await settled(journal.save_snapshot(snapshot_of(fleet, head))) is None
    return head
