"""An application is given more instances before a replica starts that has no room."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import pytest

from orchestrator.codec.platform_choices import CloudflareChoice, SchedulingPolicy
from orchestrator.core.autoscaling import Autoscaling, Metric
from orchestrator.core.events import ContainerEnded
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.services import Service, replica_of
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.table import Table
from orchestrator.platforms.cloudflare import room as module
from orchestrator.platforms.cloudflare.gateway import CloudflarePlatform
from orchestrator.platforms.cloudflare.project.application import Application, facts_of
from orchestrator.platforms.cloudflare.project.applications import applications_of
from orchestrator.platforms.cloudflare.rest.client import RestClient
from orchestrator.platforms.cloudflare.room import Room
from orchestrator.testing.platforms import start_order
from tests.platforms.cloudflare.fake_gateway import (
    FLEET,
    SECRETS,
    SPEC,
    WEB,
    FakeGateway,
    choice_of,
    serving,
)
from tests.platforms.cloudflare.fake_rest import (
    IMAGE,
    FakeRest,
    Slow,
    Status,
    served,
)
from tests.runtime.kit import value

WORKER = f"{FLEET}-gateway"


@attrs.define
class Account:
    """A fleet whose application may have two instances, and who starts more."""

    gateway: FakeGateway
    rest: FakeRest
    platform: CloudflarePlatform
    client: RestClient
    application: str
    epoch: int = 0

    @property
    def most(self) -> int:
        return int(self.rest.applications[self.application]["max_instances"])

    @property
    def writes(self) -> int:
        return len(self.rest.writes)

    def without_token(self) -> None:
        self.platform._room = Room(None, WORKER, 3)

    async def start(self, *indexes: int, run: int = 1) -> None:
        """Start replicas, all at once."""
        specs = [attrs.evolve(SPEC, name=f"web-{at}", replica=at) for at in indexes]
        await self.begin(*specs, run=run)

    async def begin(self, *specs: ContainerSpec, run: int = 1) -> None:
        orders = [
            start_order(spec, run, self.epoch, SPEC.ports.items()) for spec in specs
        ]
        await asyncio.gather(*(value(self.platform.perform(order)) for order in orders))
        started = [each["name"] for each in self.gateway.orders()]
        assert {spec.name for spec in specs} <= set(started)


@asynccontextmanager
async def account(
    application: Application = attrs.evolve(WEB, max_instances=2),  # noqa: B008
) -> AsyncIterator[Account]:
    facts = {application.name: facts_of(application)}
    gateway, rest = FakeGateway(applications=facts), FakeRest()
    standing = rest.add_web(f"{WORKER}-web", max_instances=2)
    async with serving(gateway) as url, served(rest) as client:
        platform = CloudflarePlatform(choice_of(url), FLEET, SECRETS)
        platform._room = Room(client, WORKER, 3)
        kit = Account(gateway, rest, platform, client, standing)
        kit.epoch = (await value(platform.attach(0))).epoch
        try:
            yield kit
        finally:
            await platform.detach()


async def test_nothing_is_asked_while_there_is_room() -> None:
    async with account() as it:
        await it.start(0, 1)
        await it.start(1, run=2)
        assert it.rest.seen == []


async def test_one_more_makes_room_with_headroom() -> None:
    async with account() as it:
        await it.start(0, 1)
        await it.start(2)
        assert (it.most, it.writes) == (6, 1)
        await it.start(3, 4, 5)
        assert it.writes == 1
        await it.start(6)
        assert (it.most, it.writes) == (10, 2)


async def test_many_at_once_are_given_room_by_one_change() -> None:
    async with account() as it:
        await it.start(*range(20))
        assert (it.most, it.writes) == (23, 1)


async def test_what_the_account_allows_already_is_not_changed() -> None:
    async with account() as it:
        it.rest.applications[it.application]["max_instances"] = 9
        await it.start(0, 1, 2)
        asked = len(it.rest.seen)
        await it.start(3)
        assert (it.most, it.writes) == (9, 0)
        assert len(it.rest.seen) == asked


async def test_who_has_ended_leaves_room() -> None:
    async with account() as it:
        await it.start(0, 1)
        it.gateway.end("web-1", {"kind": "stopped"})
        async for event in it.platform.events(""):
            if isinstance(event, ContainerEnded):
                break
        await it.start(2)
        assert it.rest.seen == []


async def test_a_look_shows_who_lives() -> None:
    async with account() as it:
        await it.start(0, 1)
        platform = it.platform
        platform._room = Room(it.client, WORKER, 3)
        await value(platform.observe())
        await it.start(2)
        assert it.most == 6
        for name in ("web-0", "web-1", "web-2"):
            it.gateway.end(name, {"kind": "stopped"})
        await value(platform.observe())
        await it.start(3, 4, 5, 6, 7)
        assert it.most == 6


async def test_who_came_or_left_since_a_list_was_begun_counts_as_is_known_here() -> (
    None
):
    room = Room(None, WORKER, 3)
    listed = [
        {"name": name, "application": "web", "phase": "running"}
        for name in ("web-0", "web-1")
    ]
    room.seen(listed, room.lives())
    before = room.lives()
    room.left("web-0")  # its page still shows it
    newer = attrs.evolve(SPEC, name="web-2")  # and its page was read before it came
    await room.make(newer, attrs.evolve(WEB, max_instances=9))
    room.seen(listed, before)
    assert room.lives() == {"web-1": "web", "web-2": "web"}
    room.seen(listed, room.lives())
    assert room.lives() == {"web-0": "web", "web-1": "web"}


async def test_what_is_started_by_request_makes_no_room() -> None:
    async with account() as it:
        solo = [attrs.evolve(SPEC, name=f"x{at}", service=f"x{at}") for at in range(4)]
        await it.begin(*solo)
        assert it.rest.seen == []


async def test_objects_that_choose_their_image_have_no_bound() -> None:
    images = Table.of([("web", IMAGE)])
    chosen = Application(
        name="fleet",
        scheduling_policy=SchedulingPolicy.DURABLE_OBJECT,
        images=images,
    )
    async with account(chosen) as it:
        await it.start(*range(4))
        assert it.rest.seen == []


async def test_without_a_token_it_is_said_once_and_the_start_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with account() as it:
        it.without_token()
        await it.start(*range(4))
        await it.start(4, 5)
        assert it.most == 2
    texts = [each.getMessage() for each in caplog.records if "room" in each.pathname]
    assert texts == [
        "web needs more max_instances, and has not got it: there is no token for the"
        " API of the account"
    ]


async def test_an_api_that_refuses_is_left_alone_for_a_while(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with account() as it:
        it.rest.faults.append(Status(403, b"{}"))
        await it.start(*range(3))
        asked = len(it.rest.seen)
        await it.start(3)
        assert len(it.rest.seen) == asked
        it.platform._room._not_before.clear()  # it is later now
        await it.start(4)
        assert it.most == 8
    assert "needs more max_instances" in caplog.text


async def test_a_change_that_is_refused_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with account() as it:
        it.rest.faults.extend([None, Status(400, b"{}")])
        await it.start(*range(3))
        assert it.most == 2
    assert "needs more max_instances" in caplog.text


async def test_an_application_that_is_not_there_is_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with account() as it:
        it.rest.applications.clear()
        await it.start(*range(3))
    assert f"no application '{WORKER}-web'" in caplog.text


async def test_an_api_that_is_slow_holds_no_start_up(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LIMIT_S", 0.05)
    async with account() as it:
        it.rest.faults.append(Slow(5))
        await it.start(*range(3))
        assert it.most == 2
    assert "no answer in 0.05 s" in caplog.text


def test_a_gateway_is_written_with_room_for_what_autoscaling_may_ask() -> None:
    policy = Autoscaling(metric=Metric.PUSHED, target_milli=1, most=12)
    template = ContainerSpec(name="web", image=IMAGE)
    choice = CloudflareChoice(headroom=2)
    for scaling, most in ((policy, 14), (None, 3)):
        service = Service(template=template, replicas=1, autoscaling=scaling)
        fleet = FleetSpec(
            name="demo", containers=(replica_of(service, 0),), services=(service,)
        )
        [application] = applications_of(fleet, choice).unwrap()
        assert application.max_instances == most
