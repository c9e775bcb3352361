"""Cloudflare's REST API for containers, faked: a real server with a virtual clock.

It answers by the public schema, counts what it did, and misbehaves as it is told:
``faults`` are used up one a request, and ``quota`` is that of the whole account.
Instances that are in ``keeps_old`` go on with their image, whatever is rolled out; no
rollout takes more steps than ``stuck_after``.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import orjson
from aiohttp import web
from aiohttp.test_utils import TestServer

from orchestrator.platforms.cloudflare.rest.client import RestClient, RestLimits

ACCOUNT = "0123456789abcdef0123456789abcdef"
TOKEN = "planted-token-7f3a"
PREFIX = f"/accounts/{ACCOUNT}/containers"
IMAGE = f"registry.cloudflare.com/{ACCOUNT}/web@sha256:{'1' * 64}"
NEWER = f"registry.cloudflare.com/{ACCOUNT}/web@sha256:{'2' * 64}"
START = datetime(2026, 11, 20, tzinfo=UTC)
START_MS = int(START.timestamp()) * 1000
BLOCK_MS = 300_000
APPLICATION_KEYS = {
    "name",
    "scheduling_policy",
    "instances",
    "max_instances",
    "configuration",
    "constraints",
    "durable_objects",
    "observability",
    "rollout_active_grace_period",
}


@attrs.define
class Clock:
    """Time that passes only where somebody sleeps."""

    now: int = 0
    slept: list[float] = attrs.Factory(list)

    def now_ms(self) -> int:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += -int(-seconds * 1000 // 1)
        await asyncio.sleep(0)


@attrs.frozen
class Status:
    """Answer this and do nothing."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


@attrs.frozen
class Drop:
    """Close the connection, before or after the request took effect."""

    after: bool = False


@attrs.frozen
class Truncate:
    """Do it, and lose the connection in the middle of the answer."""


@attrs.frozen
class Slow:
    """Do it, and answer late (in real time)."""

    seconds: float


@attrs.frozen
class Say:
    """Do it, and answer with another body."""

    body: bytes


Fault = Status | Drop | Truncate | Slow | Say | None


@attrs.frozen
class Seen:
    """A request that arrived."""

    method: str
    path: str
    query: dict[str, str]
    at_ms: int


@attrs.frozen
class Quota:
    """So many requests in a window; then none for five minutes."""

    amount: int
    window_ms: int
    says_retry_after: bool = True


class Refusal(Exception):
    """The API says no."""

    def __init__(self, status: int, code: str | None = None, message: str = "") -> None:
        super().__init__(status)
        self.status = status
        said = {"error": code, "details": {"message": message}}
        self.message = orjson.dumps(said).decode() if code else message


