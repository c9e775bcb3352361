"""Laws of the door: who is not let in stays out, whatever they send."""

from __future__ import annotations

import asyncio
import tempfile
from itertools import pairwise
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from orchestrator.api.guard.origins import Names, foreign
from orchestrator.api.guard.rates import Rates
from orchestrator.api.guard.tokens import Grant, TokenList, found, made
from orchestrator.codec.api_choice import Address, address_of
from tests.api.guard.kit import HASTY, head, served, status_of

PORTS = st.none() | st.integers(0, 65_535)
NAMES = st.sampled_from(
    ["localhost", "127.0.0.1", "10.0.0.1", "::1", "ops.example.com", "evil.example"]
)
ADDRESSES = st.builds(lambda host, port: Address(host=host, port=port), NAMES, PORTS)


@given(ADDRESSES)
def test_an_address_is_read_as_it_was_written(address: Address) -> None:
    assert address_of(str(address)) == address


@given(st.text(max_size=40))
@example("[::1]:8400")
def test_what_is_an_address_is_written_as_it_is_read(text: str) -> None:
    address = address_of(text)
    assert address is None or address_of(str(address)) == address


@given(
    listen=ADDRESSES,
    others=st.lists(ADDRESSES, max_size=3).map(tuple),
    host=ADDRESSES,
    is_loopback=st.booleans(),
    origin=st.none() | st.text(max_size=30) | ADDRESSES.map("http://{}".format),
    method=st.sampled_from(["GET", "POST"]),
)
def test_a_stranger_is_never_let_in(
    listen: Address,
    others: tuple[Address, ...],
    host: Address,
    origin: str | None,
    method: str,
    *,
    is_loopback: bool,
) -> None:
    """Evil is let in by nothing but its own name among those that were given."""
    names = Names(listen=listen, is_loopback=is_loopback, others=others)
    headers = CIMultiDict({} if origin is None else {"Origin": origin})
    is_let_in = foreign(method, [str(host)], headers, names) is None
    given_names = {listen.host, *(other.host for other in others)}
    if is_let_in and "evil.example" not in given_names:
        assert host.host != "evil.example"
        assert "evil" not in (origin or "")
    if is_let_in and origin is not None:
        assert origin.startswith(("http://", "https://"))
    if origin is None and host.host == listen.host:
        assert is_let_in


@given(
    per_second=st.integers(1, 100),
    burst=st.integers(1, 100),
    steps=st.lists(st.floats(0, 2), max_size=200),
)
@settings(max_examples=100)
def test_nobody_passes_more_often_than_they_may(
    per_second: int, burst: int, steps: list[float]
) -> None:
    """In any span of time no more pass than the burst, and the rate times the span."""
    rates = Rates[str](per_second, burst)
    now, passed = 0.0, []
    for step in steps:
        now += step
        wait_s = rates.wait_s("a", now)
        assert 0.0 <= wait_s <= 1 / per_second + 1e-6
        if not wait_s:
            passed.append(now)
    assert all(one <= two for one, two in pairwise(passed))
    for first, begins_at in enumerate(passed):
        for last in range(first, len(passed)):
            span_s = passed[last] - begins_at
            assert last - first + 1 <= burst + per_second * span_s + 1e-6


@given(
    wait=st.floats(0.001, 5), per_second=st.integers(1, 50), burst=st.integers(1, 50)
)
def test_who_waits_as_long_as_told_is_let_in(
    wait: float, per_second: int, burst: int
) -> None:
    rates = Rates[str](per_second, burst)
    now = wait
    while not (wait_s := rates.wait_s("a", now)):
        now += 1e-4
    assert rates.wait_s("a", now + wait_s + 1e-9) == 0.0


@given(st.integers(1, 6), st.text(max_size=60))
def test_only_the_secret_itself_finds_a_token(count: int, guess: str) -> None:
    pairs = [made(f"t{number}", Grant.READ, now=0) for number in range(count)]
    tokens = TokenList(tokens=tuple(token for _, token in pairs))
    for secret, token in pairs:
        assert found(tokens, secret) == token
        assert found(tokens.minus(token.name), secret) is None
    assert found(tokens, guess) is None


RAW = st.binary(max_size=300)
LINES = st.lists(
    st.sampled_from(
        [
            "Content-Length: 5",
            "Content-Length: 99999999",
            "Transfer-Encoding: chunked",
            "Content-Type: application/json",
            "Content-Type: text/plain",
            "Connection: keep-alive",
            "Connection: upgrade",
            "Upgrade: h2c",
            "Expect: 100-continue",
            "Authorization: Bearer x",
            "Origin: http://evil.example",
            "Accept: text/event-stream",
            "X: \xff\xfe",
        ]
    ),
    max_size=5,
)
TARGETS = st.sampled_from(
    ["/", "/v1/fleet", "/v1/containers/web/stop", "/v1/down", "/v1/steps/1", "*", "//"]
) | st.text(st.characters(codec="latin-1", exclude_characters="\r\n "), max_size=30)
METHODS = st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "WAT"])
REQUESTS = st.builds(
    lambda method, target, lines, body: head(method, target, *lines) + body,
    METHODS,
    TARGETS,
    LINES,
    RAW,
)


@settings(max_examples=5)
@given(st.lists(st.one_of(RAW, REQUESTS), min_size=20, max_size=20))
def test_no_bytes_bring_the_door_down_or_change_anything(sent: list[bytes]) -> None:
    """A read-only door answers each with less than 500, or not at all."""

    async def send() -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with served(Path(folder), limits=HASTY, read_only=True) as door:
                seq = door.kit.operator.seq
                answers = await asyncio.gather(*map(door.raw, sent))
                for data, answer in zip(sent, answers, strict=True):
                    assert status_of(answer) < 500, data
                assert door.kit.phase("web") == "running"
                assert door.kit.operator.seq >= seq
                last = await door.raw(head("GET", "/v1/fleet"))
                assert status_of(last) == 200

    asyncio.run(send())
