"""How runs begin, with a container that does as the test says.

Why no real one: see ``test_ends.py``. What real ones do is in ``test_traffic.py``.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.platforms.cloudflare.gateway.kit import Gateway

LOST = "Network connection lost."


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("Container failed to start", "start_failed"),
        ("Something new", "start_failed"),
        ("You are requesting too many containers per second", "rate_limited"),
        (
            "start() cannot be called on a container that is already running.",
            "already_running",
        ),
    ],
)
async def test_a_start_that_throws_is_an_end(
    scripted: Gateway, message: str, kind: str
) -> None:
    await scripted.drive("a", "put", {"plan": {"start": message}})
    answer = await scripted.start("a")
    assert (answer.status, answer.body["phase"]) == (202, "ended")
    event = await scripted.news("ended", "a")
    assert (event["end"]["kind"], event["end"]["raw"]) == (kind, message)
    assert event["started"] is False


@pytest.mark.parametrize(
    ("script", "events"),
    [
        ({"listens": False}, ["started"]),
        ({"plan": {"fetch": "Container is not running"}}, []),
        ({"plan": {"fetch": LOST}}, []),
        ({"odd": ["no HTTP at all"] * 2}, ["started", "ready"]),
        (
            {"odd": ["The operation was aborted due to timeout"] * 2},
            ["started", "ready"],
        ),
        ({"odd": ["no HTTP at all"], "listens": False}, ["started"]),
    ],
)
async def test_a_container_is_ready_when_its_ports_listen(
    scripted: Gateway, script: dict[str, Any], events: list[str]
) -> None:
    await scripted.drive("a", "put", script)
    await scripted.start("a")
    for kind in events:
        await scripted.news(kind, "a")
    view = await scripted.state("a")
    assert (view["phase"] == "running") is bool(events)
    assert (view["ready_at"] is not None) is ("ready" in events)
    await scripted.drive("a", "put", {"plan": {}, "odd": [], "listens": True})
    await scripted.news("ready", "a")
    assert [event["type"] for event in scripted.told] == ["started", "ready"]


async def test_a_container_without_ports_is_ready_once_it_runs(
    scripted: Gateway,
) -> None:
    await scripted.drive("a", "put", {"listens": False})
    await scripted.start("a", ports={}, wait_for=[])
    await scripted.news("ready", "a")


async def test_what_a_start_is_given(scripted: Gateway) -> None:
    given: dict[str, Any] = {
        "env": {"A": "1"},
        "entrypoint": ["serve"],
        "internet": True,
    }
    await scripted.start("a", revision=7, sleep_after_ms=7_200_000, **given)
    await scripted.start("b")
    expected = {
        "env": {"A": "1"},
        "enableInternet": True,
        "entrypoint": ["serve"],
        "labels": {"fleet": scripted.fleet, "container": "a", "revision": "7"},
    }
    assert await scripted.drive("a", "calls", "start") == [[expected]]
    ((found,),) = await scripted.drive("b", "calls", "start")
    assert (found["env"], found["enableInternet"]) == ({}, False)
    assert set(found) == {"env", "enableInternet", "labels"}
    # A container must outlive its object, and the time that it may be idle.
    calls = [await scripted.drive(one, "calls", "setInactivityTimeout") for one in "ab"]
    assert calls == [[[7_200_000]], [[3_600_000]]]


async def test_image_and_size_are_chosen_at_a_start_of_a_durable_object(
    scripted: Gateway,
) -> None:
    scripted.application, scripted.binding = "chosen", "CHOSEN"
    size = {"vcpu": 0.5, "memoryMib": 1_024, "diskMb": 2_000}
    for run, instance in enumerate(("standard-1", size), 1):
        image = f"registry.example.com/app@sha256:{run}"
        answer = await scripted.start("a", run, image=image, instance=instance)
        assert answer.status == 202
        (given,) = (await scripted.drive("a", "calls", "start"))[-1]
        assert (given["image"], given["instance"]) == (image, instance)
    # One that was built for this Worker goes by its name.
    assert (await scripted.start("a", 3, image="app")).status == 202
    assert (await scripted.drive("a", "calls", "start"))[-1][0]["image"] == "an-image"
    answer = await scripted.start("a", 4, application="scripted", image="an-image")
    assert (answer.status, answer.code) == (409, "unsupported")


async def test_the_gateway_says_what_the_runtime_offers(scripted: Gateway) -> None:
    about = (await scripted.ask("GET", "/more/v1/about")).body
    assert about["capabilities"] == {
        "container": True,
        "exec": True,
        "inspect": False,
        "snapshots": False,
        "images": ["app"],
    }
    assert set(about["applications"]) > {"scripted", "chosen", "missing"}


async def test_a_class_without_a_container_cannot_start(scripted: Gateway) -> None:
    answer = await scripted.start("a", application="bare")
    assert (answer.status, answer.code) == (409, "no_application")
