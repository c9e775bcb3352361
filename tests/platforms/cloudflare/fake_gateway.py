"""The gateway, faked: a real server that answers as the Worker does, from memory.

Containers start, get ready and end at once, or as a test says. It counts what it was
asked, and misbehaves as it is told: ``faults`` are used up one a request, ``standing``
ones hold for every path that ends in their word.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import attrs
import orjson
from aiohttp import web

from orchestrator.codec.platform_choices import CloudflareChoice
from orchestrator.core.hosting import LITE
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.table import Table
from orchestrator.platforms.cloudflare.gateway import CloudflarePlatform
from orchestrator.platforms.cloudflare.project.application import Application, facts_of
from tests.platforms.cloudflare.fake_lease import FakeLease
from tests.platforms.cloudflare.fake_rest import (
    IMAGE,
    START_MS,
    Drop,
    Say,
    Slow,
    Status,
    Truncate,
)

FLEET = "demo"
TOKEN = "planted-token-of-the-gateway-81c2"
SECRETS = {"GATEWAY_TOKEN": TOKEN}
WEB = Application(name="web", image=IMAGE, instance_type=LITE, max_instances=5)
SPEC = ContainerSpec(
    name="web-0", service="web", image=IMAGE, ports=Table.of([("http", 8080)])
)
BODY_MAX = 1_048_576
ORDERS_MAX = 100
WAIT_MAX_MS = 25_000

KEYED = {"name", "run", "epoch"}
FIELDS: dict[str, set[str]] = {
    "start": KEYED
    | {"revision", "fingerprint", "application", "entrypoint", "env", "ports"}
    | {"wait_for", "start_timeout_ms", "stop", "internet", "keep_alive"}
    | {"sleep_after_ms", "location_hint", "jurisdiction"},
    "stop": KEYED | {"signal", "grace_ms"},
    "destroy": KEYED,
    "forget": KEYED,
}
CHOSEN = {"image", "instance"}
QUESTIONS: dict[str, set[str]] = {
    "http": KEYED | {"kind", "timeout_ms", "port", "path", "headers"},
    "tcp": KEYED | {"kind", "timeout_ms", "port"},
    "command": KEYED | {"kind", "timeout_ms", "command"},
}
PROBE_MAX_MS = 25_000


@attrs.frozen
class Endless:
    """Answer, and never come to an end."""


@attrs.frozen
class Held:
    """Do it, and answer when a test lets it."""

    until: asyncio.Event


Fault = Status | Drop | Truncate | Slow | Held | Say | Endless | None


@attrs.frozen
class Seen:
    """A request that arrived; ``peer`` tells one connection from another."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: Any
    peer: object


class Refusal(Exception):
    """The gateway says no."""

    def __init__(
        self, status: int, code: str, message: str = "", **details: Any
    ) -> None:
        super().__init__(code)
        self.status = status
        self.body = {"code": code, "message": message, "details": details}


