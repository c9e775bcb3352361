"""Where the gateway answers, by which method, and that it does nowhere else."""

from __future__ import annotations

import pytest

from tests.platforms.cloudflare.gateway.kit import Gateway


@pytest.mark.parametrize(
    "name", ["UPPER", "a..b", "-a", "a-", ".a", "a" * 64, "a%2Fb", "a%20b", "%C3%A9"]
)
async def test_a_name_that_is_none_is_nowhere(gateway: Gateway, name: str) -> None:
    for path in (f"/v1/fleets/{name}/containers", gateway.path("containers", name)):
        answer = await gateway.ask("GET", path)
        assert (answer.status, answer.code) == (404, "not_found")
    answer = await gateway.start(name)
    assert answer.status == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/health"),
        ("DELETE", "/v1/about"),
        ("GET", "/v1/fleets/shop/attach"),
        ("POST", "/v1/fleets/shop/events"),
        ("GET", "/v1/fleets/shop/events/ack"),
        ("PUT", "/v1/fleets/shop/batch"),
        ("DELETE", "/v1/fleets/shop/containers"),
        ("DELETE", "/v1/fleets/shop/containers/a"),
        ("GET", "/v1/fleets/shop/containers/a/start"),
        ("PATCH", "/v1/fleets/shop/containers/a/probe"),
        ("GET", "/v1/fleets/shop/probe"),
        ("POST", "/v1/fleets/shop/lease"),
        ("GET", "/v1/fleets/shop/lease/renew"),
        ("PUT", "/v1/fleets/shop/lease/release"),
        ("DELETE", "/v1/fleets/shop/journal"),
        ("PUT", "/v1/fleets/shop/journal/rows"),
        ("GET", "/v1/fleets/shop/journal/snapshots"),
        ("POST", "/v1/fleets/shop/journal/snapshots/1/0"),
        ("GET", "/v1/fleets/shop/journal/base"),
    ],
)
async def test_a_wrong_method_is_told_the_right_one(
    gateway: Gateway, method: str, path: str
) -> None:
    answer = await gateway.ask(method, path)
    assert (answer.status, answer.code) == (405, "wrong_method")
    allowed = answer.headers["allow"]
    assert method not in allowed
    assert allowed in {"GET", "POST", "GET, POST", "GET, PUT"}
    assert answer.body["details"] == {"expected": allowed}


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v2/about",
        "/v1",
        "/v1/",
        "/v1/health/",
        "/v1/fleets",
        "/v1/fleets/shop",
        "/v1/fleets/shop/",
        "/v1/fleets/shop/nothing",
        "/v1/fleets/shop/events/nothing",
        "/v1/fleets/shop/containers/a/",
        "/v1/fleets/shop/containers/a/nothing",
        "/v1/fleets/shop/containers/a/start/more",
        "/v1/fleets/shop/lease/",
        "/v1/fleets/shop/lease/take",
        "/v1/fleets/shop/journal/",
        "/v1/fleets/shop/journal/rows/1",
        "/v1/fleets/shop/journal/snapshots/1",
        "/v1/fleets/shop/journal/snapshots/1/0/more",
        *(
            f"/v1/fleets/shop/{name}"
            for name in ("constructor", "toString", "valueOf", "__proto__")
        ),
    ],
)
async def test_an_unknown_path_is_nowhere(gateway: Gateway, path: str) -> None:
    for method in ("GET", "POST"):
        answer = await gateway.ask(method, path)
        assert (answer.status, answer.code) == (404, "not_found"), method
