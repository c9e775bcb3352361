"""What a standby answers over HTTP, and what it leaves to the leader."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs

from orchestrator import (
    Claim,
    MemoryJournal,
    Operator,
    SimulatedPlatform,
    Standby,
    settled,
)
from orchestrator.api.app import make_app
from orchestrator.api.route import Route
from orchestrator.api.routes import ROUTES
from orchestrator.api.seat import Seat
from orchestrator.api.socket import serve
from orchestrator.platforms.simulated.lines import Line
from orchestrator.runtime.preparing import Means
from orchestrator.testing.shared import SharedJournal
from tests.api.test_app import Api, session_of
from tests.runtime.kit import LIMIT_MS, Kit, fleet, spec, value
from tests.runtime.test_standby import until

LEASE_MS = 60_000
"""Longer than any test: it is the leader who lets go of it."""
LIMIT_S = 60.0
DECLARED = fleet(spec("web"), reconcile_interval_ms=0)


@attrs.define(eq=False)
class Pair:
    """A leader and a standby, and the door of the standby."""

    leader: Operator
    standby: Standby
    seat: Seat
    api: Api
    leading: asyncio.Task[Any]

    async def until_ahead(self) -> None:
        """Wait until the standby has come as far as the leader."""
        await until(lambda: self.seat.operator.seq >= self.leader.seq, LIMIT_S)

    async def until_led(self) -> Operator:
        """Have the leader leave, and the standby take over."""
        await self.leader.close()
        async with asyncio.timeout(LIMIT_S):
            operator: Operator = await self.leading
        self.seat.give_to(operator)
        return operator

    async def call(self, method: str, path: str, **more: Any) -> Any:
        return await self.api.call(method, path, **more)


def means(platform: SimulatedPlatform, rows: MemoryJournal, name: str) -> Means:
    line = Line(platform)
    return {
        "platform": line,
        "journal": SharedJournal(rows, line),
        "lease": Claim(holder=f"{name}/1", ms=LEASE_MS),
    }


@asynccontextmanager
async def pair(folder: Path) -> AsyncIterator[Pair]:
    platform, rows = SimulatedPlatform(seed=3, speed=20), MemoryJournal()
    async with Operator.open(DECLARED, **means(platform, rows, "one")) as leader:
        _ = await value(leader.wait("web", limit_ms=LIMIT_MS))
        async with Standby.open(DECLARED, **means(platform, rows, "two")) as standby:
            seat = Seat(standby.operator)
            app = make_app(seat, version="9.9")
            leading = asyncio.ensure_future(settled(standby.lead()))
            async with serve(app, folder) as path, session_of(path) as session:
                kit: Any = None
                api = Api(kit, session, asyncio.Event())
                yield Pair(leader, standby, seat, api, leading)
            led = leading.result() if leading.done() else None
            if isinstance(led, Operator):
                await led.close()
            leading.cancel()
            await asyncio.wait([leading])


async def test_a_standby_answers_what_it_has_followed(tmp_path: Path) -> None:
    async with pair(tmp_path) as it:
        _ = await value(it.leader.start_container("extra"))
        _ = await value(it.leader.wait("extra", limit_ms=LIMIT_MS))  # then it is quiet
        await it.until_ahead()
        facts = (await it.call("GET", "/v1/fleet")).body
        assert (facts["role"], facts["leader"]) == ("standby", "one/1")
        assert facts["can_write"] is False
        assert facts["seq"] == it.leader.seq
        listed = (await it.call("GET", "/v1/containers")).body
        assert [info["name"] for info in listed] == ["extra", "web"]
        assert (await it.call("GET", "/v1/containers/web/explain")).status == 200
        events = (await it.call("GET", "/v1/events?after=0")).body
        assert [each["seq"] for each in events] == [*range(1, it.leader.seq + 1)]
        at = (await it.call("GET", "/v1/containers?at=2")).body
        assert at == [] or at[0]["name"] == "web"
        assert (await it.call("GET", "/healthz")).body == {"status": "ok"}
        ready = await it.call("GET", "/readyz")
        assert (ready.status, ready.body["status"]) == (503, "standby")
        assert (await it.call("GET", "/version")).status == 200


async def test_what_a_standby_leaves_to_the_leader_says_who_that_is(
    tmp_path: Path,
) -> None:
    async with pair(tmp_path) as it:
        for method, path in (
            ("POST", "/v1/containers/web/stop"),
            ("DELETE", "/v1/containers/web"),
            ("POST", "/v1/reconcile"),
            ("POST", "/v1/down"),
            ("GET", "/v1/platform"),
            ("GET", "/v1/containers/web/wait?for=ready"),
        ):
            refused = await it.call(method, path)
            assert refused.status == 503, path
            error = refused.body["error"]
            assert (error["code"], error["leader"]) == ("not_leader", "one/1"), path
            assert error["since"] is not None
            assert int(refused.headers["Retry-After"]) > 0
        assert it.leader.fleet.containers["web"].desired.running


def test_a_look_is_answered_by_any_but_where_it_needs_the_platform() -> None:
    left = {route.path for route in ROUTES if route.needs_leader and _looks(route)}
    name = "/v1/containers/{name}"
    assert left == {"/v1/platform", f"{name}/log", f"{name}/wait"}
    assert all(route.needs_leader for route in ROUTES if route.scope == "write")


def _looks(route: Route) -> bool:
    return route.method == "GET"


async def test_who_leads_is_told_by_both(tmp_path: Path) -> None:
    async with pair(tmp_path) as it:
        await it.until_ahead()
        told = (await it.call("GET", "/v1/leader")).body
        assert (told["role"], told["leader"], told["epoch"]) == ("standby", "one/1", 1)
        assert (told["lease_ms"], told["takeovers"]) == (LEASE_MS, 0)
        assert 0 <= told["expires_in_ms"] <= LEASE_MS
        assert told["absence"] is None
        operator = await it.until_led()
        async with asyncio.timeout(LIMIT_S):
            _ = await operator.caught_up()
        told = (await it.call("GET", "/v1/leader")).body
        assert (told["role"], told["leader"], told["epoch"]) == ("leader", "two/1", 2)
        assert (told["takeovers"], told["lag_rows"]) == (1, 0)
        assert told["absence"]["going_on"] == 1
        assert told["absence"]["told"].endswith("1 goes on")


async def test_the_door_stays_open_while_a_standby_comes_to_lead(
    tmp_path: Path,
) -> None:
    async with pair(tmp_path) as it:
        await it.until_ahead()
        before = await it.call("GET", "/v1/containers")
        url = "http://x/v1/events?follow=true&after=0"
        async with it.api.session.get(url) as stream:
            assert stream.status == 200
            _ = await it.until_led()
            text = (await stream.text()).splitlines()
        assert '"kind":"bye"' in text[-1]
        ready = await it.call("GET", "/readyz")
        assert ready.status == 200 or "look" in ready.body["missing"][0]
        after = await it.call("GET", "/v1/containers")
        assert [one["name"] for one in after.body] == [
            one["name"] for one in before.body
        ]
        stopped = await it.call("POST", "/v1/containers/web/stop", json={"by": "me"})
        assert stopped.status == 200
        assert (await it.call("GET", "/v1/fleet")).body["can_write"] is True


async def test_metrics_say_who_leads_and_how_far_behind_one_is(
    tmp_path: Path,
) -> None:
    async with pair(tmp_path) as it:
        await it.until_ahead()
        for is_leader, epoch, takeovers in ((0, 1, 0), (1, 2, 1)):
            async with it.api.session.get("http://x/metrics") as answer:
                lines = (await answer.text()).splitlines()
            told = dict(
                line.split(" ") for line in lines if line.startswith("orchestrator_")
            )
            assert told["orchestrator_is_leader"] == f"{is_leader}.0"
            assert told["orchestrator_lease_epoch"] == f"{epoch}.0"
            assert told["orchestrator_takeovers_total"] == f"{takeovers}.0"
            assert told["orchestrator_standby_lag_rows"] == "0.0"
            left_s = float(told["orchestrator_lease_expires_seconds"])
            assert 0 <= left_s <= LEASE_MS / 1_000
            if not is_leader:
                _ = await it.until_led()


async def test_an_operator_without_a_lease_leads_and_has_no_name(
    tmp_path: Path,
) -> None:
    async with Operator.open(
        DECLARED, platform=SimulatedPlatform(speed=20), journal=MemoryJournal()
    ) as operator:
        app = make_app(operator, version="1")
        async with serve(app, tmp_path) as path, session_of(path) as session:
            kit: Kit = Kit(operator=operator, platform=None, journal=None)  # type: ignore[arg-type]
            it = Api(kit, session, asyncio.Event())
            told = (await it.call("GET", "/v1/leader")).body
            assert (told["role"], told["leader"], told["lease_ms"]) == (
                "leader",
                None,
                None,
            )
            async with session.get("http://x/metrics") as answer:
                text = await answer.text()
            assert "orchestrator_is_leader 1.0" in text
            assert "orchestrator_lease_expires_seconds " not in text.replace(
                "# HELP orchestrator_lease_expires_seconds ", ""
            ).replace("# TYPE orchestrator_lease_expires_seconds ", "")