@attrs.define
class FakeRest:
    """The state of one account."""

    clock: Clock = attrs.Factory(Clock)
    applications: dict[str, dict[str, Any]] = attrs.Factory(dict)
    instances: dict[str, list[dict[str, Any]]] = attrs.Factory(dict)
    versions: dict[str, list[dict[str, Any]]] = attrs.Factory(dict)
    rollouts: dict[str, dict[str, Any]] = attrs.Factory(dict)
    preparing: dict[str, list[str]] = attrs.Factory(dict)
    faults: deque[Fault] = attrs.Factory(deque)
    seen: list[Seen] = attrs.Factory(list)
    writes: list[str] = attrs.Factory(list)
    step_ms: int = 60_000
    quota: Quota | None = None
    by_offset: bool = False
    before_page: Callable[[int], None] = lambda _: None
    listed_late: int = 0
    keeps_old: set[str] = attrs.Factory(set)
    stuck_after: int | None = None
    overdrawn: int = 0
    _made: int = 0
    _pages: int = 0
    _window: tuple[int, int] = (0, 0)
    _blocked_until: int = 0

    # The wire

    async def handle(self, request: web.Request) -> web.StreamResponse:
        query = dict(request.query)
        path = request.path.removeprefix(PREFIX)
        self.seen.append(Seen(request.method, path, query, self.clock.now))
        headers, limited = self._counted()
        if limited:
            self.overdrawn += 1
            return answer(429, error(10429, "Rate limited"), headers)
        fault = self.faults.popleft() if self.faults else None
        if fault == Drop(after=False):
            return self._dropped(request)
        if isinstance(fault, Status):
            return answer(fault.status, fault.body, headers | dict(fault.headers))
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return answer(401, error(10000, "Authentication error"), headers)
        body = await request.read()
        try:
            status, told = self._routed(request.method, path, query, body)
        except Refusal as refusal:
            status, told = refusal.status, error(1000, refusal.message)
        if isinstance(fault, Drop):
            return self._dropped(request)
        if isinstance(fault, Truncate):
            return await self._truncated(request, told)
        if isinstance(fault, Slow):
            await asyncio.sleep(fault.seconds)
        return answer(status, fault.body if isinstance(fault, Say) else told, headers)

    def _dropped(self, request: web.Request) -> web.Response:
        if request.transport is not None:
            request.transport.close()
        return web.Response()

    async def _truncated(self, request: web.Request, told: bytes) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(len(told) + 9)})
        await response.prepare(request)
        await response.write(told[: len(told) // 2])
        self._dropped(request)
        return response

    def _counted(self) -> tuple[dict[str, str], bool]:
        """Count a request against the quota; say what the headers tell of it."""
        if self.quota is None:
            return {}, False
        now = self.clock.now
        if now < self._blocked_until:
            return self._limited(self._blocked_until - now), True
        began, used = self._window
        if now >= began + self.quota.window_ms:
            began, used = now, 0
        self._window = (began, used + 1)
        left = self.quota.amount - used - 1
        if left < 0:
            self._blocked_until = now + BLOCK_MS
            return self._limited(BLOCK_MS), True
        reset = -(-(began + self.quota.window_ms - now) // 1000)
        window = self.quota.window_ms // 1000
        return {
            "Ratelimit": f'"default";r={left};t={reset}',
            "Ratelimit-Policy": f'"default";q={self.quota.amount};w={window}',
        }, False

    def _limited(self, wait_ms: int) -> dict[str, str]:
        says = self.quota is not None and self.quota.says_retry_after
        return {"Retry-After": str(-(-wait_ms // 1000))} if says else {}

    # The API

    def _routed(
        self, method: str, path: str, query: dict[str, str], body: bytes
    ) -> tuple[int, bytes]:
        self._tick()
        tree = orjson.loads(body) if body else {}
        match method, *path.strip("/").split("/"):
            case "GET", "applications":
                hidden = self.listed_late > 0
                self.listed_late -= hidden
                apps = [] if hidden else list(self.applications.values())
                named = query.get("name")
                return self._page(
                    [a for a in apps if named in {None, a["name"]}], query
                )
            case "POST", "applications":
                return 201, result(self._create(tree))
            case "GET", "applications", one:
                return 200, result(self._application(one))
            case "PATCH", "applications", one:
                return 200, result(self._change(one, tree))
            case "DELETE", "applications", one:
                self.applications.pop(self._application(one)["id"])
                self.writes.append(f"delete {one}")
                return 200, result({"message": "deleting"})
            case "GET", "applications", one, "instances-v2":
                return self._page(self._instances(one, query), query)
            case "GET", "applications", one, "instances", which:
                found = [i for i in self._instances(one, {}) if i["id"] == which]
                if not found:
                    raise Refusal(404, message="instance not found")
                return 200, result(found[0])
            case "GET", "applications", one, "versions":
                self._application(one)
                return 200, result(self.versions.get(one, []))
            case "POST", "applications", one, "rollouts":
                return 201, result(self._roll_out(one, tree))
            case "POST", "image-preparations":
                return self._prepare(tree["image"])
            case _:
                return 404, error(7003, "Could not route to the path")

    def _page(
        self, items: list[dict[str, Any]], query: dict[str, str]
    ) -> tuple[int, bytes]:
        size, token = int(query.get("per_page", "100")), query.get("page_token", "")
        self._pages += 1
        self.before_page(self._pages)
        if self.by_offset:
            start = int(token.removeprefix("o=&/") or 0)
            page = items[start : start + size]
            after = f"o=&/{start + size}" if start + size < len(items) else ""
        else:
            last = int(token.removeprefix("c+ ") or 0)
            rest = [item for item in items if item["_seq"] > last]
            page = rest[:size]
            after = f"c+ {page[-1]['_seq']}" if len(rest) > size else ""
        info = {"per_page": size, "page_token": token, "next_page_token": after}
        return 200, result(page, info if after else {"per_page": size})

    def _application(self, one: str) -> dict[str, Any]:
        if one not in self.applications:
            raise Refusal(404, message="application not found")
        return self.applications[one]

    def _create(self, tree: dict[str, Any]) -> dict[str, Any]:
        unknown = sorted(set(tree) - APPLICATION_KEYS)
        if unknown:
            raise Refusal(400, "VALIDATE_INPUT", f"unknown {unknown}")
        if tree.get("max_instances", 0) > 1000:
            raise Refusal(400, "SURPASSED_TOTAL_LIMITS", "too many instances")
        namespace = tree.get("durable_objects", {}).get("namespace_id")
        for other in self.applications.values():
            theirs = other.get("durable_objects", {}).get("namespace_id")
            if namespace is not None and theirs == namespace:
                raise Refusal(400, "DURABLE_OBJECT_ALREADY_HAS_APPLICATION")
            if other["name"] == tree["name"]:
                raise Refusal(409, message="the name is taken")
        self.writes.append(f"create {tree['name']}")
        return self.add(tree)

    def _change(self, one: str, tree: dict[str, Any]) -> dict[str, Any]:
        application = self._application(one)
        application.update(tree)
        self.writes.append(f"change {one}")
        return application

    def _instances(self, one: str, query: dict[str, str]) -> list[dict[str, Any]]:
        self._application(one)
        asked, prefix = query.get("state"), query.get("name_prefix", "")
        return [
            item
            for item in self.instances.get(one, [])
            if asked is None or (asked == "active") == (item["_active"])
            if (item.get("name") or item["id"]).startswith(prefix)
        ]

    def _prepare(self, image: str) -> tuple[int, bytes]:
        left = self.preparing.setdefault(image, ["ready"])
        word = left.pop(0) if len(left) > 1 else left[0]
        told = {"image": image, "status": word}
        if word == "error":
            told["reason"] = "not in the registry"
        return 202 if word == "pending" else 200, result(told)

    # Rollouts

    def _roll_out(self, one: str, tree: dict[str, Any]) -> dict[str, Any]:
        application = self._application(one)
        self.writes.append(f"rollout {one}")
        for older in self.rollouts.values():
            if older["_of"] == one and older["status"] == "progressing":
                older["status"] = "replaced"
        count = 100 // tree["step_percentage"]
        rollout = {
            "id": f"rollout-{len(self.rollouts) + 1}",
            "created_at": self.stamp(),
            "status": "progressing",
            "kind": tree["kind"],
            "strategy": tree["strategy"],
            "description": tree["description"],
            "current_version": application["version"],
            "target_version": application["version"] + 1,
            "target_configuration": tree["target_configuration"],
            "steps": [{"id": n + 1, "status": "pending"} for n in range(count)],
            "progress": {"total_steps": count, "current_step": 1},
            "_of": one,
            "_since": self.clock.now,
        }
        self.rollouts[rollout["id"]] = rollout
        application["active_rollout_id"] = rollout["id"]
        return rollout

    def _tick(self) -> None:
        """Let rollouts come as far as the time that has passed lets them."""
        for rollout in self.rollouts.values():
            if rollout["status"] != "progressing":
                continue
            total = len(rollout["steps"])
            steps = min(total, (self.clock.now - rollout["_since"]) // self.step_ms)
            if self.stuck_after is not None:
                steps = min(steps, self.stuck_after)
            mine = self.instances.get(rollout["_of"], [])
            target = rollout["target_configuration"]
            for item in mine[: len(mine) * steps // total]:
                if item["id"] not in self.keeps_old:
                    item["image"] = target.get("image", item["image"])
            done = 100 * steps // total
            application = self.applications[rollout["_of"]]
            before = application["configuration"]
            shares = [
                (rollout["current_version"], 100 - done, before),
                (rollout["target_version"], done, before | target),
            ]
            self.versions[rollout["_of"]] = [
                {"version": version, "percentage": share, "configuration": made_of}
                for version, share, made_of in shares
                if share
            ]
            if steps == total:
                rollout["status"] = "completed"
                application["version"] = rollout["target_version"]
                application["configuration"] = before | target
                application.pop("active_rollout_id")

    def take_back(self, one: str) -> None:
        """End the rollout of an application, and leave it what it was."""
        active = self.applications[one].pop("active_rollout_id")
        self.rollouts[active]["status"] = "reverted"

    # What a test puts there

    def stamp(self, at_ms: int | None = None) -> str:
        passed = timedelta(milliseconds=self.clock.now if at_ms is None else at_ms)
        return (START + passed).isoformat().replace("+00:00", "Z")

    def _next(self) -> int:
        self._made += 1
        return self._made

    def add(self, tree: dict[str, Any]) -> dict[str, Any]:
        """Put an application there."""
        number = self._next()
        made = {"id": f"app-{number}", "_seq": number, "account_id": ACCOUNT, **tree}
        made |= {"created_at": self.stamp(), "updated_at": self.stamp()}
        if tree["scheduling_policy"] == "durable_object":
            made["id"] = tree["durable_objects"].get("namespace_id", f"ns-{number}")
        else:
            made["version"] = 1
        self.applications[made["id"]] = made
        return made

    def add_web(self, name: str = "web", **more: Any) -> str:
        """Put an application of the scheduler there; return its id."""
        tree = {
            "name": name,
            "scheduling_policy": "default",
            "instances": 0,
            "max_instances": 5,
            "configuration": {"image": IMAGE},
        }
        made: str = self.add({**tree, **more})["id"]
        return made

    def add_instance(self, one: str, *, front: bool = False, **more: Any) -> str:
        """Put an instance there; return its id."""
        number = self._next()
        made = {
            "id": f"{number:064x}",
            "_seq": number,
            "_active": more.pop("active", True),
            "application_id": one,
            "image": IMAGE,
            "name": f"web-{number}",
            "started_at": self.stamp(),
            "status": {"state": "running", "updated_at": self.stamp()},
            "location": {"name": "fra01", "region": "WEUR"},
            "configuration": {"vcpu": 0.0625, "memory": 256, "disk": 2000},
        } | more
        here = self.instances.setdefault(one, [])
        here.insert(0 if front else len(here), made)
        return str(made["id"])


def result(tree: Any, info: dict[str, Any] | None = None) -> bytes:
    envelope = {"success": True, "errors": [], "messages": [], "result": tree}
    return orjson.dumps(envelope | ({"result_info": info} if info else {}))


def error(code: int, message: str) -> bytes:
    errors = [{"code": code, "message": message}]
    envelope = {"success": False, "errors": errors, "messages": [], "result": None}
    return orjson.dumps(envelope)


def answer(status: int, body: bytes, headers: dict[str, str]) -> web.Response:
    response = web.Response(status=status, body=body, headers=headers)
    response.content_type = "application/json"
    return response


@asynccontextmanager
async def served(
    fake: FakeRest, *, token: str = TOKEN, limits: RestLimits | None = None
) -> AsyncIterator[RestClient]:
    """Serve the fake on the loopback, with a client that lives by its clock."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", fake.handle)
    server = TestServer(application)
    await server.start_server(shutdown_timeout=0.1)
    client = RestClient(
        ACCOUNT,
        token,
        base_url=str(server.make_url("")),
        limits=limits or RestLimits(),
        now_ms=fake.clock.now_ms,
        sleep=fake.clock.sleep,
    )
    try:
        async with client:
            yield client
    finally:
        await server.close()
