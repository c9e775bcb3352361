"""A container never runs in two places: it leaves the old one before it begins anew."""

from __future__ import annotations

from typing import Any

import attrs

from tests.bench.docker import Container, DockerError
from tests.bench.images import APP_1, APP_2
from tests.platforms.cloudflare.gateway.kit import Gateway


async def places(scripted: Gateway) -> Any:
    return (await scripted.ask("GET", "/tests/places")).body


def runs(gateway: Gateway, one: Container) -> bool:
    """Ask the engine for a container itself: its list comes a moment later."""
    try:
        state = gateway.workerd.engine.docker.inspect(one.id)["State"]
    except DockerError as error:
        assert ": 404 " in str(error)  # noqa: PT017 - it was removed
        return False
    return bool(state["Running"])


async def test_a_container_moves_to_another_application(gateway: Gateway) -> None:
    await gateway.start("a", 1)
    await gateway.news("ready", "a", 1)
    (first,) = await gateway.running(1)
    assert first.image == APP_1
    assert (await gateway.start_over("a", 2, application="api")).status == 202
    assert not runs(gateway, first)  # gone already
    await gateway.news("ready", "a", 2)
    (second,) = await gateway.running(1)
    assert second.image == APP_2
    assert (await gateway.end_of("a", 1))["kind"] == "stopped"
    view = await gateway.state("a")
    assert (view["run"], view["phase"], view["application"]) == (2, "running", "api")
    # And back again, to an object that has had it before.
    assert (await gateway.start_over("a", 3)).status == 202
    await gateway.news("ready", "a", 3)
    (third,) = await gateway.running(1)
    assert third.image == APP_1
    assert (await gateway.end_of("a", 2))["kind"] == "stopped"


async def test_it_does_not_begin_until_it_has_left(scripted: Gateway) -> None:
    there = attrs.evolve(scripted, application="chosen", binding="CHOSEN")
    await scripted.start("a")
    await scripted.news("ready", "a")
    await scripted.drive("a", "put", {"plan": {"destroy": "internal error"}})
    answer = await there.start("a", 2)
    assert (answer.status, answer.code) == (503, "unreachable")
    assert (await there.call("a", "remembered"))["phase"] == "none"
    await scripted.drive("a", "put", {"plan": {}})
    await scripted.end_of("a")
    assert (await there.start("a", 2)).status == 202
    await there.news("ready", "a", 2)
    assert not (await scripted.call("a", "look"))["running"]


async def test_it_has_to_leave_also_when_the_order_comes_again(
    scripted: Gateway,
) -> None:
    # The gateway went away after the move was admitted, and before it was done.
    there = attrs.evolve(scripted, application="chosen", binding="CHOSEN")
    for last in ("start", "stop", "destroy"):
        name = f"by-{last}"
        await scripted.start(name)
        await scripted.news("ready", name)
        await scripted.call(name, "break", "retire", "the connection broke")
        for _ in range(2):
            assert (await there.start(name, 2)).status == 500
        assert await scripted.drive(name, "calls", "destroy") == []
        await scripted.call(name, "break", "retire", None)
        if last == "start":
            answer = await there.start(name, 2)
        elif last == "stop":
            answer = await there.stop(name, 2)
        else:
            answer = await there.order(last, name, 2)
        assert answer.status == 202
        assert len(await scripted.drive(name, "calls", "destroy")) == 1
        assert (await scripted.end_of(name, 1))["kind"] == "stopped"
        running = await there.call(name, "remembered")
        assert (running["phase"] in {"starting", "running"}) is (last == "start")
        # Once it has left, it is not asked again.
        await scripted.call(name, "break", "retire", "nobody asks")
        assert (await there.start(name, 3)).status == 202


async def test_each_place_that_it_was_in_is_left(scripted: Gateway) -> None:
    await scripted.start("a", 1)
    await scripted.news("ready", "a", 1)
    await scripted.call("a", "break", "retire", "the connection broke")
    there = attrs.evolve(scripted, application="chosen", binding="CHOSEN")
    assert (await there.start("a", 2)).status == 500
    answer = await scripted.start("a", 3, application="placed")
    assert answer.status == 500
    await scripted.call("a", "break", "retire", None)
    assert (await scripted.start("a", 3, application="placed")).status == 202
    assert (await scripted.end_of("a", 1))["kind"] == "stopped"
    await scripted.news("ready", "a", 3)


async def test_who_came_back_is_not_told_to_leave_by_an_older_move(
    scripted: Gateway,
) -> None:
    await scripted.start("a", 6)
    await scripted.news("ready", "a", 6)
    # On the way since run 5 was to start elsewhere.
    assert await scripted.call("a", "retire", {"run": 5}) is None
    assert await scripted.drive("a", "calls", "destroy") == []
    view = await scripted.state("a")
    assert (view["run"], view["phase"]) == (6, "running")
    # One run is in one place: who starts the very same elsewhere has it leave.
    there = attrs.evolve(scripted, application="chosen", binding="CHOSEN")
    assert (await there.start("a", 6)).status == 202
    await there.news("ready", "a", 6)
    assert len(await scripted.drive("a", "calls", "destroy")) == 1
    assert not (await scripted.call("a", "look"))["running"]


async def test_it_is_placed_where_it_was_asked_to_be(scripted: Gateway) -> None:
    await places(scripted)
    wish = {"application": "placed", "jurisdiction": "eu", "location_hint": "weur"}
    assert (await scripted.start("a", 1, **wish)).status == 202
    await scripted.news("ready", "a")
    await scripted.state("a")
    await scripted.post("containers", "a", "probe", port=8080)
    await scripted.stop("a")
    asked = await places(scripted)
    assert len(asked) >= 4
    name = f"{scripted.fleet}/a"
    expected = {"jurisdiction": "eu", "name": name, "options": {"locationHint": "weur"}}
    assert all(one == expected for one in asked)


async def test_another_jurisdiction_is_another_place(scripted: Gateway) -> None:
    await places(scripted)
    wish = {"application": "placed", "jurisdiction": "eu"}
    await scripted.start("a", 1, **wish)
    await scripted.news("ready", "a", 1)
    assert (
        await scripted.start("a", 2, **{**wish, "jurisdiction": "us"})
    ).status == 202
    assert (await scripted.end_of("a", 1))["kind"] == "stopped"
    assert (await scripted.start("a", 3, application="placed")).status == 202
    assert (await scripted.end_of("a", 2))["kind"] == "stopped"
    found = [one["jurisdiction"] for one in await places(scripted)]
    assert list(dict.fromkeys(found)) == ["eu", "us", None]
    # A hint is no place: what runs goes on, and the next run may be elsewhere.
    assert (
        await scripted.start("a", 3, application="placed", location_hint="apac")
    ).status == 202
    assert (await scripted.state("a"))["run"] == 3
