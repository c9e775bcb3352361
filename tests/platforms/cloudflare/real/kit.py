"""A fleet on Cloudflare's own runtime: workerd, our gateway, real containers.

The project that runs is the one that ``gateway init`` writes. The runtime keeps its
port and storage when it is killed; containers outlive it.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp
import attrs
from returns.future import FutureResult

from orchestrator import (
    Backoff,
    ContainerInfo,
    ContainerSpec,
    CrashLimit,
    FleetSettings,
    FleetSpec,
    MemoryJournal,
    Operator,
    RestartPolicy,
    Table,
    settled,
)
from orchestrator.codec.platform_choices import CloudflareChoice
from orchestrator.core.commands import Command, CommandKind
from orchestrator.core.errors import PlatformError
from orchestrator.core.events import (
    CommandAccepted,
    ContainerEnded,
    ContainerObserved,
    ContainerStarted,
    Event,
    HealthChanged,
)
from orchestrator.core.invariants import violations
from orchestrator.core.observations import SeenEnded
from orchestrator.core.steps import Step
from orchestrator.platforms.cloudflare.gateway import CloudflarePlatform
from orchestrator.platforms.cloudflare.project.files import gateway_sources, project_of
from orchestrator.platforms.cloudflare.project.plan import plan_of
from orchestrator.platforms.port import PlatformDetail, Question, Reply
from tests.bench.engine import Engine
from tests.bench.images import APP_1
from tests.bench.listed import so_many
from tests.bench.machine import Variant
from tests.bench.workerd import DurableObject, Workerd

IMAGE: Final = f"docker.io/library/{APP_1}"
"""What a fleet file says; the engine knows it by its short name."""

TOKEN: Final = "a-token-of-the-tests-0123456789"
LIMIT_S: Final = 120.0
"""A bound on waiting, never a measurement."""

PATIENT_MS: Final = 25_000
"""So long an answer may take on a machine that is busy; no more may be asked for."""

FAST: Final = Backoff(initial_ms=100, factor=1, max_ms=200, jitter=0)
PORTS: Final = Table.of([("http", 8080)])


def spec(name: str, *words: str, **more: Any) -> ContainerSpec:
    """Return a container of the bench's image that does what its words say."""
    more.setdefault("ports", PORTS)
    more.setdefault("stop_grace_ms", 2_000)
    more.setdefault("restart", RestartPolicy(backoff=FAST))
    command = (f"/bin/{words[0]}", *words[1:]) if words else ()
    return ContainerSpec(name=name, image=IMAGE, command=command, **more)


def replicas(count: int, *words: str, **more: Any) -> tuple[ContainerSpec, ...]:
    return tuple(
        attrs.evolve(spec("web", *words, **more), name=f"web-{n}", replica=n)
        for n in range(count)
    )


def looping(allowed: int, **more: Any) -> RestartPolicy:
    """Return a policy that is quick, and quick to see a crash loop."""
    limit = CrashLimit(allowed_crashes=allowed, **more)
    return RestartPolicy(crash=limit, backoff=FAST)


def fleet(*containers: ContainerSpec, **settings: Any) -> FleetSpec:
    settings.setdefault("ad_hoc", spec("ad-hoc", "serve"))
    settings.setdefault("max_concurrent_starts", 20)
    return FleetSpec(
        name="demo", settings=FleetSettings(**settings), containers=containers
    )


@attrs.frozen(kw_only=True, eq=False)
class Watched:
    """An operator, with all that it was told and every law that was broken."""

    operator: Operator
    events: list[Event]
    commands: list[Command]
    broken: list[str]

    def info(self, name: str) -> ContainerInfo:
        return next(info for info in self.operator.infos() if info.name == name)

    async def until(
        self, what: str, is_so: Callable[[], bool], limit_s: float = LIMIT_S
    ) -> None:
        loop = self.operator._loop
        try:
            async with asyncio.timeout(limit_s), loop.turned:
                await loop.turned.wait_for(is_so)
        except TimeoutError:
            state = [(i.name, i.phase, i.run, i.why) for i in self.operator.infos()]
            msg = f"{what}: not within {limit_s} s: {state}"
            raise AssertionError(msg) from None

    async def phase(self, name: str, phase: str) -> ContainerInfo:
        """Wait until a container is in a phase."""
        await self.until(f"{name} {phase}", lambda: self._phase(name) == phase)
        return self.info(name)

    def _phase(self, name: str) -> str:
        return next((i.phase for i in self.operator.infos() if i.name == name), "none")

    async def all_ready(self, count: int) -> None:
        def ready() -> bool:
            return sum(info.ready for info in self.operator.infos()) == count

        await self.until(f"{count} ready", ready)

    async def takes_the_stop(self, name: str) -> None:
        """Wait until the gateway has taken on that a container is to stop."""

        def is_taken() -> bool:
            return any(
                isinstance(event, CommandAccepted)
                and (event.name, event.kind) == (name, CommandKind.STOP)
                for event in self.events
            )

        await self.until(f"the stop of {name}", is_taken)

    def ends(self, name: str) -> list[object]:
        """Return how the runs of a container ended, as it was told or seen."""
        found: dict[int, object] = {}
        for event in self.events:
            match event:
                case (
                    ContainerEnded(name=named, run=run, exit=end)
                    | ContainerObserved(name=named, run=run, sight=SeenEnded(exit=end))
                ) if named == name:
                    found.setdefault(run, end)
                case _:
                    pass
        return [found[run] for run in sorted(found)]

    def verdicts(self, name: str) -> list[tuple[int, str, bool]]:
        """Return the verdicts of the health checks of a container, as they changed."""
        return [
            (event.run, str(event.check), event.passing)
            for event in self.events
            if isinstance(event, HealthChanged) and event.name == name
        ]

    def starts(self) -> Counter[tuple[str, int]]:
        """Count how often each run was told to have started, as it was written."""
        return Counter(
            (event.name, event.run)
            for event in self.events
            if isinstance(event, ContainerStarted)
        )


