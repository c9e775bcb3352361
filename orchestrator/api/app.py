"""The routes: each one operation of the library, and nothing that is not in it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

import orjson
from aiohttp import web
from returns.future import FutureResult
from returns.result import Failure, Result, Success

from orchestrator.api.bodies import Asking, StartBody, answer, read_body, refusal
from orchestrator.api.headers import AT_HEADER, SEQ_HEADER
from orchestrator.api.moments import NUMBER_MAX, place_of
from orchestrator.codec.problems import invalid
from orchestrator.codec.schema import SCHEMA
from orchestrator.codec.wire import tree_of
from orchestrator.core.errors import ContainerError, InvalidSpec
from orchestrator.core.state import RULES
from orchestrator.runtime.operator import Operator
from orchestrator.runtime.outcomes import opened
from orchestrator.runtime.reports import EventRecord, WaitFor
from orchestrator.runtime.views import View

__all__ = ("make_app",)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

GOALS: Final = ("ready", "stopped", "completed")
WAIT_MS_MAX: Final = 24 * 3_600_000
BODY_MAX: Final = 1_048_576


def make_app(
    operator: Operator, *, version: str, end: Callable[[], None] | None = None
) -> web.Application:
    """Return the application of an operator; *end* is called when all is down."""
    routes = _Routes(operator, version, end)
    app = web.Application(client_max_size=BODY_MAX, middlewares=[_speaks_json])
    app.router.add_get("/v1/status", routes.status)
    app.router.add_get("/v1/containers", routes.list)
    app.router.add_get("/v1/containers/{name}", routes.info)
    app.router.add_delete("/v1/containers/{name}", routes.remove)
    app.router.add_post("/v1/containers/{name}/start", routes.start)
    app.router.add_post("/v1/containers/{name}/stop", routes.stop)
    app.router.add_post("/v1/containers/{name}/restart", routes.restart)
    app.router.add_post("/v1/containers/{name}/reset", routes.reset)
    app.router.add_get("/v1/containers/{name}/explain", routes.explain)
    app.router.add_get("/v1/containers/{name}/log", routes.log)
    app.router.add_get("/v1/containers/{name}/wait", routes.wait)
    app.router.add_get("/v1/config", routes.config)
    app.router.add_get("/v1/platform", routes.platform)
    app.router.add_get("/v1/events", routes.events)
    app.router.add_post("/v1/reconcile", routes.reconcile)
    app.router.add_post("/v1/down", routes.down)
    return app


@web.middleware
async def _speaks_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Have also the framework's own refusals speak JSON."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:  # noqa: PLR2004 - the first error
            raise
        code = error.reason.lower().replace(" ", "_")
        body = {"error": {"code": code, "message": error.reason}}
        return web.json_response(body, status=error.status)


async def _fold(operation: FutureResult[Any, ContainerError]) -> web.Response:
    """Wait for an operation, and write its result or its error."""
    outcome = opened(await operation)
    if isinstance(outcome, ContainerError):
        return refusal(outcome)
    return answer(outcome)


def _number(
    request: web.Request, key: str, default: int, most: int
) -> int | InvalidSpec:
    text = request.query.get(key, str(default))
    if text.isascii() and text.isdigit() and int(text) <= most:
        return int(text)
    return invalid(f"query.{key}", f"a number from 0 to {most}", text)


class _Routes:
    """The handlers, around one operator."""

    def __init__(
        self, operator: Operator, version: str, end: Callable[[], None] | None
    ) -> None:
        self._operator = operator
        self._version = version
        self._end = end

    async def status(self, _: web.Request) -> web.Response:
        fleet = self._operator.fleet
        return answer(
            {
                "version": self._version,
                "fleet": fleet.name,
                "revision": fleet.revision,
                "epoch": fleet.epoch,
                "rules": RULES,
                "schema": SCHEMA,
                "seq": self._operator.seq,
                "containers": len(fleet.containers),
                "observed": fleet.observed,
                "observed_at": fleet.reconciled_at,
                "strangers": list(fleet.strangers),
                "hook_failures": self._operator.hook_failures,
                "violations": self._operator.violations,
            }
        )

    async def list(self, request: web.Request) -> web.Response:
        return await self._seen(request, lambda view: Success(view.infos()))

    async def info(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        return await self._seen(request, lambda view: view.info(name))

    async def explain(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        return await self._seen(request, lambda view: view.explain(name))

    async def _seen(
        self, request: web.Request, look: Callable[[View], Result[Any, ContainerError]]
    ) -> web.Response:
        """Answer from the fleet as it is, or was ``at`` a place; say which it was."""
        place = place_of(request.query.get("at"))
        if isinstance(place, InvalidSpec):
            return refusal(place)
        view = opened(await self._operator.view(place))
        if isinstance(view, ContainerError):
            return refusal(view)
        response = await _fold(FutureResult.from_result(look(view)))
        response.headers[SEQ_HEADER] = str(view.seq)
        response.headers[AT_HEADER] = str(view.at)
        return response

    async def config(self, _: web.Request) -> web.Response:
        return await _fold(self._operator.get_config())

    async def platform(self, _: web.Request) -> web.Response:
        return await _fold(self._operator.platform_details())

    async def start(self, request: web.Request) -> web.Response:
        body = await read_body(request, StartBody)
        if isinstance(body, Failure):
            return refusal(body.failure())
        asked, name = body.unwrap(), request.match_info["name"]
        if asked.spec is not None and asked.spec.name != name:
            return refusal(invalid("$.spec.name", repr(name), asked.spec.name))
        return await _fold(
            self._operator.start_container(
                asked.spec or name,
                None if asked.config is None else dict(asked.config.items()),
                asked.restart,
                command=asked.command,
                force=asked.force,
                by=asked.by,
                why=asked.why,
            )
        )

    async def stop(self, request: web.Request) -> web.Response:
        return await self._asked(request, self._operator.stop_container)

    async def restart(self, request: web.Request) -> web.Response:
        return await self._asked(request, self._operator.restart_container)

    async def reset(self, request: web.Request) -> web.Response:
        return await self._asked(request, self._operator.clear_crash_history)

    async def remove(self, request: web.Request) -> web.Response:
        return await self._asked(request, self._operator.remove_container)

    async def _asked(
        self,
        request: web.Request,
        operation: Callable[..., FutureResult[Any, ContainerError]],
    ) -> web.Response:
        body = await read_body(request, Asking)
        if isinstance(body, Failure):
            return refusal(body.failure())
        asked = body.unwrap()
        name = request.match_info["name"]
        return await _fold(operation(name, by=asked.by, why=asked.why))

    async def wait(self, request: web.Request) -> web.Response:
        goal = request.query.get("for", "ready")
        if goal not in GOALS:
            return refusal(invalid("query.for", f"one of {', '.join(GOALS)}", goal))
        limit_ms = _number(request, "limit_ms", 60_000, WAIT_MS_MAX)
        if isinstance(limit_ms, InvalidSpec):
            return refusal(limit_ms)
        name = request.match_info["name"]
        for_ = cast("WaitFor", goal)
        return await _fold(self._operator.wait(name, for_, limit_ms=limit_ms))

    async def events(self, request: web.Request) -> web.Response:
        numbers = (
            _number(request, "after", 0, NUMBER_MAX),
            _number(request, "limit", 1_000, 1_000),
            _number(request, "wait_ms", 0, 60_000),
        )
        for number in numbers:
            if isinstance(number, InvalidSpec):
                return refusal(number)
        number, limit, wait_ms = cast("tuple[int, int, int]", numbers)
        after = number if "after" in request.query else None
        page = self._operator.events(after, limit=limit, wait_ms=wait_ms)
        return await _fold(page.map(_trees))

    async def reconcile(self, request: web.Request) -> web.Response:
        body = await read_body(request, Asking)
        if isinstance(body, Failure):
            return refusal(body.failure())
        asked = body.unwrap()
        return await _fold(self._operator.reconcile(by=asked.by, why=asked.why))

    async def down(self, request: web.Request) -> web.Response:
        body = await read_body(request, Asking)
        if isinstance(body, Failure):
            return refusal(body.failure())
        response = await _fold(self._operator.down(by=body.unwrap().by))
        if response.status == web.HTTPOk.status_code and self._end is not None:
            asyncio.get_running_loop().call_soon(self._end)
        return response

    async def log(self, request: web.Request) -> web.StreamResponse:
        """Stream the lines of a container's log, a JSON object a line."""
        name = request.match_info["name"]
        found = opened(await self._operator.get_container_info(name))
        if isinstance(found, ContainerError):
            return refusal(found)
        response = web.StreamResponse()
        response.content_type = "application/x-ndjson"
        await response.prepare(request)
        follow = request.query.get("follow") == "true"
        with contextlib.suppress(ConnectionResetError):
            async for line in self._operator.log(name, follow=follow):
                await response.write(orjson.dumps(tree_of(line)) + b"\n")
            await response.write_eof()
        return response


def _trees(records: tuple[EventRecord, ...]) -> list[dict[str, Any]]:
    return [{"seq": record.seq, "event": tree_of(record.event)} for record in records]
