"""The gateway in the real runtime, and how a test speaks to it.

The project is what ``gateway init`` writes for a small fleet, with one module more: a
Worker that lets a test do to the objects what nobody else may (``worker/main.js``).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp
import attrs
from returns.result import Success

from orchestrator.codec.platform_choices import CloudflareChoice
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.specs import ContainerSpec
from orchestrator.platforms.cloudflare.project.files import gateway_sources, project_of
from orchestrator.platforms.cloudflare.project.plan import plan_of
from tests.bench.docker import Container
from tests.bench.engine import Engine
from tests.bench.images import APP_1, APP_2
from tests.bench.listed import so_many
from tests.bench.workerd import DurableObject, Workerd
from tests.platforms.cloudflare.openapi import holds

__all__ = (
    "GRACE_MS",
    "PATIENT_MS",
    "TOKEN",
    "WAIT_S",
    "Gateway",
    "Reply",
    "keeping",
    "session_of_tests",
    "until",
    "workerd_of",
    "write_project",
)

T = TypeVar("T")

TOKEN = "the-token-of-the-gateway"
HERE = Path(__file__).parent / "worker"
NDJSON = "application/x-ndjson"
WAIT_S = 60.0
"""What a test may wait for: a limit, never a measurement."""

STEP_S = 0.02
PATIENT_MS = 25_000
"""The longest that a container may be given for an answer: for one that will come."""

GRACE_MS = 60_000
"""Long enough to leave in good order on any machine; who waits for it says less."""

IDLE_S = 1.0
"""The runtime hangs up on who has asked nothing for 5 s: a request that is sent in that
moment is lost, so a connection is not used again that has been idle for long."""

SOON_MS = 100_000
"""An alarm that is due later does not come between what a test does."""

FLEET = FleetSpec(
    name="shop",
    containers=tuple(
        ContainerSpec(name=name, image="docker.io/library/httpd:2.4")
        for name in ("web", "api")
    ),
)
OBJECTS = {
    "REGISTRY": DurableObject("FleetRegistry"),
    "WEB": DurableObject("WebContainer", APP_1),
    "API": DurableObject("ApiContainer", APP_2),
    "SCRIPTED": DurableObject("ScriptedContainer"),
    "CHOSEN": DurableObject("ChosenContainer"),
    "PLACED_HERE": DurableObject("PlacedContainer"),
    "BARE": DurableObject("BareContainer"),
}


def write_project(folder: Path) -> Path:
    """Write the project of the fleet, and the tests' own modules beside it."""
    match plan_of(FLEET, CloudflareChoice(), folder=".."):
        case Success(plan):
            files = project_of(plan, gateway_sources(), token_secret="TOKEN")
        case refused:
            raise AssertionError(refused)
    files |= {f"src/{path.name}": path.read_bytes() for path in HERE.glob("*.js")}
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def workerd_of(engine: Engine, folder: Path) -> Workerd:
    """Return the runtime with the project in it, not yet started."""
    return Workerd(
        engine=engine,
        project=write_project(folder),
        main="src/main.js",
        durable_objects=OBJECTS,
        bindings={"GATEWAY_TOKEN": TOKEN},
    )


