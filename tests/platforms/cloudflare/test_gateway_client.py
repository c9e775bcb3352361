"""The Cloudflare platform over a faked gateway, and an operator over that."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import attrs
import orjson
import pytest

from orchestrator import FleetSpec, MemoryJournal, Operator, RestartPolicy, settled
from orchestrator.core.errors import (
    RateLimited,
    Refused,
    StaleOperator,
    StaleRun,
    Unauthorized,
    Unreachable,
)
from orchestrator.core.events import ContainerEnded, LifecycleEvent
from orchestrator.core.exits import Exited, Lost
from orchestrator.core.fleet_specs import FleetSettings
from orchestrator.core.observations import (
    Observation,
    SeenEnded,
    SeenRunning,
    SeenUnreachable,
)
from orchestrator.core.table import Table
from orchestrator.platforms.cloudflare import deployed, gateway
from orchestrator.platforms.cloudflare.gateway import (
    CloudflarePlatform,
    ask_about,
    credentials_of,
)
from orchestrator.platforms.cloudflare.project.application import (
    DURABLE_OBJECT,
    Application,
    facts_of,
)
from orchestrator.platforms.port import (
    Accepted,
    Attachment,
    DestroyOrder,
    StartOrder,
    StreamRefused,
)
from orchestrator.testing.platforms import check_platform, start_order
from tests.platforms.cloudflare.fake_gateway import (
    FLEET,
    SECRETS,
    SPEC,
    TOKEN,
    WEB,
    FakeGateway,
    Fault,
    choice_of,
    over,
    serving,
)
from tests.platforms.cloudflare.fake_rest import (
    IMAGE,
    Drop,
    Say,
    Slow,
    Status,
    Truncate,
)
from tests.runtime.kit import FAST, LIMIT_MS, value

AT_ONCE = (0.001, 0.004)


def started(run: int = 1, epoch: int = 1, **more: Any) -> StartOrder:
    spec = attrs.evolve(SPEC, **more)
    return start_order(spec, run, epoch, spec.ports.items())


@pytest.fixture
def _again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "AGAIN_S", AT_ONCE)


# The laws


async def test_it_obeys_the_laws_of_the_port() -> None:
    async with over(FakeGateway()) as platform:
        await check_platform(platform, SPEC)


@pytest.mark.usefixtures("_again_at_once")
async def test_it_obeys_while_its_feed_breaks_off() -> None:
    fake = FakeGateway(page_max=1)

    async def another() -> None:
        asked = len(fake.asked("/events"))
        await fake.until(lambda: len(fake.asked("/events")) > asked)

    async def disturb() -> None:
        while True:
            for fault in (Status(500), Drop(), Truncate(), Say(b"{}"), None):
                fake.standing["events"] = fault
                await another()  # so each meets one

    disturbing = asyncio.ensure_future(disturb())
    async with over(fake) as platform:
        await check_platform(platform, SPEC)
    disturbing.cancel()


# Taking over


async def test_it_attaches() -> None:
    fake = FakeGateway()
    async with over(fake, orphan_after_ms=60_000) as platform:
        granted = await value(platform.attach(6))
        assert granted == Attachment(epoch=7, fences=True)
    about, attach = fake.seen
    assert about.path == "about"
    assert attach.path == "fleets/demo/attach"
    assert attach.body == {"after": 6, "orphan_after_ms": 60_000}


@pytest.mark.parametrize("api", [None, 0, 2, "1"])
async def test_a_gateway_of_another_interface_is_refused(api: object) -> None:
    fake = FakeGateway(api=api)
    async with over(fake) as platform:
        refused = await settled(platform.attach(0))
    assert isinstance(refused, Refused)
    assert f"speaks version {api!r}" in refused.cause
    assert len(fake.seen) == 1


async def test_without_an_address_nothing_is_attached_to() -> None:
    platform = CloudflarePlatform(choice_of(None), FLEET, SECRETS)
    refused = await settled(platform.attach(0))
    assert isinstance(refused, Refused)
    assert "platform.url" in refused.cause
    assert isinstance(await settled(platform.observe()), Refused)
    await platform.detach()


@pytest.mark.parametrize("epoch", [b"null", b'"1"', b"true", b"1.0"])
async def test_an_epoch_that_is_none_is_refused(epoch: bytes) -> None:
    fake = FakeGateway(standing={"attach": Say(b'{"epoch": ' + epoch + b"}")})
    async with over(fake) as platform:
        expected = Refused(cause="the gateway granted no epoch")
        assert await settled(platform.attach(0)) == expected


@pytest.mark.parametrize("applications", [None, [], {"web": 3}, {"web": {"image": 7}}])
async def test_applications_of_another_shape_are_refused(applications: Any) -> None:
    async with over(FakeGateway(applications=applications)) as platform:
        refused = await settled(platform.attach(0))
    assert isinstance(refused, Refused)
    assert "applications" in refused.cause


async def test_a_gateway_that_fails_is_not_attached_to() -> None:
    fake = FakeGateway()
    fake.faults.extend([Status(500), None, Status(503)])
    async with over(fake) as platform:
        assert await settled(platform.attach(0)) == Unreachable(cause="HTTP 500")
        assert await settled(platform.attach(0)) == Unreachable(cause="HTTP 503")
        assert isinstance(await settled(platform.attach(0)), Attachment)


async def test_a_gateway_tells_what_it_is() -> None:
    fake = FakeGateway()
    fake.faults.extend([None, Status(500)])
    async with serving(fake) as url:
        told = await ask_about(choice_of(url), SECRETS)
        assert isinstance(told, dict)
        assert told["api"] == 1
        broken = await ask_about(choice_of(url), SECRETS)
        assert broken == Unreachable(cause="HTTP 500")


# Tokens


async def test_a_token_is_changed_without_a_restart() -> None:
    secrets = {"MY_TOKEN": "first-token-0123456789"}
    fake = FakeGateway(tokens=set(secrets.values()))
    async with over(fake, secrets, token_secret="MY_TOKEN") as platform:
        _ = await value(platform.attach(0))
        fake.tokens = {"other-token-0123456789"}
        assert isinstance(await settled(platform.observe()), Unauthorized)
        secrets["MY_TOKEN"] = " other-token-0123456789\n"
        _ = await value(platform.observe())
        _ = await value(platform.perform(started()))


ACCESS = {"CF_CLIENT_ID": "the-id", "CF_CLIENT_SECRET": "planted-secret"}


@pytest.mark.parametrize(
    ("secrets", "missing"),
    [
        ({}, "GATEWAY_TOKEN, CF_CLIENT_ID, CF_CLIENT_SECRET"),
        ({**SECRETS, **ACCESS, "CF_CLIENT_SECRET": ""}, "CF_CLIENT_SECRET"),
        ({**ACCESS, "GATEWAY_TOKEN": " \n"}, "GATEWAY_TOKEN"),
    ],
)
async def test_a_secret_that_is_missing_is_named(
    secrets: Mapping[str, str], missing: str
) -> None:
    fake = FakeGateway()
    expected = Unauthorized(cause=f"the secret {missing} is not set")
    async with over(fake, secrets, access_secrets="CF") as platform:
        assert await settled(platform.attach(0)) == expected
        assert await settled(platform.observe()) == expected
        assert await settled(platform.details()) == expected
        destroy = DestroyOrder(name="web-0", run=1, epoch=1)
        assert await settled(platform.perform(destroy)) == expected
    assert fake.seen == []


class Fleeting(Mapping[str, str]):
    """Secrets of a file that is being written: each look may be the last."""

    def __init__(self) -> None:
        self.looks = 0

    def __getitem__(self, key: str) -> str:
        self.looks += 1
        if self.looks > 1:
            raise KeyError(key)
        return TOKEN

    def __iter__(self) -> Any:
        raise NotImplementedError

    def __len__(self) -> int:
        raise NotImplementedError


def test_a_secret_that_is_taken_away_meanwhile_is_missing() -> None:
    secrets = Fleeting()
    assert credentials_of(choice_of(None), secrets).unwrap().token == TOKEN
    missing = credentials_of(choice_of(None), secrets).failure()
    assert missing == Unauthorized(cause="the secret GATEWAY_TOKEN is not set")


async def test_a_service_token_of_access_is_shown() -> None:
    fake = FakeGateway()
    async with over(fake, SECRETS | ACCESS, access_secrets="CF") as platform:
        _ = await value(platform.attach(0))
    for seen in fake.seen:
        assert seen.headers["cf-access-client-id"] == "the-id"
        assert seen.headers["cf-access-client-secret"] == "planted-secret"


@pytest.mark.usefixtures("_again_at_once")
async def test_no_secret_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    said = f'{{"code": "x", "message": "{TOKEN}"}}'.encode()
    faults: list[Fault] = [Status(401, said), Status(500, said), Say(said)]
    faults += [Drop(), Truncate(), Status(429, said), Status(302, said)]
    order = attrs.evolve(started(), env={"KEY": "planted-value"})
    texts = [repr(order)]
    for fault in faults:
        fake = FakeGateway(standing={"batch": fault, "attach": fault, "events": fault})
        async with over(fake) as platform:
            platform._deployed._applications = (WEB,)
            for outcome in (
                await settled(platform.perform(order)),
                await settled(platform.attach(0)),
            ):
                texts += [repr(outcome), getattr(outcome, "message", "")]
            breaks = caplog.text.count("the feed broke off")
            listening = asyncio.ensure_future(anext(platform.events("")))
            while caplog.text.count("the feed broke off") == breaks:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            listening.cancel()
            _ = await asyncio.gather(listening, return_exceptions=True)
            texts += [repr(platform), repr(platform._gateway), repr(vars(platform))]
    assert "planted" not in caplog.text
    assert "planted" not in "\n".join(texts)


# Orders


async def test_orders_of_one_moment_are_one_request() -> None:
    fake = FakeGateway()
    async with over(fake) as platform:
        _ = await value(platform.attach(0))
        answers = await asyncio.gather(
            *(
                settled(platform.perform(started(name=f"web-{n}", replica=n)))
                for n in range(100)
            )
        )
    assert answers == [Accepted()] * 100
    assert len(fake.asked("/batch")) == 1
    assert [order["name"] for order in fake.orders()] == [
        f"web-{n}" for n in range(100)
    ]
    assert {order["application"] for order in fake.orders()} == {"web"}
    assert all("image" not in order for order in fake.orders())


async def test_orders_one_after_the_other_use_one_connection() -> None:
    fake = FakeGateway()
    async with over(fake) as platform:
        for run in range(1, 201):
            _ = await value(
                platform.perform(DestroyOrder(name="web-0", run=run, epoch=1))
            )
    assert len({seen.peer for seen in fake.seen}) == 1


async def test_a_stale_run_is_refused() -> None:
    async with over(FakeGateway(floors={"web-0": 9})) as platform:
        _ = await value(platform.attach(0))
        stale = await settled(platform.perform(started(run=4)))
    assert stale == StaleRun(name="web-0", run=4, highest=9)


async def test_under_durable_object_image_and_size_are_chosen_per_start() -> None:
    fleet = Application(
        name="fleet",
        scheduling_policy=DURABLE_OBJECT,
        images=Table.of([("web", IMAGE)]),
    )
    fake = FakeGateway(applications={"fleet": facts_of(fleet)})
    async with over(fake) as platform:
        _ = await value(platform.attach(0))
        _ = await value(platform.perform(started()))
    (order,) = fake.orders()
    assert (order["application"], order["image"]) == ("fleet", IMAGE)
    assert order["instance"] == "lite"


async def test_what_no_application_runs_is_refused_without_a_request() -> None:
    fake = FakeGateway()
    async with over(fake) as platform:
        _ = await value(platform.attach(0))
        asked = len(fake.seen)
        other = started(image="example.com/other@sha256:2")
        refused = await settled(platform.perform(other))
        assert isinstance(refused, Refused)
        assert "application 'web' of the gateway is not what" in refused.cause
        assert len(fake.seen) == asked


async def test_what_was_deployed_since_is_learnt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deployed, "TOLD_AGAIN_S", -1.0)
    fake = FakeGateway()
    job = started(name="job-0", service="job")
    async with over(fake) as platform:
        _ = await value(platform.attach(0))
        assert isinstance(await settled(platform.perform(job)), Refused)
        fake.faults.append(Status(500))
        broken = await settled(platform.perform(job))
        assert broken == Unreachable(cause="HTTP 500")
        fake.applications["job"] = facts_of(attrs.evolve(WEB, name="job"))
        assert await settled(platform.perform(job)) == Accepted()
    assert len(fake.asked("about")) == 4
    assert len(fake.asked("/batch")) == 1


async def test_held_back_orders_are_not_sent() -> None:
    fake = FakeGateway()
    fake.standing["batch"] = Status(429, b"", (("Retry-After", "9"),))
    destroy = DestroyOrder(name="web-0", run=1, epoch=1)
    async with over(fake) as platform:
        limited = await settled(platform.perform(destroy))
        assert limited == RateLimited(retry_after_ms=9_000)
        for _ in range(3):
            assert isinstance(await settled(platform.perform(destroy)), RateLimited)
    assert len(fake.seen) == 1


async def test_ports_are_those_of_the_spec() -> None:
    async with over(FakeGateway()) as platform:
        assert await value(platform.ports(SPEC)) == {"http": 8080}


# Looks


async def test_a_look_shows_every_container() -> None:
    fake = FakeGateway()
    async with over(fake) as platform:
        _ = await value(platform.attach(0))
        for name in ("web-0", "web-1", "web-2"):
            _ = await value(platform.perform(started(name=name)))
        fake.end("web-1", {"kind": "exited", "code": 7})
        fake.views["web-2"]["phase"] = "unreachable"
        seen = await value(platform.observe())
    addresses = Table.of([("http", "web:demo/web-0:8080")])
    assert [one.sight for one in seen.sightings] == [
        SeenRunning(ready=True, addresses=addresses),
        SeenEnded(exit=Exited(code=7)),
        SeenUnreachable(),
    ]
    assert seen.complete
    assert fake.asked("/containers")[0].query == {"epoch": "1"}


async def test_what_was_lost_stays_lost_where_nobody_knows_more() -> None:
    fake = FakeGateway()
    async with over(fake) as platform:
        _ = await value(platform.attach(0))
        _ = await value(platform.perform(started()))
        fake.end("web-0", {"kind": "lost"})
        seen = await value(platform.observe())
        assert [one.sight for one in seen.sightings] == [SeenEnded(exit=Lost())]
        told = [event async for event in _some(platform, 3)]
    last = told[-1]
    assert isinstance(last, ContainerEnded)
    assert last.exit == Lost()


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Status(500), Unreachable),
        (Say(b"{}"), Unreachable),
        (Say(b'{"containers": [{"name": "A B"}]}'), Unreachable),
        (Status(401), Unauthorized),
    ],
)
async def test_a_look_that_fails_shows_nothing(fault: Fault, error: type) -> None:
    fake = FakeGateway(standing={"containers": fault})
    async with over(fake) as platform:
        assert isinstance(await settled(platform.observe()), error)
        assert isinstance(await settled(platform.details()), error)


async def test_a_look_that_could_not_answer_for_all_says_so() -> None:
    async with over(FakeGateway(complete=False)) as platform:
        expected = Observation(began=0, complete=False)
        assert await value(platform.observe()) == expected


async def test_details_are_the_platforms_own_words() -> None:
    fake = FakeGateway()
    async with over(fake) as platform:
        _ = await value(platform.attach(0))
        _ = await value(platform.perform(started()))
        fake.views["web-0"]["problem"] = {"kind": "engine_lost", "raw": "lost it"}
        (detail,) = await value(platform.details())
    assert (detail.name, detail.run, detail.state) == ("web-0", 1, "running")
    assert (detail.kind, detail.raw) == ("engine_lost", "lost it")
    assert detail.facts.get("application") == "web"


# The feed


async def _some(
    platform: CloudflarePlatform, count: int, after: str = ""
) -> AsyncIterator[LifecycleEvent]:
    """Yield so many events, within a limit."""
    events = platform.events(after)
    async with asyncio.timeout(60):
        for _ in range(count):
            yield await anext(events)


@pytest.mark.usefixtures("_again_at_once")
@pytest.mark.parametrize("page_max", [1, 2, 100])
async def test_the_feed_goes_on_where_it_was_through_every_fault(
    page_max: int,
) -> None:
    fake = FakeGateway(page_max=page_max)
    cursors = [fake.tell("errored", f"web-{n}", 1, cause="?") for n in range(9)]
    fake.faults.extend((Drop(), Drop(after=True), Truncate(), Status(500), None))
    fake.faults.extend((Status(200, b"<html>"), Say(b"[]"), Say(b"{}"), Status(503)))
    fake.faults.extend((Say(b'{"events": [7]}'), None, Slow(0.02), Status(401)))
    fake.faults.append(Status(302, b"", (("Location", "/"),)))
    async with over(fake) as platform:
        told = [event.cursor async for event in _some(platform, 9)]
        assert told == cursors
        asked = [seen.query["after"] for seen in fake.seen]
        assert asked == sorted(asked, key=["", *cursors].index)
        assert set(asked) <= {"", *cursors}
        later = fake.tell("errored", "web-0", 2, cause="?")
        again = [event.cursor async for event in _some(platform, 2, cursors[7])]
    assert again == [cursors[8], later]
    assert {seen.query["wait_ms"] for seen in fake.seen} == {str(gateway.POLL_MS)}


@pytest.mark.usefixtures("_again_at_once")
async def test_the_feed_waits_for_news() -> None:
    fake = FakeGateway()
    async with over(fake) as platform:
        _ = await value(platform.attach(0))
        events = platform.events("")
        waiting = asyncio.ensure_future(anext(events))
        await fake.until(lambda: bool(fake.asked("/events")))
        await asyncio.sleep(0.02)
        assert not waiting.done()
        cursor = fake.tell("errored", "web-0", 1, cause="?")
        assert (await waiting).cursor == cursor
    assert len(fake.asked("/events")) == 1


async def test_pages_without_news_that_come_at_once_do_not_spin(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gateway, "AGAIN_S", (0.02, 0.02))
    empty = orjson.dumps({"cursor": "g:1", "events": [], "lost": False})
    fake = FakeGateway(standing={"events": Status(200, empty)})
    clock = asyncio.get_running_loop().time
    async with over(fake) as platform:
        began = clock()
        listening = asyncio.ensure_future(anext(platform.events("")))
        await fake.until(lambda: len(fake.seen) >= 6)
        assert clock() - began >= 5 * 0.02 - 0.002
        listening.cancel()
        _ = await asyncio.gather(listening, return_exceptions=True)


async def test_a_feed_that_is_held_back_waits_as_long_as_it_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gateway, "AGAIN_S", AT_ONCE)
    limited = orjson.dumps({"code": "x", "details": {"retry_after_ms": 60}})
    fake = FakeGateway()
    fake.faults.append(Status(429, limited))
    clock = asyncio.get_running_loop().time
    async with over(fake) as platform:
        _ = fake.tell("errored", "web-0", 1, cause="?")
        began = clock()
        assert [event.name async for event in _some(platform, 1)] == ["web-0"]
        assert clock() - began >= 0.059
    assert len(fake.seen) == 2


@pytest.mark.usefixtures("_again_at_once")
async def test_a_feed_that_begins_anew_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    fake = FakeGateway()
    before = fake.tell("errored", "web-0", 1, cause="?")
    fake.begin_anew()
    after = fake.tell("errored", "web-1", 1, cause="?")
    async with over(fake) as platform:
        told = [event.cursor async for event in _some(platform, 1, before)]
    assert told == [after]
    assert "feed begins anew" in caplog.text


async def test_a_replaced_operator_is_told_so() -> None:
    fake = FakeGateway()
    async with over(fake) as platform:
        _ = await value(platform.attach(0))
        waiting = asyncio.ensure_future(anext(platform.events("")))
        await fake.until(lambda: bool(fake.asked("/events")))
        highest = fake.take_over()
        with pytest.raises(StreamRefused) as refused:
            async with asyncio.timeout(60):
                _ = await waiting
        stale = StaleOperator(epoch=1, highest=highest)
        assert refused.value.error == stale
        assert await settled(platform.observe()) == stale
        assert await settled(platform.details()) == stale
        assert await settled(platform.perform(started())) == stale


async def test_what_is_durable_is_acknowledged() -> None:
    fake = FakeGateway()
    cursor = fake.tell("errored", "web-0", 1, cause="?")
    async with over(fake) as platform:
        await platform.acknowledge("")
        assert fake.seen == []
        await platform.acknowledge(cursor)
        assert fake.seen[0].body == {"cursor": cursor, "epoch": None}
        assert (fake.acknowledged, fake.feed) == (1, [])
        await platform.acknowledge("of another feed:7")
        fake.standing["ack"] = Drop()
        await platform.acknowledge(cursor)


# The rest


async def test_the_log_says_where_the_logs_are() -> None:
    async with over(FakeGateway()) as platform:
        for follow in (False, True):
            lines = [line async for line in platform.log("web-0", follow=follow)]
            assert len(lines) == 1
            assert "Workers Logs" in lines[0].text


async def test_it_lets_go_twice() -> None:
    async with over(FakeGateway()) as platform:
        _ = await value(platform.attach(0))
        await platform.detach()
        await platform.detach()
        closed = Unreachable(cause="the client is closed")
        assert await settled(platform.observe()) == closed
        assert await settled(platform.attach(0)) == closed
        given_up = await settled(
            platform.perform(DestroyOrder(name="web-0", run=1, epoch=1))
        )
        assert isinstance(given_up, Unreachable)
        await platform.acknowledge("g:1")


# An operator over it

DECLARED = FleetSpec(
    name=FLEET,
    settings=FleetSettings(reconcile_interval_ms=0, min_restart_delay_ms=0),
    containers=(attrs.evolve(SPEC, restart=RestartPolicy(backoff=FAST)),),
)


@asynccontextmanager
async def operating(fake: FakeGateway) -> AsyncIterator[Operator]:
    async with (
        over(fake) as platform,
        Operator.open(DECLARED, platform=platform, journal=MemoryJournal()) as operator,
    ):
        _ = await value(operator.wait("web-0", limit_ms=LIMIT_MS))
        yield operator


async def test_an_operator_brings_its_fleet_up_and_sees_it_end() -> None:
    fake = FakeGateway()
    async with operating(fake) as operator:
        (info,) = operator.infos()
        assert info.phase == "running"
        fake.end("web-0", {"kind": "exited", "code": 7})
        await fake.until(lambda: len(fake.orders()) == 2)
        page = await value(operator.events(0))
        ends = [r.event.exit for r in page if isinstance(r.event, ContainerEnded)]
        assert ends == [Exited(code=7)]
    assert [order["run"] for order in fake.orders()] == [1, 2]


async def _ends_as_stale(operator: Operator, highest: int) -> None:
    stale = StaleOperator(epoch=1, highest=highest)
    async with asyncio.timeout(60):
        assert await operator.ended() == stale
    assert await settled(operator.stop_container("web-0")) == stale
    assert await settled(operator.reconcile()) == stale


async def test_an_older_operator_ends_as_its_stream_is_refused() -> None:
    fake = FakeGateway()
    async with operating(fake) as operator, over_same(fake) as newer:
        granted = await value(newer.attach(operator.fleet.epoch))
        orders = len(fake.orders())
        await _ends_as_stale(operator, granted.epoch)
        assert len(fake.orders()) == orders


@asynccontextmanager
async def over_same(fake: FakeGateway) -> AsyncIterator[CloudflarePlatform]:
    """Open another platform over a fake that is served already."""
    url = f"http://127.0.0.1:{fake._port}"
    platform = CloudflarePlatform(choice_of(url), FLEET, SECRETS)
    try:
        yield platform
    finally:
        await platform.detach()


async def _replaced_unheard(fake: FakeGateway) -> int:
    """Let a newer operator take over while the feed fails: it tells nothing."""
    await fake.until(lambda: fake.under_way > 0)
    fake.standing["events"] = Status(500)
    asked = len(fake.asked("/events"))
    _ = fake.tell("errored", "web-0", 1, cause="?")
    await fake.until(lambda: len(fake.asked("/events")) > asked)
    return fake.take_over()


async def test_an_older_operator_ends_as_its_look_is_refused() -> None:
    fake = FakeGateway()
    async with operating(fake) as operator:
        highest = await _replaced_unheard(fake)
        looking = asyncio.ensure_future(settled(operator.reconcile()))
        await _ends_as_stale(operator, highest)
        _ = await looking
    assert fake.asked("/containers")[-1].query == {"epoch": "1"}


async def test_an_older_operator_ends_as_its_order_is_refused() -> None:
    fake = FakeGateway()
    async with operating(fake) as operator:
        highest = await _replaced_unheard(fake)
        _ = await settled(operator.stop_container("web-0"))
        await _ends_as_stale(operator, highest)
    assert fake.orders()[-1]["op"] == "stop"


async def test_two_operators_one_after_the_other_leave_the_containers_running() -> None:
    fake = FakeGateway()
    async with operating(fake), over_same(fake) as newer:
        # What is told of a run before it is known is passed over: the first look, which
        # is newer than the declaration, finds it.
        journal = MemoryJournal()
        async with Operator.open(DECLARED, platform=newer, journal=journal) as operator:
            _ = await value(operator.wait("web-0", limit_ms=LIMIT_MS))
            assert operator.fleet.epoch == 2
    assert not [event for _, event in fake.feed if event["type"] == "ended"]
    assert fake.views["web-0"]["phase"] == "running"


async def test_an_operator_is_not_opened_over_a_gateway_that_is_not_there() -> None:
    fake = FakeGateway()
    async with over(fake) as platform:
        await fake.go_down()
        opened = await settled(
            Operator.start(DECLARED, platform=platform, journal=MemoryJournal())
        )
    assert isinstance(opened, Unreachable)
