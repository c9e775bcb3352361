"""Laws of the gateway's client: every answer is a value, and news come in order."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, get_args

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from returns.result import Failure

from orchestrator import settled
from orchestrator.core.errors import PlatformError, RateLimited
from orchestrator.core.exits import Exit, Exited
from orchestrator.core.health import CommandProbe, HttpProbe, Probe, TcpProbe
from orchestrator.core.observations import Observation
from orchestrator.platforms.cloudflare import gateway, http, inquiry, lister
from orchestrator.platforms.cloudflare.answers import (
    EventPage,
    details_read,
    event_page,
    observation_of,
)
from orchestrator.platforms.cloudflare.ends import END_KINDS, exit_of
from orchestrator.platforms.cloudflare.http import HOLD_MAX_MS, Credentials, error_of
from orchestrator.platforms.cloudflare.orders import BYTES_MAX, ORDERS_MAX, batches
from orchestrator.platforms.cloudflare.pages import Page, page_read
from orchestrator.platforms.cloudflare.questions import reply_of
from orchestrator.platforms.port import (
    Accepted,
    Attachment,
    DestroyOrder,
    Question,
    Reply,
    StreamRefused,
)
from orchestrator.testing.platforms import start_order
from tests.platforms.cloudflare.fake_gateway import (
    SPEC,
    TOKEN,
    WEB,
    FakeGateway,
    Fault,
    over,
)
from tests.platforms.cloudflare.fake_rest import Drop, Say, Slow, Status, Truncate

ERRORS = get_args(PlatformError)
EXITS = get_args(Exit)
KEYS = (  # noqa: SIM905 - a line each would hide the rest
    "api applications at body cause code complete containers cursor details end ended"
    " epoch error events fingerprint generation highest id kind limits lost message"
    " name next opened page phase ports problem raw ready_at results retry_after_ms run"
    " started started_at status type up"
).split()
WORDS = [*END_KINDS, "started", "ready", "ended", "errored", "running", "unreachable"]
WORDS += ["web-0", "web", "stale_run", "stale_operator", "not_configured"]
PROBES: tuple[Probe, ...] = (
    HttpProbe(port="http"),
    TcpProbe(port="http"),
    CommandProbe(command=("true",)),
)
TEXTS = st.sampled_from(WORDS) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=8
)
NUMBERS = st.integers(-3, 300) | st.integers(-(2**63), 2**64 - 1)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.floats(allow_nan=False) | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS) | TEXTS, inner, max_size=6)
    ),
    max_leaves=20,
)
TREES = st.dictionaries(st.sampled_from(KEYS) | TEXTS, JSON, max_size=6)
ENDS = st.fixed_dictionaries(
    {"kind": st.sampled_from(WORDS)}, optional={"code": JSON | NUMBERS, "raw": JSON}
)
NEWS = st.fixed_dictionaries(
    {"name": TEXTS, "run": NUMBERS, "at": NUMBERS, "cursor": TEXTS},
    optional={
        "type": st.sampled_from(WORDS),
        "phase": st.sampled_from(WORDS),
        "end": ENDS | JSON,
        "started": JSON,
        "ports": JSON | st.dictionaries(TEXTS, JSON, max_size=2),
        "application": JSON,
        "problem": JSON | ENDS,
    },
)
ASKED = st.fixed_dictionaries(
    {},
    optional={
        "run": JSON,
        "status": JSON | st.integers(100, 599),
        "opened": JSON,
        "code": JSON | NUMBERS,
        "error": JSON | st.sampled_from(["timed_out", "not_listening", "engine_lost"]),
        "up": JSON,
    },
)
PAGES = st.fixed_dictionaries(
    {},
    optional={
        "cursor": TEXTS,
        "events": st.lists(NEWS, max_size=3),
        "containers": st.lists(NEWS, max_size=3),
        "complete": st.booleans(),
        "results": st.lists(
            TREES | st.fixed_dictionaries({"status": NUMBERS, "body": ASKED}),
            min_size=1,
            max_size=1,
        ),
        "epoch": JSON | NUMBERS,
    },
)
REFUSALS = st.fixed_dictionaries(
    {"code": TEXTS},
    optional={
        "message": JSON,
        "details": JSON
        | st.fixed_dictionaries(
            {},
            optional={
                "name": TEXTS,
                "run": JSON,
                "epoch": JSON | NUMBERS,
                "highest": NUMBERS,
                "retry_after_ms": NUMBERS,
            },
        ),
    },
)
BODIES = st.binary(max_size=20) | (TREES | PAGES | REFUSALS | JSON).map(orjson.dumps)
WAITS = st.integers(-1, 10**12).map(str) | st.text(max_size=20) | st.just("9" * 5_000)


@contextmanager
def hurried() -> Iterator[None]:
    """Let no pause pass."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (gateway, lister):
            patch.setattr(module, "AGAIN_S", (0.0, 0.0))
            patch.setattr(module, "held_s", lambda _: 0.0)
        patch.setattr(http, "HOLD_MAX_MS", 0)
        patch.setattr(inquiry, "GATHER_MS", 0)
        yield


