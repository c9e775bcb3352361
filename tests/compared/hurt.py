"""Both sides with three containers each, and what is hurt about them.

``steady`` goes on. ``leaver`` is asked to leave and leaves with 7; ``killed`` is
killed, which is 137. Both are told so by the engine itself: no operator and no runtime
knows of it but by what it sees. All settings are the defaults of either side: ours
waits a second before it starts one again, theirs looks at all of them once a minute.

What is seen of a container afterwards is told by the engine (when another one runs for
it, and how many), and by the operator's own record (when it was noticed, as what).
"""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp
import attrs

from orchestrator import Operator, settled
from orchestrator.codec.fleet_file import read_fleet_file
from orchestrator.core.events import ContainerEnded, ContainerObserved
from orchestrator.core.exits import exit_text
from orchestrator.core.observations import SeenAbsent, SeenEnded
from tests.bench.engine import Engine
from tests.bench.images import APP_1
from tests.bench.machine import node
from tests.bench.workerd import DurableObject, Workerd
from tests.cli.kit import file_at
from tests.compared.sides import work_of
from tests.platforms.cloudflare.real.command_kit import Ground
from tests.platforms.cloudflare.real.kit import IMAGE, TOKEN, Stage, stage

__all__ = (
    "ENDING",
    "NAMES",
    "Ends",
    "Seen",
    "Theirs",
    "ends_of",
    "now_ms",
    "our_ends",
    "our_ground",
)

NAMES: Final = ("steady", "leaver", "killed")
ENDING: Final = ("leaver", "killed")
REFERENCE: Final = Path(__file__).parent / "reference"
LIMIT_S: Final = 120.0
"""So long a container may take to run again: theirs looks once a minute."""

STEP_S: Final = 0.02
AFTERWARDS_S: Final = 2.0
"""How long it is looked at once more, for one that is started twice."""

FLEET: Final = """
[fleet]
name = "demo"
[platform]
kind = "cloudflare"
url = "URL"
""" + "".join(
    f"""
[[containers]]
name = "{name}"
image = "{IMAGE}"
command = ["/bin/serve", "7"]
ports = {{ http = 8080 }}
"""
    for name in NAMES
)


@attrs.frozen(kw_only=True)
class Seen:
    """What became of one container that ended; milliseconds from the return on.

    None: not within the limit. ``starts``: how many others have run for it since.
    """

    noticed_ms: float | None
    told: str
    again_ms: float | None
    starts: int


def now_ms() -> float:
    return time.time() * 1_000


@attrs.define(kw_only=True)
class Ends:
    """Containers of the engine by their names, as they were, and as they are now.

    ``objects`` are the ids of their objects, which the engine's names hold.
    """

    engine: Engine
    runtime: str
    objects: Mapping[str, str]
    before: dict[str, str] = attrs.field(factory=dict)

    def _running(self) -> dict[str, str]:
        """Return the engine's ids of what runs, by the name of the container."""
        own = f"workerd-{self.runtime}-"
        found = {}
        for one in self.engine.docker.containers():
            for name, object_id in self.objects.items():
                if one.name.startswith(own) and object_id in one.name:
                    found[name] = one.id
        return found

    async def all_run(self) -> None:
        """Wait until every container runs, and keep which ones these are."""
        until = time.monotonic() + LIMIT_S
        while len(running := self._running()) < len(self.objects):
            assert time.monotonic() < until, running
            await asyncio.sleep(STEP_S)
        self.before = running

    def end_two(self) -> None:
        """Have one leave with 7, and kill another."""
        self.engine.docker.kill(self.before["leaver"], "TERM")
        self.engine.docker.kill(self.before["killed"])

    async def again(self, since_ms: float) -> dict[str, tuple[float | None, int]]:
        """Wait until both run again; return after how long, and how many have run."""
        first: dict[str, float] = {}
        seen: dict[str, set[str]] = {name: set() for name in ENDING}
        until = time.monotonic() + LIMIT_S
        while time.monotonic() < until:
            for name, engine_id in self._running().items():
                if name in seen and engine_id != self.before[name]:
                    first.setdefault(name, now_ms() - since_ms)
                    seen[name].add(engine_id)
            if len(first) == len(ENDING):
                until = min(until, time.monotonic() + AFTERWARDS_S)
            await asyncio.sleep(STEP_S)
        return {name: (first.get(name), len(seen[name])) for name in ENDING}