class Counted(CloudflarePlatform):
    """The platform, with how often its containers were asked and have answered."""

    answers: int = 0

    def probe(self, question: Question) -> FutureResult[Reply, PlatformError]:
        """Ask, and count the answer."""

        def counted(reply: Reply) -> Reply:
            self.answers += 1
            return reply

        return super().probe(question).map(counted)

    async def answered(self, times: int) -> None:
        """Wait for so many more answers."""
        wanted, until = self.answers + times, time.monotonic() + LIMIT_S
        while self.answers < wanted:
            assert time.monotonic() < until, f"{self.answers} of {wanted} answers"
            await asyncio.sleep(0.05)


@attrs.frozen(kw_only=True, eq=False)
class Stage:
    """A gateway that runs, and the engine below it."""

    engine: Engine
    workerd: Workerd
    declared: FleetSpec
    folder: Path

    def platform(self, url: str | None = None, **more: Any) -> Counted:
        more.setdefault("timeout_ms", 5_000)  # the operator asks again
        choice = CloudflareChoice(url=url or self.workerd.url, **more)
        secrets = {choice.token_secret: TOKEN}
        return Counted(choice, self.declared.name, secrets)

    @asynccontextmanager
    async def operator(
        self, declared: FleetSpec | None = None, url: str | None = None, **means: Any
    ) -> AsyncIterator[Watched]:
        """Open an operator, at the gateway or at what stands before it."""
        platform = means.pop("platform", None) or self.platform(url)
        journal = means.pop("journal", None) or MemoryJournal()
        events: list[Event] = []
        commands: list[Command] = []
        broken: list[str] = []
        async with Operator.open(
            declared or self.declared, platform=platform, journal=journal, **means
        ) as operator:

            def watch(step: Step) -> None:
                events.append(step.event)
                commands.extend(step.commands)
                broken.extend(map(str, violations(step)))

            operator._loop.watchers.append(watch)
            yield Watched(
                operator=operator, events=events, commands=commands, broken=broken
            )
        assert broken == []

    async def asked(self, path: str, /, **body: Any) -> Any:
        """Ask the gateway itself something."""
        headers = {"authorization": f"Bearer {TOKEN}"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.post(f"{self.workerd.url}/v1/{path}", json=body) as response,
        ):
            return await response.json()

    async def visit(self, name: str, page: str) -> None:
        """Ask for a page of a container."""
        path, asked = f"fleets/demo/containers/{name}/probe", f"/cgi-bin/{page}"
        answer = await self.asked(path, port=8080, path=asked, timeout_ms=PATIENT_MS)
        # Who leaves may have left before its answer has come.
        is_leaving = page.startswith("quit")
        assert is_leaving or answer["status"] in {200, 503}, answer

    async def details(self) -> dict[str, PlatformDetail]:
        platform = self.platform(timeout_ms=PATIENT_MS)
        try:
            told = await settled(platform.details())
        finally:
            await platform.detach()
        assert isinstance(told, tuple), told
        return {detail.name: detail for detail in told}

    async def container(self, name: str) -> str:
        """Return the name of the engine's container of a container of the fleet."""
        detail = (await self.details())[name]
        object_id = detail.facts["id"]
        (found,) = await so_many(
            lambda: [one for one in self.running() if object_id in one], 1
        )
        return found

    async def have_ended(self, *names: str) -> None:
        """Wait until the gateway, too, knows that containers have ended."""
        until = time.monotonic() + LIMIT_S
        while True:
            told = await self.details()
            if all(told[name].state == "ended" for name in names):
                return
            assert time.monotonic() < until, told
            await asyncio.sleep(0.05)

    async def engine_id(self, name: str) -> str:
        """Return the engine's number of what runs now: another one after a restart."""
        found = await self.container(name)
        every = self.engine.docker.containers()
        return next(one.id for one in every if one.name == found)

    def running(self) -> list[str]:
        """List the engine's containers that run, sidecars aside."""
        own = f"workerd-{self.workerd.name}-"
        return [
            one.name
            for one in self.engine.docker.containers()
            if one.name.startswith(own)
        ]

    async def runs(self, count: int) -> None:
        """Wait until so many containers run at the engine."""
        _ = await so_many(self.running, count)


@asynccontextmanager
async def stage(
    engine: Engine,
    folder: Path,
    declared: FleetSpec,
    variant: Variant = "pinned",
    choice: CloudflareChoice | None = None,
    **more: Any,
) -> AsyncIterator[Stage]:
    """Write the project of a fleet's gateway, and run it."""
    project = folder / "gateway"
    plan = plan_of(declared, choice or CloudflareChoice(), folder="..").unwrap()
    files = project_of(plan, gateway_sources(), token_secret="GATEWAY_TOKEN")
    write(project, files.items())
    objects = {
        application.binding: DurableObject(application.class_name, APP_1)
        for application in plan.applications
    }
    objects["REGISTRY"] = DurableObject("FleetRegistry")
    workerd = Workerd(
        engine=engine,
        project=project,
        main="src/index.js",
        durable_objects=objects,
        bindings={"GATEWAY_TOKEN": TOKEN},
        variant=variant,
        **more,
    )
    async with workerd:
        yield Stage(engine=engine, workerd=workerd, declared=declared, folder=folder)


def write(folder: Path, files: Iterable[tuple[str, bytes]]) -> None:
    for path, data in files:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