# (a) Answers


@given(st.integers(0, 999), WAITS, st.none() | TREES | REFUSALS)
def test_every_answer_that_is_no_success_is_an_error(
    status: int, retry_after: str, tree: dict[str, Any] | None
) -> None:
    error = error_of(status, {"Retry-After": retry_after}, tree)
    assert isinstance(error, ERRORS)
    assert error.message
    if isinstance(error, RateLimited) and error.retry_after_ms is not None:
        assert 0 <= error.retry_after_ms <= HOLD_MAX_MS


@given(st.integers(200, 599), st.sampled_from(["0", "1", "x"]), BODIES)
@example(302, "0", b"{}")
@example(200, "0", b'{"events": [], "cursor": ""}')
@example(200, "0", b'{"api": 1, "applications": {}}')
def test_every_answer_is_a_value_to_every_operation(
    status: int, retry_after: str, body: bytes
) -> None:
    async def asked() -> None:
        fake = FakeGateway()
        fault = Status(status, body, (("Retry-After", retry_after),))
        async with over(fake) as platform:
            platform._deployed._applications = (WEB,)
            start = start_order(SPEC, 1, 1, SPEC.ports.items())
            destroy = DestroyOrder(name="web-0", run=1, epoch=1)
            for operation in (
                platform.attach(0),
                platform.observe(),
                platform.details(),
                platform.perform(start),
                platform.perform(destroy),
                *(platform.probe(question(probe)) for probe in PROBES),
            ):
                fake.faults.append(fault)
                for asked in (platform._gateway, platform._inquiry._gateway):
                    asked._held_until = 0.0
                found = await settled(operation)
                expected = (*ERRORS, Attachment, Observation, Accepted, Reply, tuple)
                assert isinstance(found, expected)
                fake.faults.clear()
            fake.faults.append(fault)
            platform._gateway._held_until = 0.0
            await platform.acknowledge("g:1")
            fake.faults.clear()
            platform._gateway._held_until = 0.0
            _ = fake.tell("errored", "web-0", 1, cause="?")
            fake.faults.append(fault)
            platform._epoch = None
            await first_of(platform)

    async def first_of(platform: gateway.CloudflarePlatform) -> None:
        with contextlib.suppress(StreamRefused):
            async with asyncio.timeout(60):
                async for event in platform.events(""):
                    assert event.name
                    return

    with hurried():
        asyncio.run(asked())


@given(TREES | PAGES)
def test_every_tree_is_read_or_refused(tree: dict[str, Any]) -> None:
    for read, kind in (
        (event_page("demo", tree), EventPage),
        (observation_of("demo", tree), Observation),
        (details_read(tree), tuple),
        (page_read(tree, "containers", ""), Page),
    ):
        if isinstance(read, Failure):
            assert isinstance(read.failure(), ERRORS)
        else:
            assert isinstance(read.unwrap(), kind)


@given(st.sampled_from(PROBES), TREES | ASKED)
@example(PROBES[0], {"status": True})
@example(PROBES[2], {"code": False})
@example(PROBES[1], {"error": "unknown", "up": True})
def test_every_answer_to_a_question_is_a_reply_or_says_nothing(
    probe: Probe, tree: dict[str, Any]
) -> None:
    read = reply_of(question(probe), tree)
    if isinstance(read, Failure):
        assert isinstance(read.failure(), ERRORS)
        return
    reply = read.unwrap()
    own = {HttpProbe: "status", TcpProbe: "opened", CommandProbe: "code"}[type(probe)]
    if reply.passed:  # only what says so in so many words has passed
        assert not isinstance(tree.get("error"), str)
        assert tree[own] in {0, True} or 200 <= tree[own] <= 399
    assert len(reply.detail) < 60


