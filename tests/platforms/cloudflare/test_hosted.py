"""The client of a gateway that hosts an operator, and one that hosts none."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from orchestrator.codec.platform_choices import CloudflareChoice
from orchestrator.core.errors import Refused, Unauthorized, Unreachable
from orchestrator.platforms.cloudflare.hosted import ask_operator

TOKEN = "the-token-of-the-gateway"
SECRETS = {"GATEWAY_TOKEN": TOKEN}
TOLD: dict[str, Any] = {
    "fleet": "shop",
    "wanted": "running",
    "stopped_by": None,
    "state": "waiting",
    "since": 2_000,
    "starts": 1,
    "restarts": 0,
    "failures": 1,
    "healthy_at": None,
    "next_start_at": 4_000,
    "last_end": {"kind": "exited", "code": 7, "raw": "", "at": 2_000},
    "now": 3_000,
}


def gateway(asked: list[Any], told: Any = None) -> web.Application:
    """Return a gateway that hosts the operator of ``shop``; it notes what is asked."""

    async def answer(request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else None
        asked.append((request.method, request.headers["authorization"], body))
        if request.match_info["fleet"] != "shop":
            error = {"code": "not_found", "message": "none is hosted", "details": {}}
            return web.json_response(error, status=404)
        return web.json_response(TOLD if told is None else told)

    app = web.Application()
    app.router.add_route("*", "/v1/fleets/{fleet}/operator", answer)
    return app


async def test_it_is_asked_and_told_with_the_gateways_token() -> None:
    asked: list[Any] = []
    async with TestServer(gateway(asked)) as server:
        choice = CloudflareChoice(url=str(server.make_url("/")).rstrip("/"))
        assert await ask_operator(choice, "shop", SECRETS) == TOLD
        told = await ask_operator(choice, "shop", SECRETS, "stopped")
        assert told == TOLD
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


@pytest.mark.parametrize(
    "change",
    [
        {"state": None},
        {"wanted": 7},
        {"since": "yesterday"},
        {"restarts": True},
        {"now": None},
        {"next_start_at": "soon"},
        {"last_end": "badly"},
        {"last_end": {"kind": "exited"}},
    ],
)
async def test_an_answer_that_is_none_is_not_shown(change: dict[str, Any]) -> None:
    """As where the address is that of something else."""
    async with TestServer(gateway([], {**TOLD, **change})) as server:
        choice = CloudflareChoice(url=str(server.make_url("/")).rstrip("/"))
        told = await ask_operator(choice, "shop", SECRETS)
        assert isinstance(told, Unreachable)
        assert "does not say how an operator is" in told.message


@pytest.mark.parametrize("change", [{"last_end": None}, {"next_start_at": None}])
async def test_a_newer_gateway_may_tell_more(change: dict[str, Any]) -> None:
    more = {**TOLD, **change, "more": 1}
    async with TestServer(gateway([], more)) as server:
        choice = CloudflareChoice(url=str(server.make_url("/")).rstrip("/"))
        assert await ask_operator(choice, "shop", SECRETS) == more
