"""The routes: each one operation of the library, and nothing that is not in it."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from orchestrator.api.asking_routes import ASKS
from orchestrator.api.export_routes import EXPORTS
from orchestrator.api.list_routes import LISTS
from orchestrator.api.load_routes import LOADS
from orchestrator.api.reading_routes import LOOKS, OPERATOR, PAST
from orchestrator.api.rollout_routes import ROLLOUTS
from orchestrator.api.route import Scope

__all__ = ("PAGE_PATHS", "ROUTES", "SCOPES", "scope_of")

PAGE_PATHS: Final = ("/", "/page/{file}")
"""Where the page's files are; they hold nothing of the fleet."""

ROUTES: Final = (
    *LOOKS[:1],
    *LISTS,
    *LOOKS[1:],
    *ROLLOUTS,
    *PAST,
    *EXPORTS,
    *ASKS,
    *LOADS,
    *OPERATOR,
)
"""Everything that can be asked for."""

SCOPES: Final[dict[tuple[str, str], Scope]] = {
    **{(route.method, route.path): route.scope for route in ROUTES},
    **{("GET", path): "open" for path in PAGE_PATHS},
}
"""What each route needs, by method and path."""


def scope_of(request: web.Request) -> Scope:
    """Return what a request needs; what there is no route for needs to look."""
    resource = request.match_info.route.resource
    path = "" if resource is None else resource.canonical
    method = "GET" if request.method == "HEAD" else request.method
    return SCOPES.get((method, path), "read")