def question(probe: Probe) -> Question:
    return Question(
        name="web-0",
        run=1,
        epoch=1,
        probe=probe,
        address="web:demo/web-0:8080",
        timeout_ms=1_000,
    )


@given(st.text(max_size=40), st.text(min_size=16, max_size=40))
def test_no_secret_is_left_in_what_is_told(text: str, secret: str) -> None:
    known = Credentials(token=TOKEN, access=("id", secret))
    data = f"{text}{TOKEN}{text}{secret}".encode(errors="replace")
    hidden = known.hidden(data)
    assert TOKEN.encode() not in hidden
    assert secret.encode(errors="replace") not in hidden


# (b) The feed

FAULTS: st.SearchStrategy[Fault] = st.one_of(
    st.none(),
    st.builds(Drop, st.booleans()),
    st.just(Truncate()),
    st.just(Slow(0.001)),
    st.builds(Say, st.sampled_from([b"", b"null", b"{}", b'{"events":[{}]}'])),
    st.builds(Status, st.sampled_from([200, 302, 401, 404, 409, 429, 500, 503])),
)


@given(
    early=st.integers(0, 8),
    late=st.integers(0, 8),
    page_max=st.integers(1, 5),
    faults=st.lists(FAULTS, max_size=12),
    restarts=st.sets(st.integers(1, 15), max_size=3),
    acknowledged=st.booleans(),
)
def test_faults_lose_and_reorder_nothing(
    *,
    early: int,
    late: int,
    page_max: int,
    faults: list[Fault],
    restarts: set[int],
    acknowledged: bool,
) -> None:
    async def followed() -> None:
        fake = FakeGateway(page_max=page_max)
        fake.faults.extend(faults)
        cursors = [fake.tell("errored", "web-0", n, cause="?") for n in range(early)]

        async def more() -> None:
            for n in range(late):
                await asyncio.sleep(0.0005)
                cursors.append(fake.tell("errored", "web-0", early + n, cause="?"))

        told: list[str] = []
        async with over(fake) as platform:
            telling = asyncio.ensure_future(more())
            async with asyncio.timeout(60):
                while len(told) < early + late:
                    after = told[-1] if told else ""
                    async for event in platform.events(after):
                        assert event.cursor is not None
                        told.append(event.cursor)
                        if len(told) in restarts or len(told) == early + late:
                            break
                    if acknowledged:
                        await platform.acknowledge(told[-1])
            await telling
        assert told == cursors

    with hurried():
        asyncio.run(followed())


# (c) Batches


@given(
    st.lists(
        st.integers(0, 2_000) | st.sampled_from([BYTES_MAX // 3, BYTES_MAX]),
        max_size=12,
    ),
    st.integers(0, 250),
)
@example([], 101)
def test_batches_keep_order_lose_nothing_and_stay_small(
    sizes: list[int], small: int
) -> None:
    bodies: list[dict[str, Any]] = [
        {"n": n, "x": "x" * size} for n, size in enumerate([*sizes, *[0] * small])
    ]
    gathered = batches(bodies)
    assert [body for batch in gathered for body in batch] == bodies
    for batch in gathered:
        assert 1 <= len(batch) <= ORDERS_MAX
        assert len(batch) == 1 or len(orjson.dumps(batch)) <= BYTES_MAX + 1
    for one, following in pairwise(gathered):
        full = len(orjson.dumps([*one, following[0]])) > BYTES_MAX
        assert full or len(one) == ORDERS_MAX


# (d) Ends


@given(JSON | ENDS, st.booleans())
@example({"kind": "exited", "code": False}, True)  # noqa: FBT003
@example({"kind": "exited", "code": -0.0}, True)  # noqa: FBT003
@example({"kind": "exited", "code": 256}, True)  # noqa: FBT003
def test_an_end_is_a_code_of_zero_only_where_it_says_so(
    end: object,
    was_up: bool,  # noqa: FBT001 - hypothesis gives it by its place
) -> None:
    found = exit_of(end, was_up=was_up)
    assert isinstance(found, EXITS)
    if isinstance(found, Exited):
        assert isinstance(end, dict)
        assert end["kind"] == "exited"
        assert type(end["code"]) is int
        assert end["code"] == found.code
