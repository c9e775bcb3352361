"""What the gateway is asked about a container, and whose each answer is."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import attrs
import pytest
from returns.result import Failure, Success

from orchestrator import settled
from orchestrator.core.errors import (
    PlatformError,
    RateLimited,
    Refused,
    StaleOperator,
    StaleRun,
    TimedOut,
    Unauthorized,
    Unreachable,
)
from orchestrator.core.health import CommandProbe, HttpProbe, Probe, TcpProbe
from orchestrator.core.table import Table
from orchestrator.platforms.cloudflare import inquiry
from orchestrator.platforms.cloudflare.gateway import CloudflarePlatform
from orchestrator.platforms.cloudflare.questions import (
    TIMEOUT_MAX_MS,
    question_body,
    reply_of,
)
from orchestrator.platforms.port import Question, Reply
from orchestrator.testing.platforms import start_order
from tests.platforms.cloudflare.fake_gateway import (
    PROBE_MAX_MS,
    SPEC,
    TOKEN,
    FakeGateway,
    Fault,
    Held,
    over,
)
from tests.platforms.cloudflare.fake_rest import Drop, Say, Slow, Status, Truncate
from tests.runtime.kit import value

SECRET = "planted-in-a-header-51f0"
HTTP = HttpProbe(port="http", path="/ready?full=1")
TCP = TcpProbe(port="http")
COMMAND = CommandProbe(command=("/bin/check", "-v"))


def answers_within(platform: CloudflarePlatform, limit_ms: int) -> None:
    """Give the gateway so long for a question, beside the container's own time."""
    platform._inquiry._gateway._timeout_ms = limit_ms


def question(probe: Probe = HTTP, **more: Any) -> Question:
    address = "" if isinstance(probe, CommandProbe) else "web:demo/web-0:8080"
    return Question(
        **{
            "name": "web-0",
            "run": 1,
            "epoch": 1,
            "probe": probe,
            "address": address,
            "timeout_ms": 1_000,
            **more,
        }
    )


# What is asked


@pytest.mark.parametrize(
    ("probe", "facts"),
    [
        (
            HTTP,
            {
                "kind": "http",
                "port": 8080,
                "path": "/ready?full=1",
                "headers": {"User-Agent": "orchestrator-health-check"},
            },
        ),
        (
            HttpProbe(
                port="http", headers=Table.of([("user-agent", "x"), ("Host", "y")])
            ),
            {
                "kind": "http",
                "port": 8080,
                "path": "/",
                "headers": {"user-agent": "x", "Host": "y"},
            },
        ),
        (TCP, {"kind": "tcp", "port": 8080}),
        (COMMAND, {"kind": "command", "command": ["/bin/check", "-v"]}),
    ],
)
def test_a_question_is_put_in_the_gateways_words(
    probe: Probe, facts: Mapping[str, Any]
) -> None:
    asked = question_body(question(probe, run=7, epoch=9, timeout_ms=1_234))
    keyed = {"name": "web-0", "run": 7, "epoch": 9, "timeout_ms": 1_234}
    assert asked == Success({**keyed, **facts})


def test_no_more_time_is_given_than_the_gateway_has() -> None:
    body = question_body(question(timeout_ms=600_000)).unwrap()
    assert body["timeout_ms"] == TIMEOUT_MAX_MS == PROBE_MAX_MS


@pytest.mark.parametrize("address", ["", "web:demo/web-0:", "web:demo/web-0:\u0661"])
def test_a_port_without_a_number_cannot_be_asked(address: str) -> None:
    for probe in (HTTP, TCP):
        refused = question_body(question(probe, address=address))
        assert refused == Failure(Refused(cause="port http has no address"))


# Whose an answer is


@pytest.mark.parametrize(
    ("probe", "answer", "passed", "detail"),
    [
        (HTTP, {"status": 200}, True, "HTTP 200"),
        (HTTP, {"status": 399}, True, "HTTP 399"),
        (HTTP, {"status": 400}, False, "HTTP 400"),
        (HTTP, {"status": 503}, False, "HTTP 503"),
        (HttpProbe(port="http", statuses=(401,)), {"status": 401}, True, "HTTP 401"),
        (HttpProbe(port="http", statuses=(401,)), {"status": 200}, False, "HTTP 200"),
        (TCP, {"opened": True}, True, "connected"),
        (COMMAND, {"code": 0}, True, "exit 0"),
        (COMMAND, {"code": 3}, False, "exit 3"),
        (COMMAND, {"code": 137}, False, "exit 137"),
        (HTTP, {"error": "not_listening"}, False, "connection refused"),
        (TCP, {"error": "not_listening"}, False, "connection refused"),
        (TCP, {"error": "timed_out"}, False, "no answer within 1000 ms"),
        (COMMAND, {"error": "timed_out"}, False, "no answer within 1000 ms"),
        (HTTP, {"error": "engine_lost", "up": True}, False, "no answer: engine_lost"),
        (HTTP, {"error": "unknown", "up": True}, False, "no answer: unknown"),
    ],
)
def test_what_a_container_did_is_a_reply(
    probe: Probe, answer: dict[str, Any], *, passed: bool, detail: str
) -> None:
    told = {"run": 1, **answer, "elapsed_ms": 3}
    reply = Reply(passed=passed, detail=detail)
    assert reply_of(question(probe), told) == Success(reply)


