"""The client of a gateway that hosts an operator, and one that hosts none."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from orchestrator.codec.platform_choices import CloudflareChoice
from orchestrator.core.errors import Refused, Unauthorized, Unreachable
from orchestrator.platforms.cloudflare.hosted import ask_operator

TOKEN = "the-token-of-the-gateway"
SECRETS = {"GATEWAY_TOKEN": TOKEN}


def gateway(asked: list[Any]) -> web.Application:
    """Return a gateway that hosts the operator of ``shop``; it notes what is asked."""

    async def answer(request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else None
        asked.append((request.method, request.headers["authorization"], body))
        if request.match_info["fleet"] != "shop":
            error = {"code": "not_found", "message": "none is hosted", "details": {}}
            return web.json_response(error, status=404)
        return web.json_response({"state": "healthy"})

    app = web.Application()
    app.router.add_route("*", "/v1/fleets/{fleet}/operator", answer)
    return app


async def test_it_is_asked_and_told_with_the_gateways_token() -> None:
    asked: list[Any] = []
    async with TestServer(gateway(asked)) as server:
        choice = CloudflareChoice(url=str(server.make_url("/")).rstrip("/"))
        assert await ask_operator(choice, "shop", SECRETS) == {"state": "healthy"}
        told = await ask_operator(choice, "shop", SECRETS, "stopped")
        assert told == {"state": "healthy"}
        none = await ask_operator(choice, "other", SECRETS)
        assert isinstance(none, Refused)
        assert "none is hosted" in none.message
        missing = await ask_operator(choice, "shop", {})
        assert isinstance(missing, Unauthorized)
    bearer = f"Bearer {TOKEN}"
    assert asked == [
        ("GET", bearer, None),
        ("POST", bearer, {"wanted": "stopped"}),
        ("GET", bearer, None),
    ]
    gone = await ask_operator(choice, "shop", SECRETS)
    assert isinstance(gone, Unreachable)