@asynccontextmanager
async def our_ground(engine: Engine, folder: Path) -> AsyncIterator[Ground]:
    """Run our gateway, and write the fleet file of the operator."""
    somewhere = FLEET.replace("URL", "https://x.example")
    read = read_fleet_file(somewhere.encode(), file="f", folder="/").unwrap()
    async with stage(engine, folder, read.spec) as it:
        secrets = folder / "secrets"
        secrets.write_text(f"GATEWAY_TOKEN={TOKEN}\n")
        secrets.chmod(0o600)
        file = file_at(folder, FLEET.replace("URL", it.workerd.url))
        yield Ground(stage=it, file=file, state=folder / "state", secrets=secrets)


async def our_ends(it: Stage) -> Ends:
    """Find the engine's containers of our fleet."""
    details = await it.details()
    objects = {name: str(details[name].facts["id"]) for name in NAMES}
    return Ends(engine=it.engine, runtime=it.workerd.name, objects=objects)


async def ends_of(
    operator: Operator, since_ms: float, after: int = 0
) -> dict[str, tuple[float, str]]:
    """Return when an operator wrote down the first end of each, and as what."""
    found: dict[str, tuple[float, str]] = {}
    while page := await settled(operator.events(after)):
        assert isinstance(page, tuple), page
        after = page[-1].seq
        for record in page:
            match record.event:
                case (
                    ContainerEnded(at=at, name=name, exit=exit_)
                    | ContainerObserved(at=at, name=name, sight=SeenEnded(exit=exit_))
                ):
                    found.setdefault(name, (at - since_ms, exit_text(exit_)))
                case ContainerObserved(at=at, name=name, sight=SeenAbsent()):
                    found.setdefault(name, (at - since_ms, "lost"))
                case _:
                    pass
    return found


@attrs.define(kw_only=True)
class Theirs:
    """The reference library in the runtime, with its defaults."""

    workerd: Workerd

    @staticmethod
    @asynccontextmanager
    async def opened(engine: Engine, folder: Path) -> AsyncIterator[Theirs]:
        """Run its Worker, and have its fleet started."""
        project = folder / "theirs"
        project.mkdir(parents=True)
        words = (
            *(str(node("pinned")), str(REFERENCE / "bundle.mjs")),
            *("--work", str(work_of("pinned")), "--out", str(project / "worker.js")),
            *("--entry", str(REFERENCE / "faults_worker.js")),
        )
        subprocess.run(words, check=True)
        async with Workerd(
            engine=engine,
            project=project,
            main="worker.js",
            durable_objects={
                "CONTAINER_OPERATOR": DurableObject("Fleet"),
                "MANAGED_CONTAINER": DurableObject("Unit", APP_1),
            },
        ) as workerd:
            it = Theirs(workerd=workerd)
            await it.ask("/reconcile")
            yield it

    async def ask(self, path: str) -> Any:
        """Ask its Worker something."""
        url = f"{self.workerd.url}{path}"
        async with aiohttp.ClientSession() as session, session.get(url) as said:
            found = await said.json()
            assert said.ok, found
            return found

    async def ends(self) -> Ends:
        """Find the engine's containers of its fleet, all of which run."""
        engine, objects = self.workerd.engine, await self.ask("/ids")
        ends = Ends(engine=engine, runtime=self.workerd.name, objects=objects)
        await ends.all_run()
        return ends

    async def noticed(self, since_ms: float) -> dict[str, tuple[float, str]]:
        """Return when its record says that each one stopped first, and as what."""
        return {
            one["name"]: (
                one["stops"][0]["timestamp"] - since_ms,
                str(one["stops"][0].get("error", "")),
            )
            for one in await self.ask("/list")
            if one["stops"]
        }