@pytest.mark.parametrize(
    ("probe", "answer"),
    [
        *(
            (HTTP, {"error": kind})
            for kind in ("engine_lost", "unknown", "overloaded", "not_running", "new")
        ),
        (TCP, {"error": "engine_lost", "up": 1}),
        (TCP, {"error": None}),
        (COMMAND, {"error": "engine_lost", "up": True}),
        (HTTP, {"opened": True}),
        (HTTP, {"status": True}),
        (HTTP, {"status": "200"}),
        (TCP, {"opened": 1.5}),
        (TCP, {"opened": False}),
        (TCP, {"status": 200}),
        (COMMAND, {"code": False}),
        (COMMAND, {"code": "0"}),
        (COMMAND, {}),
    ],
)
def test_what_was_in_the_way_says_nothing_about_the_container(
    probe: Probe, answer: dict[str, Any]
) -> None:
    found = reply_of(question(probe), answer)
    assert isinstance(found, Failure)
    assert isinstance(found.failure(), Unreachable)


# Over a gateway


async def brought_up(platform: CloudflarePlatform, *names: str) -> None:
    """Start a run of each; the fake lets it be ready at once."""
    _ = await value(platform.attach(0))
    for name in names:
        spec = attrs.evolve(SPEC, name=name)
        order = start_order(spec, 1, 1, spec.ports.items())
        _ = await value(platform.perform(order))


async def test_each_kind_of_question_is_answered() -> None:
    fake = FakeGateway()
    async with over(fake) as platform:
        await brought_up(platform, "web-0")
        for probe, detail in (
            (HTTP, "HTTP 200"),
            (TCP, "connected"),
            (COMMAND, "exit 0"),
        ):
            reply = await value(platform.probe(question(probe)))
            assert reply == Reply(passed=True, detail=detail)
        fake.answers["web-0"] = {"status": 503}
        reply = await value(platform.probe(question()))
        assert reply == Reply(passed=False, detail="HTTP 503")
        deaf = question(TCP, address="web:demo/web-0:9")
        reply = await value(platform.probe(deaf))
        assert reply == Reply(passed=False, detail="connection refused")


async def test_who_cannot_be_asked_is_not_said_to_be_unwell() -> None:
    fake = FakeGateway()
    async with over(fake) as platform:
        await brought_up(platform, "web-0")
        other = await settled(platform.probe(question(run=2)))
        assert other == StaleRun(name="web-0", run=2, highest=1)
        nobody = await settled(platform.probe(question(name="nobody")))
        assert isinstance(nobody, Refused)
        fake.can_exec = False
        refused = await settled(platform.probe(question(COMMAND)))
        assert isinstance(refused, Refused)
        assert "unsupported" in refused.cause
        fake.end("web-0", {"kind": "slept"})
        asleep = await settled(platform.probe(question()))
        assert isinstance(asleep, Unreachable)
        assert "not_running" in asleep.cause
        _ = fake.take_over()
        stale = await settled(platform.probe(question()))
        assert stale == StaleOperator(epoch=1, highest=2)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Status(500), Unreachable),
        (Status(503), Unreachable),
        (Status(401), Unauthorized),
        (Status(404), Refused),  # a gateway that is older than this question
        (Status(429), RateLimited),
        (Drop(), Unreachable),
        (Drop(after=False), Unreachable),
        (Truncate(), Unreachable),
        (Slow(30), TimedOut),
        (Say(b"{}"), Unreachable),
        (Say(b'{"results": [1]}'), Unreachable),
        (Say(b'{"results": [{"status": 200, "body": {}}]}'), Unreachable),
    ],
)
async def test_a_gateway_that_fails_says_nothing_about_the_container(
    fault: Fault, error: type[PlatformError]
) -> None:
    fake = FakeGateway()
    async with over(fake) as platform:
        await brought_up(platform, "web-0")
        if isinstance(fault, Slow):
            answers_within(platform, 300)
        fake.faults.append(fault)
        found = await settled(platform.probe(question(timeout_ms=100)))
        assert isinstance(found, error)


