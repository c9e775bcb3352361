"""Who is let in, and that nothing answers to anybody else."""

from __future__ import annotations

import json

import pytest

from tests.platforms.cloudflare.gateway.kit import TOKEN, Gateway, Reply

NEXT = "the-next-token-of-it"
FLEET = "/v1/fleets/shop"
PATHS = [
    ("GET", "/v1/about"),
    ("GET", "/v1"),
    ("GET", "/v1/nothing"),
    ("POST", f"{FLEET}/attach"),
    ("GET", f"{FLEET}/events"),
    ("POST", f"{FLEET}/events/ack"),
    ("POST", f"{FLEET}/batch"),
    ("GET", f"{FLEET}/containers"),
    ("GET", f"{FLEET}/containers/web-0"),
    *(
        ("POST", f"{FLEET}/containers/web-0/{op}")
        for op in ("start", "stop", "destroy", "forget", "probe")
    ),
]


async def ask(
    gateway: Gateway, token: str | None, tokens: object = (), path: str = "/v1/about"
) -> Reply:
    """Ask a gateway whose secrets are *tokens*."""
    keys = ("GATEWAY_TOKEN", "GATEWAY_TOKEN_NEXT")
    wish = dict(zip(keys, tokens, strict=False)) if isinstance(tokens, tuple) else {}
    headers = {"x-tests-env": json.dumps(wish)}
    return await gateway.ask("GET", path, token=token, headers=headers)


@pytest.mark.parametrize(("method", "path"), PATHS)
async def test_nothing_answers_without_a_token(
    gateway: Gateway, method: str, path: str
) -> None:
    for token in (None, "a-token-of-somebody-else"):
        answer = await gateway.ask(method, path, token=token)
        assert (answer.status, answer.code) == (401, "unauthorized")
        assert set(answer.body) == {"code", "message", "details"}


async def test_health_is_open_and_says_nothing(gateway: Gateway) -> None:
    answer = await gateway.ask("GET", "/v1/health", token=None)
    assert (answer.status, answer.body) == (200, {"ok": True})
    assert (await ask(gateway, None, ("", ""), "/v1/health")).status == 200


async def test_the_right_token_opens(gateway: Gateway) -> None:
    answer = await gateway.ask("GET", "/v1/about")
    assert (answer.status, answer.body["api"]) == (200, 1)
    assert set(answer.body["applications"]) == {"web", "api"}
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "shown",
    [
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {TOKEN} more",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN.upper()}",
        f"Basic {TOKEN}",
        TOKEN,
    ],
)
async def test_what_is_nearly_the_token_does_not(gateway: Gateway, shown: str) -> None:
    headers = {"authorization": shown}
    answer = await gateway.ask("GET", "/v1/about", token=None, headers=headers)
    assert answer.status == 401


async def test_the_scheme_may_be_written_small(gateway: Gateway) -> None:
    headers = {"authorization": f"bearer {TOKEN}"}
    answer = await gateway.ask("GET", "/v1/about", token=None, headers=headers)
    assert answer.status == 200


async def test_two_tokens_count_while_one_is_replaced(gateway: Gateway) -> None:
    for tokens, expected in {
        (TOKEN, None): (200, 401),
        (TOKEN, NEXT): (200, 200),
        (NEXT, None): (401, 200),
        (None, NEXT): (401, 200),
        (NEXT, "short"): (401, 200),
    }.items():
        found = [(await ask(gateway, one, tokens)).status for one in (TOKEN, NEXT)]
        assert expected == tuple(found), tokens


@pytest.mark.parametrize(
    "tokens", [(None, None), ("", ""), ("short", None), ("x" * 15, "y" * 15)]
)
async def test_without_a_token_that_is_one_it_is_not_configured(
    gateway: Gateway, tokens: tuple[str | None, str | None]
) -> None:
    for shown in (None, *filter(None, tokens)):
        answer = await ask(gateway, shown, tokens)
        assert (answer.status, answer.code) == (503, "not_configured")


async def test_no_token_is_ever_repeated(gateway: Gateway) -> None:
    planted = "a-token-that-was-planted"
    answers = [
        await ask(gateway, planted, (TOKEN, NEXT)),
        await ask(gateway, planted, (None, None)),
        await ask(gateway, planted, (planted, None), "/v1/nothing"),
        await ask(gateway, planted, (planted, None)),
    ]
    assert [answer.status for answer in answers] == [401, 503, 404, 200]
    for answer in answers:
        said = str((answer.body, dict(answer.headers)))
        assert not {one for one in (planted, TOKEN, NEXT) if one in said}
    assert not {one for one in (planted, TOKEN, NEXT) if one in gateway.workerd.log}