@attrs.define
class FakeGateway:
    """The Worker, its registry and its objects, for one fleet."""

    applications: dict[str, Any] = attrs.Factory(lambda: {"web": facts_of(WEB)})
    tokens: set[str] = attrs.Factory(lambda: {TOKEN})
    api: Any = 1
    comes_up: bool = True
    page_max: int = 1_000
    page: int | None = None
    at_page: Callable[[str], Awaitable[None]] | None = None
    faults: deque[Fault] = attrs.Factory(deque)
    standing: dict[str, Fault] = attrs.Factory(dict)
    seen: list[Seen] = attrs.Factory(list)
    epoch: int = 0
    generation: str = "feed-1"
    lease: FakeLease = attrs.Factory(FakeLease)
    acknowledged: int = 0
    feed: list[tuple[int, dict[str, Any]]] = attrs.Factory(list)
    views: dict[str, dict[str, Any]] = attrs.Factory(dict)
    floors: dict[str, int] = attrs.Factory(dict)
    complete: bool = True
    answers: dict[str, dict[str, Any]] = attrs.Factory(dict)
    can_exec: bool = True
    counts_loads: bool = True
    borne: Any = attrs.Factory(list)
    holds: asyncio.Event | None = None
    under_way: int = 0
    most_at_once: int = 0
    _now: int = START_MS
    _seq: int = 0
    _bell: asyncio.Event = attrs.Factory(asyncio.Event)
    _arrival: asyncio.Event = attrs.Factory(asyncio.Event)
    _runner: web.AppRunner | None = None
    _site: web.TCPSite | None = None
    _port: int = 0

    # The wire

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        self._arrival.set()
        try:
            if self.holds is not None:
                await self.holds.wait()
            return await self._handled(request)
        finally:
            self.under_way -= 1

    async def _handled(self, request: web.Request) -> web.StreamResponse:
        data = await request.read()
        path = request.path.removeprefix("/v1/")
        peer = request.transport and request.transport.get_extra_info("peername")
        headers, query = request.headers.copy(), dict(request.query)
        body = orjson.loads(data) if data else None
        self.seen.append(Seen(request.method, path, query, headers, body, peer))
        self._arrival.set()
        fault = self.standing.get(path.rpartition("/")[2])
        if fault is None and self.faults:
            fault = self.faults.popleft()
        if isinstance(fault, Status):
            return web.Response(
                status=fault.status, body=fault.body, headers=dict(fault.headers)
            )
        if isinstance(fault, Endless):
            return await endless(request)
        if fault == Drop(after=False):
            return dropped(request)
        try:
            self._let_in(request, data)
            status, tree = 200, await self._routed(request.method, path, query, body)
        except Refusal as refusal:
            status, tree = refusal.status, refusal.body
        told = orjson.dumps(tree)
        match fault:
            case Drop():
                return dropped(request)
            case Truncate():
                return await truncated(request, told)
            case Slow(seconds=seconds):
                await asyncio.sleep(seconds)
            case Held(until=until):
                await until.wait()
            case Say(body=said):
                told = said
            case _:
                pass
        return web.Response(status=status, body=told, content_type="application/json")

    def _let_in(self, request: web.Request, data: bytes) -> None:
        shown = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not self.tokens:
            raise Refusal(503, "not_configured", "the secret GATEWAY_TOKEN is not set")
        if shown not in self.tokens:
            raise Refusal(401, "unauthorized", "expected a bearer token")
        if len(data) > BODY_MAX:
            raise Refusal(413, "too_large", "expected less", max=BODY_MAX)

    async def _routed(
        self, method: str, path: str, query: dict[str, str], body: Any
    ) -> dict[str, Any]:
        match method, *path.split("/"):
            case "GET", "about":
                limits = {} if self.page is None else {"limits": {"page": self.page}}
                return {"api": self.api, "applications": self.applications, **limits}
            case "POST", "fleets", _, "attach":
                return self._attach(body)
            case "GET", "fleets", _, "lease":
                return self.lease.told() or {"holder": None, "epoch": self.epoch}
            case "POST", "fleets", _, "lease", action:
                return self._leased(action, body["epoch"])
            case "GET", "fleets", _, "containers":
                self._note(query.get("epoch"))
                return await self._listed(query)
            case "GET", "fleets", _, "loads" if self.counts_loads:
                self._note(query.get("epoch"))
                loads, more = self._part(self.borne, query)
                return {"loads": loads, **more}
            case "GET", "fleets", _, "containers", name:
                return self._view(name)
            case "GET", "fleets", _, "events":
                return await self._events(query)
            case "POST", "fleets", _, "events", "ack":
                return self._acknowledge(body["cursor"])
            case "POST", "fleets", _, "batch":
                return {"results": self._batch(body["orders"])}
            case "POST", "fleets", _, "probe":
                return {"results": self._probed(body["questions"])}
            case _:
                raise Refusal(404, "not_found", "no such path")

    # The operator

    def _attach(self, body: dict[str, Any]) -> dict[str, Any]:
        claim = body.pop("lease", None)
        if set(body) != {"after", "orphan_after_ms"}:
            raise Refusal(422, "invalid")
        held = self.lease.refusal(claim)
        if held is not None:
            raise Refusal(409, "lease_held", "another one leads", **held)
        epoch = self.take_over(body["after"])
        told = {"epoch": epoch, "generation": self.generation}
        if self.lease.is_known:
            told["lease"] = self.lease.grant(epoch, claim)
        return told

    def _leased(self, action: str, epoch: int) -> dict[str, Any]:
        self._note(epoch)
        if action == "release":
            self.lease.release()
            return {}
        self.lease.renew()
        return self.lease.told() or {}

    def take_over(self, after: int = 0) -> int:
        """Grant an epoch, as to a newer operator."""
        self.epoch = max(self.epoch, after) + 1
        self.ring()
        return self.epoch

    def _note(self, told: object) -> None:
        """Refuse what an older operator asks."""
        if told is None:
            return
        epoch = int(str(told))
        if epoch < self.epoch:
            details = {"epoch": epoch, "highest": self.epoch}
            raise Refusal(409, "stale_operator", "a newer one took over", **details)
        self.epoch = epoch

    # The feed

    def ring(self) -> None:
        bell, self._bell = self._bell, asyncio.Event()
        bell.set()

    def tell(self, type_: str, name: str, run: int, **more: Any) -> str:
        """Append an event to the feed; return its cursor."""
        self._seq += 1
        self._now += 1
        event = {"type": type_, "name": name, "run": run, "at": self._now, **more}
        self.feed.append((self._seq, event))
        self.ring()
        return f"{self.generation}:{self._seq}"

    def begin_anew(self) -> None:
        """Lose the feed: the registry has been made anew."""
        self.generation += "'"
        self.feed.clear()
        self._seq = 0

    async def _events(self, query: dict[str, str]) -> dict[str, Any]:
        self._note(query.get("epoch"))
        after = query.get("after", "")
        of, _, number = after.rpartition(":")
        known = of == self.generation and number.isdigit()
        seq = int(number) if known else 0
        clock = asyncio.get_running_loop().time
        until = clock() + min(int(query.get("wait_ms", "0")), WAIT_MAX_MS) / 1_000
        while not (found := self._after(seq)) and (left := until - clock()) > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._bell.wait()
            self._note(query.get("epoch"))
        return {
            "cursor": f"{self.generation}:{found[-1][0] if found else seq}",
            "lost": (after != "" and not known) or seq < self.acknowledged,
            "events": [
                {"cursor": f"{self.generation}:{place}", **event}
                for place, event in found
            ],
        }

    def _after(self, seq: int) -> list[tuple[int, dict[str, Any]]]:
        return [item for item in self.feed if item[0] > seq][: self.page_max]

    def _acknowledge(self, cursor: str) -> dict[str, Any]:
        of, _, number = cursor.rpartition(":")
        if of != self.generation:
            raise Refusal(409, "unknown_cursor", "the cursor is of another feed")
        self.acknowledged = max(self.acknowledged, int(number))
        self.feed = [item for item in self.feed if item[0] > self.acknowledged]
        return {}

    # Orders

    def _batch(self, orders: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if len(orders) > ORDERS_MAX:
            raise Refusal(422, "invalid", "orders: expected an array of at most 100")
        return [self._carried_out(order) for order in orders]

    def _carried_out(self, order: dict[str, Any]) -> dict[str, Any]:
        return outcome(202, lambda: self._performed(**order))

    def _performed(self, op: str, **order: Any) -> dict[str, Any]:
        if op not in FIELDS or set(order) - CHOSEN != FIELDS[op]:
            raise Refusal(422, "invalid", f"{op}: expected other fields")
        self._note(order["epoch"])
        name, run = order["name"], order["run"]
        match op:
            case "start":
                self._start(name, run, order)
            case "forget":
                if self._is_live(name):
                    raise Refusal(409, "not_stopped", "the container runs", run=run)
                self.views.pop(name, None)
                self._close(name, run)
            case _:
                self._stop(name, run)
        return self.views.get(name, {"name": name, "run": run, "phase": "none"})

    def _start(self, name: str, run: int, order: dict[str, Any]) -> None:
        if order["application"] not in self.applications:
            raise Refusal(409, "no_application", "it is not deployed")
        highest, known = self.floors.get(name, 0), self.views.get(name)
        if run == highest and known is not None and known["run"] == run:
            return
        if run <= highest:
            details = {"name": name, "run": run, "highest": highest}
            raise Refusal(409, "stale_run", "a higher run was seen", **details)
        if known is not None and self._is_live(name):
            self.end(name, {"kind": "stopped", "raw": "another run replaced it"})
        self._close(name, run)
        self._now += 1
        self.views[name] = {
            "name": name,
            "run": run,
            "id": f"{len(name):064x}",
            "fingerprint": order["fingerprint"],
            "application": order["application"],
            "ports": order["ports"],
            "phase": "starting",
            "begun_at": self._now,
            "started_at": None,
            "ready_at": None,
            "end": None,
            "problem": None,
        }
        if self.comes_up:
            self.bring_up(name)

    def _stop(self, name: str, run: int) -> None:
        self._close(name, run)
        known = self.views.get(name)
        if known is not None and known["run"] == run:
            if self._is_live(name):
                self.end(name, {"kind": "stopped"})
                return
            end = known["end"]
        else:
            end = {"kind": "stopped", "raw": "it was not here"}
        self.tell("ended", name, run, end=end, started=known is not None)

    def _close(self, name: str, run: int) -> None:
        self.floors[name] = max(self.floors.get(name, 0), run)

    def _is_live(self, name: str) -> bool:
        phase = self.views.get(name, {}).get("phase")
        return phase in {"starting", "running"}

    async def _listed(self, query: dict[str, str]) -> dict[str, Any]:
        if self.at_page is not None:
            await self.at_page(query.get("after", ""))
        views, more = self._part([*self.views.values()], query)
        return {
            "generation": self.generation,
            "cursor": f"{self.generation}:{self._seq}",
            "complete": self.complete,
            "containers": views,
            **more,
        }

    def _part(self, items: Any, query: dict[str, str]) -> tuple[Any, dict[str, Any]]:
        """Return the page that is asked for, and where it goes on; else all items."""
        if self.page is None or not {"after", "limit"} & set(query):
            return items, {}
        after = query.get("after", "")
        limit = min(int(query.get("limit", self.page)), self.page)
        names = sorted(item["name"] for item in items if item["name"] > after)
        named = {item["name"]: item for item in items}
        goes_on = names[limit - 1] if len(names) > limit else None
        return [named[name] for name in names[:limit]], {"next": goes_on}

    def _view(self, name: str) -> dict[str, Any]:
        if name not in self.views:
            raise Refusal(404, "not_found", "no such container")
        return self.views[name]

    # Questions

    def _probed(self, questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if len(questions) > ORDERS_MAX:
            raise Refusal(422, "invalid", "questions: expected an array of at most 100")
        return [outcome(200, partial(self._asked, **one)) for one in questions]

    def _asked(self, kind: str, **question: Any) -> dict[str, Any]:
        """Answer as a container that is well does, or as a test says (``answers``)."""
        if set(question) | {"kind"} != QUESTIONS[kind]:
            raise Refusal(422, "invalid", f"{kind}: expected other fields")
        if not 1 <= question["timeout_ms"] <= PROBE_MAX_MS:
            raise Refusal(422, "invalid", "timeout_ms: expected less")
        self._note(question["epoch"])
        name, run = question["name"], question["run"]
        view = self._view(name)
        if run != view["run"]:
            details = {"name": name, "run": run, "highest": view["run"]}
            raise Refusal(409, "stale_run", "another run is here", **details)
        if not self._is_live(name):
            raise Refusal(409, "not_running", "the container does not run", run=run)
        if kind == "command" and not self.can_exec:
            raise Refusal(409, "unsupported", "it cannot run a command")
        port = question.get("port")
        well: dict[str, dict[str, Any]] = {
            "http": {"status": 200},
            "tcp": {"opened": True},
            "command": {"code": 0},
        }
        if port is not None and port not in view["ports"].values():
            found: dict[str, Any] = {"error": "not_listening"}
        else:
            found = self.answers.get(name, well[kind])
        return {"run": run, **found, "elapsed_ms": 1}

    # What a test does

    def bring_up(self, name: str) -> None:
        """Let a container start, and get ready."""
        view = self.views[name]
        view |= {"phase": "running", "started_at": self._now, "ready_at": self._now}
        facts = {"ports": view["ports"], "application": view["application"]}
        self.tell("started", name, view["run"], **facts)
        self.tell("ready", name, view["run"], **facts)

    def end(self, name: str, end: dict[str, Any]) -> None:
        """Let a container end."""
        view = self.views[name]
        started = view["started_at"] is not None
        view |= {"phase": "ended", "end": end}
        self.tell("ended", name, view["run"], end=end, started=started)

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until something is so; it is looked at whenever a request arrives."""
        while not is_so():
            self._arrival.clear()
            await self._arrival.wait()

    def asked(self, ending: str) -> list[Seen]:
        """List the requests whose path ends so."""
        return [seen for seen in self.seen if seen.path.endswith(ending)]

    def orders(self) -> list[dict[str, Any]]:
        """List all orders that arrived, each request after the other."""
        return [order for seen in self.asked("/batch") for order in seen.body["orders"]]

    # Up and down

    async def go_up(self) -> str:
        """Listen, where it listened before; return the address."""
        if self._runner is None:
            app = web.Application(client_max_size=64 * BODY_MAX)
            app.router.add_route("*", "/{path:.*}", self.handle)
            self._runner = web.AppRunner(
                app, handler_cancellation=True, access_log=None, shutdown_timeout=0.05
            )
            await self._runner.setup()
        self._site = web.TCPSite(
            self._runner, "127.0.0.1", self._port, reuse_address=True
        )
        await self._site.start()
        self._port = self._runner.addresses[0][1]
        return f"http://127.0.0.1:{self._port}"

    async def go_down(self) -> None:
        """Refuse connections, and cut those that are there."""
        assert self._site is not None
        assert self._runner is not None
        await self._site.stop()
        self._site = None
        server = self._runner.server
        for connection in () if server is None else server.connections:
            connection.force_close()

    async def close(self) -> None:
        """Let go of everything."""
        if self._site is not None:
            await self._site.stop()
        for _ in range(5):  # what was just accepted is known to the server by then
            await asyncio.sleep(0)
        if self._runner is not None:
            await self._runner.cleanup()
            await asyncio.sleep(0)  # what was cut is closed in the loop's next turn


def outcome(success: int, done: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return one of many results: what was done, or why not."""
    try:
        return {"status": success, "body": done()}
    except Refusal as refusal:
        return {"status": refusal.status, "body": refusal.body}


def dropped(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.close()
    return web.Response()


async def truncated(request: web.Request, told: bytes) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": str(len(told) + 9)})
    await response.prepare(request)
    await response.write(told[: len(told) // 2])
    dropped(request)
    return response


async def endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    with contextlib.suppress(ConnectionError):
        while True:
            await response.write(b" " * 4_096)
    return response


@asynccontextmanager
async def serving(fake: FakeGateway) -> AsyncIterator[str]:
    """Serve the fake on the loopback; yields its address."""
    url = await fake.go_up()
    try:
        yield url
    finally:
        await fake.close()


def choice_of(url: str | None, **more: Any) -> CloudflareChoice:
    more.setdefault("timeout_ms", 60_000)
    return CloudflareChoice(url=url, **more)


@asynccontextmanager
async def over(
    fake: FakeGateway, secrets: Mapping[str, str] | None = None, **more: Any
) -> AsyncIterator[CloudflarePlatform]:
    """Open the platform over a fake that is served."""
    known = SECRETS if secrets is None else secrets
    async with serving(fake) as url:
        platform = CloudflarePlatform(choice_of(url, **more), FLEET, known)
        try:
            yield platform
        finally:
            await platform.detach()