async def test_questions_of_one_moment_and_one_time_are_one_request() -> None:
    fake = FakeGateway()
    names = [f"web-{n}" for n in range(30)]
    async with over(fake) as platform:
        await brought_up(platform, *names)
        fake.answers["web-7"] = {"status": 500}
        asked = [question(name=name) for name in names]
        patient = [question(name=name, timeout_ms=2_000) for name in names[:3]]
        replies = await asyncio.gather(
            *map(value, map(platform.probe, asked + patient))
        )
        assert [r.passed for r in replies].index(False) == 7
        assert sum(not reply.passed for reply in replies) == 1
        requests = [seen.body["questions"] for seen in fake.asked("/probe")]
        assert [len(found) for found in requests] == [30, 3]
        assert {found[0]["timeout_ms"] for found in requests} == {1_000, 2_000}


async def test_a_question_waits_a_moment_for_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(inquiry, "GATHER_MS", 600_000)
    fake = FakeGateway()
    async with over(fake) as platform:
        await brought_up(platform, "web-0")
        asking = []
        for _ in range(20):
            asking.append(asyncio.ensure_future(value(platform.probe(question()))))
            for _ in range(5):  # turns of the event loop
                await asyncio.sleep(0)
        assert fake.asked("/probe") == []
        (dispatch,) = platform._inquiry._by_time.values()
        dispatch._depart()  # the moment is over
        assert all(reply.passed for reply in await asyncio.gather(*asking))
        assert [len(s.body["questions"]) for s in fake.asked("/probe")] == [20]


async def test_more_than_a_hundred_are_asked_in_more_requests() -> None:
    fake = FakeGateway()
    async with over(fake) as platform:
        await brought_up(platform, "web-0")
        asked = [question() for _ in range(250)]
        replies = await asyncio.gather(*map(value, map(platform.probe, asked)))
        assert all(reply.passed for reply in replies)
        sizes = sorted(len(seen.body["questions"]) for seen in fake.asked("/probe"))
        assert sizes == [50, 100, 100]


async def test_a_slow_container_holds_up_neither_orders_nor_questions() -> None:
    fake = FakeGateway()
    async with over(fake) as platform:
        await brought_up(platform, "web-0")
        goes_on = asyncio.Event()
        fake.standing["probe"] = Held(goes_on)
        slow = [
            asyncio.ensure_future(settled(platform.probe(question(timeout_ms=100 + n))))
            for n in range(40)
        ]
        await fake.until(lambda: len(fake.asked("/probe")) >= 20)
        async with asyncio.timeout(60):
            _ = await value(platform.observe())
        assert not any(asking.done() for asking in slow)
        goes_on.set()
        replies = await asyncio.gather(*slow)
        assert all(isinstance(reply, Reply) for reply in replies)


async def test_a_question_may_take_its_time_beside_that_of_the_gateway() -> None:
    fake = FakeGateway()
    async with over(fake) as platform:
        await brought_up(platform, "web-0")
        answers_within(platform, 200)
        fake.standing["probe"] = Slow(0.5)
        reply = await settled(platform.probe(question(timeout_ms=25_000)))
        assert isinstance(reply, Reply)


async def test_who_lets_go_answers_what_is_on_its_way() -> None:
    fake = FakeGateway()
    async with over(fake) as platform:
        await brought_up(platform, "web-0")
        fake.standing["probe"] = Slow(30)
        asking = asyncio.ensure_future(settled(platform.probe(question())))
        await fake.until(lambda: bool(fake.asked("/probe")))
        await platform.detach()
        assert isinstance(await asking, Unreachable)
        for late in (question(), question(timeout_ms=1)):
            assert isinstance(await settled(platform.probe(late)), Unreachable)


async def test_a_secret_in_a_header_is_shown_to_the_container_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    fake = FakeGateway()
    headers = Table.of([("authorization", SECRET)])
    probe = HttpProbe(port="http", headers=headers)
    asked = question(probe)
    found: list[object] = [asked]
    faults: tuple[Fault, ...] = (None, Drop(), Status(500), Say(SECRET.encode()))
    async with over(fake) as platform:
        await brought_up(platform, "web-0")
        for fault in faults:
            fake.faults.append(fault)
            found.append(await settled(platform.probe(asked)))
        sent = fake.asked("/probe")[0].body["questions"][0]
    assert sent["headers"]["authorization"] == SECRET
    for told in (repr(found), caplog.text):
        assert SECRET not in told
        assert TOKEN not in told
