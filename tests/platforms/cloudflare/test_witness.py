"""What the REST API saw that the gateway could not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
from returns.result import Success

from orchestrator.core.events import ContainerEnded
from orchestrator.core.exits import Exited, Lost
from orchestrator.core.observations import SeenEnded
from orchestrator.platforms.cloudflare import witness as module
from orchestrator.platforms.cloudflare.gateway import CloudflarePlatform
from orchestrator.platforms.cloudflare.http import Credentials, Gateway
from orchestrator.platforms.cloudflare.rest.client import RestClient
from orchestrator.platforms.cloudflare.witness import Witness, rest_of
from orchestrator.platforms.port import PlatformDetail
from orchestrator.testing.platforms import start_order
from tests.platforms.cloudflare.fake_gateway import (
    FLEET,
    SECRETS,
    SPEC,
    TOKEN,
    FakeGateway,
    choice_of,
    serving,
)
from tests.platforms.cloudflare.fake_rest import (
    ACCOUNT,
    IMAGE,
    FakeRest,
    Slow,
    Status,
    served,
)
from tests.runtime.kit import value


@attrs.frozen
class Both:
    """The gateway and the REST API of one account, and who asks both."""

    gateway: FakeGateway
    rest: FakeRest
    witness: Witness
    platform: CloudflarePlatform
    application: str

    async def start(self) -> str:
        """Start web-0; return the id of its object."""
        granted = await value(self.platform.attach(0))
        order = start_order(SPEC, 1, granted.epoch, SPEC.ports.items())
        _ = await value(self.platform.perform(order))
        return str(self.gateway.views["web-0"]["id"])

    def rests(self, id_: str, **status: Any) -> None:
        """Let the instance of an object be at rest."""
        at = self.rest.stamp(60_000)
        told = {"state": "stopped", "updated_at": at, **status}
        _ = self.rest.add_instance(self.application, id=id_, status=told, started_at=at)


@asynccontextmanager
async def both() -> AsyncIterator[Both]:
    gateway, rest = FakeGateway(), FakeRest()
    application = rest.add_web("orchestrator-demo-web")
    async with serving(gateway) as url, served(rest) as client:
        platform = CloudflarePlatform(choice_of(url), FLEET, SECRETS)
        asking = Gateway(url, lambda: Success(Credentials(token=TOKEN)), 60_000)
        witness = Witness(asking, FLEET, client)
        platform._witness = witness
        try:
            yield Both(gateway, rest, witness, platform, application)
        finally:
            await platform.detach()
            await asking.close()


async def test_a_code_that_the_gateway_did_not_see_is_told() -> None:
    async with both() as kit:
        id_ = await kit.start()
        kit.rests(id_, exit_code=7)
        kit.gateway.end("web-0", {"kind": "lost"})
        seen = await value(kit.platform.observe())
        assert [one.sight for one in seen.sightings] == [SeenEnded(exit=Exited(code=7))]
        events = kit.platform.events("")
        told = [await anext(events) for _ in range(3)]
    last = told[-1]
    assert isinstance(last, ContainerEnded)
    assert last.exit == Exited(code=7)


async def test_who_knows_how_it_ended_asks_nobody() -> None:
    async with both() as kit:
        _ = await kit.start()
        kit.gateway.end("web-0", {"kind": "exited", "code": 3})
        seen = await value(kit.platform.observe())
    assert [one.sight for one in seen.sightings] == [SeenEnded(exit=Exited(code=3))]
    assert kit.rest.seen == []


@pytest.mark.parametrize(
    "status",
    [
        {},
        {"exit_code": -1},
        {"exit_code": 256},
        {"state": "running", "exit_code": 0},
        {"updated_at": "2026-11-19T23:59:59Z", "exit_code": 0},
        {"updated_at": None, "exit_code": 0},
    ],
)
async def test_a_code_that_is_not_surely_of_the_run_is_lost(
    status: dict[str, Any],
) -> None:
    async with both() as kit:
        kit.rests(await kit.start(), **status)
        assert await kit.witness.exit_of("web-0", 1) == Lost()


async def test_a_code_of_zero_is_told_where_it_is_known() -> None:
    async with both() as kit:
        kit.rests(await kit.start(), exit_code=0)
        assert await kit.witness.exit_of("web-0", 1) == Exited(code=0)


async def test_what_the_gateway_does_not_know_is_lost() -> None:
    async with both() as kit:
        assert await kit.witness.exit_of("web-0", 1) == Lost()
        kit.rests(await kit.start(), exit_code=7)
        assert await kit.witness.exit_of("web-0", 2) == Lost()
        for key, wrong in (("begun_at", None), ("id", ""), ("id", 7), ("id", "a/b")):
            kept = kit.gateway.views["web-0"][key]
            kit.gateway.views["web-0"][key] = wrong
            assert await kit.witness.exit_of("web-0", 1) == Lost()
            kit.gateway.views["web-0"][key] = kept
        assert await kit.witness.exit_of("web-0", 1) == Exited(code=7)


async def test_an_api_that_fails_knows_nothing() -> None:
    async with both() as kit:
        kit.rests(await kit.start(), exit_code=7)
        kit.rest.faults.extend([Status(403)] * 2)
        assert await kit.witness.exit_of("web-0", 1) == Lost()
        assert await kit.witness.exit_of("web-0", 1) == Lost()
        assert await kit.witness.exit_of("web-0", 1) == Exited(code=7)


async def test_an_end_does_not_wait_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIMIT_S", 0.05)
    async with both() as kit:
        kit.rests(await kit.start(), exit_code=7)
        kit.rest.faults.append(Slow(120))
        began = asyncio.get_running_loop().time()
        assert await kit.witness.exit_of("web-0", 1) == Lost()
        assert asyncio.get_running_loop().time() - began < 60


async def test_the_application_of_the_same_name_is_asked_first() -> None:
    async with both() as kit:
        _ = kit.rest.add_web("other")
        one = kit.rest.add_web("another-fleet-web")
        at = kit.rest.stamp(60_000)
        status = {"state": "stopped", "updated_at": at, "exit_code": 7}
        id_ = await kit.start()
        _ = kit.rest.add_instance(one, id=id_, status=status, started_at=at)
        assert await kit.witness.exit_of("web-0", 1) == Exited(code=7)
        asked = [seen.path.split("/")[2] for seen in kit.rest.seen[1:]]
        assert asked == [kit.application, one]
        assert await kit.witness.exit_of("web-0", 1) == Exited(code=7)
        assert [s.path for s in kit.rest.seen].count("/applications") == 1


# Details


async def test_details_say_where_a_container_really_runs() -> None:
    async with both() as kit:
        id_ = await kit.start()
        name = f"{FLEET}/web-0"
        _ = kit.rest.add_instance(kit.application, id=id_, name=name)
        (detail,) = await value(kit.platform.details())
    assert dict(detail.facts.items()) == {
        "id": id_,
        "application": "web",
        "location": "fra01",
        "image": IMAGE,
        "instance_state": "running",
    }


async def test_details_of_which_nothing_is_known_stay_as_they_are() -> None:
    detail = PlatformDetail(name="web-0", run=1, state="running")
    async with both() as kit:
        _ = kit.rest.add_instance(kit.application, name=f"{FLEET}/web-0")
        assert await kit.witness.completed((detail,)) == (detail,)
        kit.rest.faults.extend([Status(403)] * 2)
        assert await kit.witness.completed((detail,)) == (detail,)


async def test_details_do_not_wait_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIMIT_S", 0.05)
    detail = PlatformDetail(name="web-0", run=1, state="running")
    async with both() as kit:
        kit.rest.faults.append(Slow(120))
        began = asyncio.get_running_loop().time()
        assert await kit.witness.completed((detail,)) == (detail,)
        assert asyncio.get_running_loop().time() - began < 60


# Without an account


async def test_without_an_account_nothing_is_known() -> None:
    gateway = Gateway("http://localhost", lambda: Success(Credentials(token="")), 1)
    witness = Witness(gateway, FLEET, None)
    detail = PlatformDetail(name="web-0", run=1, state="running")
    assert await witness.exit_of("web-0", 1) == Lost()
    assert await witness.completed((detail,)) == (detail,)
    await witness.close()
    await gateway.close()


@pytest.mark.parametrize("token", [None, "", " \n"])
def test_a_client_needs_an_account_and_a_token(token: str | None) -> None:
    secrets = {} if token is None else {"CLOUDFLARE_API_TOKEN": token}
    assert rest_of(choice_of(None, account_id=ACCOUNT), secrets) is None
    assert rest_of(choice_of(None), {"CLOUDFLARE_API_TOKEN": "planted"}) is None


def test_a_token_that_no_header_holds_is_told_and_not_used(
    caplog: pytest.LogCaptureFixture,
) -> None:
    secrets = {"CLOUDFLARE_API_TOKEN": "planted\ntoken"}
    assert rest_of(choice_of(None, account_id=ACCOUNT), secrets) is None
    assert "CLOUDFLARE_API_TOKEN" in caplog.text
    assert "planted" not in caplog.text


async def test_a_client_is_made_where_both_are_known() -> None:
    secrets = {"MY_TOKEN": "planted-token"}
    choice = choice_of(None, account_id=ACCOUNT, api_token_secret="MY_TOKEN")
    client = rest_of(choice, secrets)
    assert isinstance(client, RestClient)
    assert "planted" not in repr(client)
    await client.close()
