"""A list of the gateway is read page by page, and believed as a whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import attrs
import orjson
import pytest

from orchestrator import FleetSpec, MemoryJournal, Operator, RestartPolicy, settled
from orchestrator.core.autoscaling import Metric
from orchestrator.core.errors import (
    PlatformError,
    RateLimited,
    StaleOperator,
    TimedOut,
    Unreachable,
)
from orchestrator.core.events import ContainerEnded, ContainerObserved
from orchestrator.core.fleet_specs import FleetSettings
from orchestrator.core.observations import Observation, SeenRunning, SeenUnreachable
from orchestrator.platforms.cloudflare import lister
from orchestrator.platforms.cloudflare.gateway import CloudflarePlatform
from orchestrator.platforms.measuring import MeasuredService
from orchestrator.runtime.reports import ReconcileReport
from orchestrator.testing.platforms import start_order
from tests.platforms.cloudflare.fake_gateway import (
    FLEET,
    SPEC,
    FakeGateway,
    Fault,
    over,
)
from tests.platforms.cloudflare.fake_rest import Drop, Say, Slow, Status, Truncate
from tests.runtime.kit import FAST, LIMIT_MS, value

NAMES = tuple(f"web-{number}" for number in range(7))


@pytest.fixture(autouse=True)
def _again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lister, "AGAIN_S", (0.001, 0.004))


@asynccontextmanager
async def running(
    fake: FakeGateway, *names: str, **more: Any
) -> AsyncIterator[CloudflarePlatform]:
    """Open the platform, and start containers."""
    async with over(fake, **more) as platform:
        _ = await value(platform.attach(0))
        for name in names:
            spec = attrs.evolve(SPEC, name=name)
            order = start_order(spec, 1, fake.epoch, SPEC.ports.items())
            _ = await value(platform.perform(order))
        yield platform


def asked(fake: FakeGateway, ending: str = "/containers") -> list[str | None]:
    """List behind which names pages were asked for."""
    return [seen.query.get("after") for seen in fake.asked(ending)]


def names_in(seen: Observation) -> tuple[str, ...]:
    return tuple(one.name for one in seen.sightings)


async def looked(platform: CloudflarePlatform) -> tuple[str, ...]:
    return names_in(await value(platform.observe()))


def at(place: str, does: Callable[[], object]) -> Callable[[str], Awaitable[None]]:
    """Do something once, while the page behind a name is read."""
    left = [does]

    async def at_page(after: str) -> None:
        if after == place and left:
            done = left.pop()()
            if isinstance(done, Awaitable):
                await done

    return at_page


# Pages


@pytest.mark.parametrize("size", [1, 3, 7, 100])
async def test_a_fleet_is_looked_at_page_by_page(size: int) -> None:
    fake = FakeGateway(page=size)
    async with running(fake, *NAMES) as platform:
        seen = await value(platform.observe())
        details = await value(platform.details())
    assert names_in(seen) == NAMES == tuple(one.name for one in details)
    assert seen.complete
    places = ["", *NAMES[size - 1 : -1 : size]]
    assert asked(fake) == [*places, *places]
    (first, *_) = fake.asked("/containers")
    assert first.query == {"epoch": "1", "after": "", "limit": str(size)}


async def test_a_gateway_that_says_nothing_of_pages_is_asked_for_all() -> None:
    fake = FakeGateway()
    async with running(fake, *NAMES) as platform:
        assert await looked(platform) == NAMES
    assert [seen.query for seen in fake.asked("/containers")] == [{"epoch": "1"}]


@pytest.mark.parametrize(
    "limits", [None, 7, {"page": "7"}, {"page": 0}, {"page": True}]
)
async def test_a_size_that_is_none_is_no_size(limits: Any) -> None:
    facts = FakeGateway().applications
    about = {"api": 1, "applications": facts, "limits": limits}
    fake = FakeGateway(page=2)
    async with over(fake) as platform:
        fake.faults.append(Say(orjson.dumps(about)))
        _ = await value(platform.attach(0))
        _ = await looked(platform)
    assert asked(fake) == [None]


async def test_a_gateway_that_went_back_to_an_older_version_answers_for_all() -> None:
    fake = FakeGateway(page=2)
    async with running(fake, *NAMES) as platform:

        def goes_back() -> None:
            fake.page = None

        fake.at_page = at("web-3", goes_back)
        assert await looked(platform) == NAMES
    assert asked(fake) == ["", "web-1", "web-3"]


async def test_a_fleet_without_containers_is_one_page() -> None:
    fake = FakeGateway(page=2)
    async with running(fake) as platform:
        assert await looked(platform) == ()
    assert asked(fake) == [""]


async def test_one_page_that_could_not_answer_for_all_says_so_of_the_look() -> None:
    fake = FakeGateway(page=2)
    async with running(fake, *NAMES) as platform:

        def cannot() -> None:
            fake.complete = False

        fake.at_page = at("web-5", cannot)
        seen = await value(platform.observe())
    assert (names_in(seen), seen.complete) == (NAMES, False)


async def test_who_was_not_asked_in_time_is_unreachable_on_that_page_alone() -> None:
    fake = FakeGateway(page=2)
    async with running(fake, *NAMES) as platform:
        fake.views["web-2"]["phase"] = "unreachable"
        seen = await value(platform.observe())
    sights = {one.name: type(one.sight) for one in seen.sightings}
    assert sights.pop("web-2") is SeenUnreachable
    assert set(sights.values()) == {SeenRunning}
    assert seen.complete


async def test_loads_are_read_page_by_page() -> None:
    told = {"run": 1, "busy_ms": 0, "since": 1, "now": 2}
    borne = [{"name": name, "in_flight": 2, **told} for name in NAMES]
    fake = FakeGateway(page=3, borne=borne)
    service = MeasuredService(name="web", template=SPEC, containers=NAMES)
    async with running(fake) as platform:
        found = await value(platform.loads(Metric.IN_FLIGHT, (service,)))
    assert found == {"web": 14.0}
    assert asked(fake, "/loads") == ["", "web-2", "web-5"]


# Faults


@pytest.mark.parametrize(
    "fault",
    [Status(500), Status(503), Drop(), Truncate(), Say(b"{}"), Slow(60)],
    ids=repr,
)
async def test_a_page_that_fails_is_asked_for_again_and_no_other(fault: Fault) -> None:
    fake = FakeGateway(page=2)
    async with running(fake, *NAMES) as platform:
        http = platform._gateway

        async def at_page(after: str) -> None:
            if after == "web-1":
                fake.faults.append(fault)
                if isinstance(fault, Slow):
                    http._timeout_ms = 2_000  # of the next one, and of that alone
            if after == "web-3":
                http._timeout_ms = 60_000

        fake.at_page = at_page
        assert await looked(platform) == NAMES
    assert asked(fake) == ["", "web-1", "web-3", "web-3", "web-5"]


async def test_a_page_that_is_held_back_waits_as_long_as_it_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        platform._gateway._held_until = 0.0

    fake = FakeGateway(page=4)
    async with running(fake, *NAMES) as platform:
        monkeypatch.setattr(asyncio, "sleep", sleep)
        held = Status(429, b"{}", (("Retry-After", "7"),))
        fake.at_page = at("", lambda: fake.faults.append(held))
        assert await looked(platform) == NAMES
        monkeypatch.undo()
    assert 7.0 in pauses


async def test_a_page_that_fails_for_good_fails_the_look() -> None:
    fake = FakeGateway(page=2)
    async with running(fake, *NAMES) as platform:
        fake.at_page = at(
            "web-1", lambda: fake.faults.extend([Status(500)] * lister.TRIES)
        )
        assert isinstance(await settled(platform.observe()), Unreachable)
        assert asked(fake) == ["", "web-1", *["web-3"] * lister.TRIES]
        assert await looked(platform) == NAMES


async def test_a_look_whose_first_page_fails_has_failed() -> None:
    fake = FakeGateway(page=2)
    async with running(fake, *NAMES) as platform:
        fake.faults.append(Status(500))
        assert isinstance(await settled(platform.observe()), Unreachable)
    assert asked(fake) == [""]


async def test_an_operator_that_is_replaced_between_two_pages_is_told_so() -> None:
    fake = FakeGateway(page=2)
    async with running(fake, *NAMES) as platform:
        fake.at_page = at("web-1", fake.take_over)
        stale = await settled(platform.observe())
        assert stale == StaleOperator(epoch=1, highest=2)
        assert asked(fake) == ["", "web-1", "web-3"]


async def test_a_registry_that_was_made_anew_is_listed_anew() -> None:
    fake = FakeGateway(page=2)
    async with running(fake, *NAMES) as platform:

        def is_made_anew() -> None:
            fake.begin_anew()
            del fake.views["web-0"], fake.views["web-4"]

        fake.at_page = at("web-3", is_made_anew)
        assert await looked(platform) == ("web-1", "web-2", "web-3", "web-5", "web-6")
    assert asked(fake) == ["", "web-1", "web-3", "", "web-2", "web-5"]


async def test_a_registry_that_is_never_the_same_is_given_up() -> None:
    fake = FakeGateway(page=2)

    async def at_page(_: str) -> None:
        fake.begin_anew()

    async with running(fake, *NAMES) as platform:
        fake.at_page = at_page
        assert await settled(platform.observe()) == lister.NEVER_THE_SAME
    assert asked(fake) == ["", "web-1"] * (lister.ANEW_MAX + 1)


async def test_a_list_that_takes_too_long_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lister, "LIMIT_MS", 50)
    fake = FakeGateway(page=2)
    async with running(fake, *NAMES) as platform:
        fake.at_page = at("web-1", lambda: asyncio.sleep(60))
        assert await settled(platform.observe()) == TimedOut(after_ms=50)
        fake.at_page = None
        monkeypatch.setattr(lister, "LIMIT_MS", 60_000)
        assert await looked(platform) == NAMES


async def test_two_lists_are_read_one_after_the_other() -> None:
    fake = FakeGateway(page=2)
    async with running(fake, *NAMES) as platform:
        _ = await asyncio.gather(
            settled(platform.observe()), settled(platform.details())
        )
    places = ["", "web-1", "web-3", "web-5"]
    assert asked(fake) == [*places, *places]


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (RateLimited(retry_after_ms=1_500), 1.5),
        (RateLimited(), 0.0),
        (Unreachable(cause="?"), 0.0),
    ],
)
def test_only_who_says_for_how_long_holds_back(
    error: PlatformError, seconds: float
) -> None:
    assert lister.held_s(error) == seconds


# What an operator makes of it

DECLARED = FleetSpec(
    name=FLEET,
    settings=FleetSettings(reconcile_interval_ms=0, min_restart_delay_ms=0),
    containers=tuple(
        attrs.evolve(SPEC, name=name, restart=RestartPolicy(backoff=FAST))
        for name in ("a", "b", "c", "d")
    ),
)


@asynccontextmanager
async def operating(fake: FakeGateway) -> AsyncIterator[Operator]:
    async with (
        over(fake) as platform,
        Operator.open(DECLARED, platform=platform, journal=MemoryJournal()) as operator,
    ):
        for spec in DECLARED.containers:
            _ = await value(operator.wait(spec.name, limit_ms=LIMIT_MS))
        yield operator


async def test_nobody_is_missing_who_came_or_came_back_between_two_pages() -> None:
    fake = FakeGateway(page=1)
    async with operating(fake) as operator:
        _ = await value(operator.stop_container("a"))
        await fake.until(lambda: fake.views["a"]["phase"] == "ended")

        async def meanwhile() -> None:
            _ = await value(operator.start_container("a"))  # the list has passed it
            _ = await value(operator.restart_container("d"))  # it is yet to come there
            await fake.until(
                lambda: fake.views["a"]["run"] == fake.views["d"]["run"] == 2
            )
            for name in ("a", "d"):
                _ = await value(operator.wait(name, limit_ms=LIMIT_MS))

        fake.at_page = at("b", meanwhile)
        assert isinstance(await settled(operator.reconcile()), ReconcileReport)
        rows = await value(operator.events(0))
        assert [row for row in rows if isinstance(row.event, ContainerObserved)] == []
        ends = [row.event for row in rows if isinstance(row.event, ContainerEnded)]
        assert [(end.name, end.run) for end in ends] == [("a", 1), ("d", 1)]
    assert [view["run"] for _, view in sorted(fake.views.items())] == [2, 1, 1, 2]