@attrs.frozen
class Reply:
    """What was answered."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def code(self) -> Any:
        return self.body.get("code")


def session_of_tests() -> aiohttp.ClientSession:
    """Return a session whose connections the runtime does not close in the middle."""
    connector = aiohttp.TCPConnector(keepalive_timeout=IDLE_S)
    return aiohttp.ClientSession(connector=connector)


def keeping(folder: Path, text: str) -> list[str]:
    """List the files in which a text is; a log of changes may go while it is read."""
    found = []
    for path in (path for path in folder.rglob("*") if path.is_file()):
        with contextlib.suppress(FileNotFoundError):
            found += [path.name] * (text.encode() in path.read_bytes())
    return found


async def until(what: str, find: Callable[[], Awaitable[T]]) -> T:
    """Return what is found at last; fail where it is not within the limit."""
    end = time.monotonic() + WAIT_S
    while not (found := await find()):
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {WAIT_S} s")
        await asyncio.sleep(STEP_S)
    return found


@attrs.define
class Gateway:
    """One fleet at the gateway, as one operator sees it."""

    workerd: Workerd
    session: aiohttp.ClientSession
    fleet: str
    application: str = "web"
    binding: str = "WEB"
    prefix: str = ""
    epoch: int = 1
    cursor: str = ""
    told: list[dict[str, Any]] = attrs.field(factory=list)

    # What anybody may ask

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str | None = TOKEN,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
    ) -> Reply:
        """Ask anything below the address of the Worker."""
        sent = dict(headers or {})
        if token is not None:
            sent["authorization"] = f"Bearer {token}"
        given = data if body is None else json.dumps(body).encode()
        async with self.session.request(
            method,
            self.workerd.url + path,
            data=None if given is None else BytesIO(given),
            headers=sent,
        ) as answer:
            text = await answer.text(errors="replace")
            try:
                tree = text if answer.content_type == NDJSON else json.loads(text)
            except ValueError:
                tree = text
            served = path.removeprefix(self.prefix)
            if served.startswith("/v1/") and "leapt" not in text:
                # as the OpenAPI file says
                kind = answer.content_type
                holds(method, served, answer.status, tree, kind)
            return Reply(answer.status, tree, answer.headers)

    def path(self, *rest: str) -> str:
        return "/".join((f"{self.prefix}/v1/fleets/{self.fleet}", *rest))

    async def post(self, *rest: str, **body: Any) -> Reply:
        return await self.ask("POST", self.path(*rest), body)

    async def get(self, *rest: str, **query: Any) -> Reply:
        asked = "&".join(f"{key}={quote(str(found))}" for key, found in query.items())
        return await self.ask("GET", f"{self.path(*rest)}?{asked}")

    # Orders

    def start_body(self, run: int = 1, **changes: Any) -> dict[str, Any]:
        return {
            "run": run,
            "epoch": self.epoch,
            "revision": 1,
            "fingerprint": "a-fingerprint",
            "application": self.application,
            "entrypoint": [],
            "env": {},
            "ports": {"http": 8080},
            "wait_for": [8080],
            "start_timeout_ms": 10_000,
            "stop": {"signal": 15, "grace_ms": GRACE_MS},
            "internet": False,
            "keep_alive": True,
            **changes,
        }

    async def start(self, name: str, run: int = 1, **changes: Any) -> Reply:
        body = self.start_body(run, **changes)
        return await self.post("containers", name, "start", **body)

    async def start_over(self, name: str, run: int, **changes: Any) -> Reply:
        """Start a run where another runs: again while that is not killed in time.

        A kill has its limit, which an engine that is busy may exceed.
        """

        async def taken_on() -> Reply | None:
            answer = await self.start(name, run, **changes)
            return None if answer.code == "unreachable" else answer

        answer = await until(f"run {run} of {name} is taken on", taken_on)
        assert answer is not None
        return answer

    async def stop(self, name: str, run: int = 1, **changes: Any) -> Reply:
        told = {"signal": 15, "grace_ms": GRACE_MS, **changes}
        return await self.order("stop", name, run, **told)

    async def order(self, op: str, name: str, run: int = 1, **more: Any) -> Reply:
        keyed = {"run": run, "epoch": self.epoch}
        return await self.post("containers", name, op, **{**keyed, **more})

    async def state(self, name: str) -> Any:
        return (await self.get("containers", name)).body

    async def listed(self) -> dict[str, Any]:
        found = (await self.get("containers")).body["containers"]
        return {view["name"]: view for view in found}

    # News

    async def events(self, after: str = "", **query: Any) -> Any:
        answer = await self.get("events", after=after, **query)
        assert answer.status == 200, answer
        return answer.body

    async def news(self, kind: str, name: str, run: int = 1) -> Any:
        """Wait for news of a container, also such as were told before."""
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            for event in self.told:
                found = (event.get("type"), event.get("name"), event.get("run"))
                if found == (kind, name, run):
                    return event
            page = await self.events(self.cursor, wait_ms=1_000)
            self.cursor = page["cursor"]
            self.told += page["events"]
        raise AssertionError(f"{kind} of {name} {run}: told were {self.told}")

    async def end_of(self, name: str, run: int = 1) -> Any:
        return (await self.news("ended", name, run))["end"]

    # What only a test may do

    async def at_rest(self, name: str) -> None:
        """Wait until an object has told its news, and no alarm of it is due soon."""

        async def rests() -> bool:
            untold = await self.call(name, "untold")
            left = await self.call(name, "alarmIn")
            return not untold and (left is None or left > SOON_MS)

        await until(f"{name} is at rest", rests)

    async def call(self, name: str, method: str, *words: object) -> Any:
        """Call a method of the object of a container."""
        path = f"/tests/call/{self.binding}/{self.fleet}/{name}"
        body = (await self.ask("POST", path, [method, *words])).body
        assert "error" not in body, body
        return body["value"]

    async def registry(self, method: str, *words: object) -> Any:
        path = f"/tests/call/REGISTRY/{self.fleet}/-"
        body = (await self.ask("POST", path, [method, *words])).body
        assert "error" not in body, body
        return body["value"]

    async def drive(self, name: str, method: str, *words: object) -> Any:
        """Tell a scripted container what to do."""
        return await self.call(name, "drive", method, *words)

    async def own(self, name: str, path: str = "", **headers: str) -> Reply:
        """Send traffic of the owner's own Worker to a container."""
        place = f"/tests/own/{self.binding}/{self.fleet}/{name}/{path}"
        return await self.ask("GET", place, headers=headers)

    def containers(self) -> tuple[Container, ...]:
        """List the real containers of this fleet that run."""
        every = self.workerd.engine.docker.containers()
        return tuple(one for one in every if one.labels.get("fleet") == self.fleet)

    async def running(
        self, count: int, besides: Collection[str] = ()
    ) -> tuple[Container, ...]:
        """Wait until so many run besides those with these numbers, and return them."""
        return await so_many(
            lambda: tuple(one for one in self.containers() if one.id not in besides),
            count,
        )
