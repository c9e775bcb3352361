"""The application: the table of routes, wired to what answers.

Two applications of one operator may be served at the same time: one on its Unix
socket, which lets in whoever can open it, and one behind a guard. Who answers may
change while they are served (``api.seat``): what is kept of the one is then made anew
of the other.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from aiohttp import web

from orchestrator.api.about import About
from orchestrator.api.bodies import refusal, told
from orchestrator.api.counts import Tally
from orchestrator.api.exports import Exports
from orchestrator.api.following import Followed
from orchestrator.api.guard import Guard
from orchestrator.api.leaving import LEAVING, Broken, Leaving
from orchestrator.api.lists import Lists
from orchestrator.api.live import say_goodbye
from orchestrator.api.looks import Looks
from orchestrator.api.orders import Orders
from orchestrator.api.pages import add_page
from orchestrator.api.past import Past
from orchestrator.api.plans import Plans
from orchestrator.api.queries import Asked, read_query
from orchestrator.api.rollouts import Rollouts
from orchestrator.api.route import Route
from orchestrator.api.routes import ROUTES
from orchestrator.api.seat import Seat
from orchestrator.api.serving import Serving
from orchestrator.api.sheets import Sheets
from orchestrator.codec.api_choice import BODY_MOST
from orchestrator.core.errors import InvalidSpec, OperatorClosed
from orchestrator.runtime.operator import Operator
from orchestrator.runtime.telemetry import Telemetry
from orchestrator.runtime.views import View

__all__ = ("make_app",)

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]
Answering: TypeAlias = Callable[[web.Request, Asked], Awaitable[web.StreamResponse]]

LOG: Final = logging.getLogger("orchestrator.api")

SORRY: Final = "internal error; the operator's log says more"


def make_app(
    operator: Operator | Seat,
    *,
    version: str,
    end: Callable[[], None] | None = None,
    guard: Guard | None = None,
    telemetry: Telemetry | None = None,
) -> web.Application:
    """Return the application of an operator, or of whoever has its seat.

    *end* is called when all is down. Without a *guard* whoever reaches the application
    may do everything. *telemetry* is what ``/metrics`` reads.
    """
    keepers = () if guard is None else guard.middlewares()
    app = web.Application(
        client_max_size=BODY_MOST, middlewares=(*keepers, _speaks_json)
    )
    app.on_response_prepare.append(_not_to_be_kept)
    leaving = app[LEAVING] = Leaving()
    seat = operator if isinstance(operator, Seat) else Seat(operator)

    async def goodbye(going: web.Application) -> None:
        await say_goodbye(seat.operator)(going)

    app.on_shutdown.extend((goodbye, leaving.leave))
    answering = _Answering(seat, version, end, telemetry)
    for route in ROUTES:
        handler = _checked(route, answering, leaving)
        app.router.add_route(route.method, route.path, handler)
        if route.method == "GET" and not route.is_streamed:
            app.router.add_route("HEAD", route.path, handler)
    add_page(app)
    return app


class _Answering:
    """The functions that answer the routes, of the operator that sits there now."""

    def __init__(
        self,
        seat: Seat,
        version: str,
        end: Callable[[], None] | None,
        telemetry: Telemetry | None,
    ) -> None:
        self.seat = seat
        self._version = version
        self._end = end
        self._telemetry = telemetry
        self._of = seat.operator
        self._parts = self._made(seat.operator)
        self._known: dict[str, Answering] = {}

    def function(self, name: str) -> Answering:
        """Return the function of that name."""
        operator = self.seat.operator
        if operator is not self._of:
            self._of, self._parts, self._known = operator, self._made(operator), {}
        found = self._known.get(name)
        if found is None:
            parts = self._parts
            found = next(getattr(part, name) for part in parts if hasattr(part, name))
            self._known[name] = found
        return found

    def _made(self, operator: Operator) -> tuple[object, ...]:
        """Make what answers for an operator, and what is kept true of its fleet."""
        watch = operator.feed.watch
        tally = Followed(Tally, lambda: operator.fleet, watch)
        orders = Orders(lambda: operator.fleet, watch)
        infos = Sheets(View.info)
        return (
            Looks(operator, self._version, tally, infos),
            Lists(operator, orders, infos),
            Past(operator),
            Exports(operator),
            Plans(operator),
            Serving(operator, self._end),
            Rollouts(operator, self._end),
            About(operator, self._version, self._telemetry, tally),
        )


def _checked(route: Route, who: _Answering, leaving: Leaving) -> Handler:
    """Read the query as the route says, before it is answered.

    What only the leader does is refused while a standby sits there.
    Who looks and still waits when the application shuts down is told so.
    """
    is_look = route.method == "GET" and not route.is_streamed
    plain = {parameter.name: parameter.default for parameter in route.query}
    _ = who.function(route.handler)  # there is one

    async def checked(request: web.Request) -> web.StreamResponse:
        is_plain = not request.rel_url.raw_query_string and not route.headers
        query = plain if is_plain else read_query(request.query, request.headers, route)
        if isinstance(query, InvalidSpec):
            return refusal(query)
        refused = who.seat.refusal if route.needs_leader else None
        if refused is not None:
            return refusal(refused)
        try:
            answering = who.function(route.handler)(request, query)
            return await (leaving.waited(answering) if is_look else answering)
        except web.HTTPException:
            raise
        except Broken:
            return refusal(OperatorClosed())
        except Exception:
            if route.is_streamed:  # it may have begun already
                raise
            LOG.exception("%s %s was not answered", route.method, route.path)
            return told(500, "internal_error", SORRY)

    return checked


async def _not_to_be_kept(_: web.Request, response: web.StreamResponse) -> None:
    """Tell caches that what was true of a fleet may not be true any more."""
    response.headers.setdefault("Cache-Control", "no-store")


@web.middleware
async def _speaks_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Have also the framework's own refusals speak JSON."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:  # noqa: PLR2004 - the first error
            raise
        code = _CODES.get(error.status, "bad_request")
        response = told(error.status, code, _REASONS.get(error.status, error.reason))
        if "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
        return response


_CODES: Final = {
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "unsupported_media_type",
}
"""The framework's own refusals; a route of ours has errors of the library."""

_REASONS: Final = {413: f"a body has at most {BODY_MOST} bytes"}
"""Where more can be said than the framework does."""
