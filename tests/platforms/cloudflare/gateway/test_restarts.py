"""The gateway is killed while containers run, end, are stopped: nothing is made up.

Real containers where they do what is wanted; else those that do as a test says, which
live as long as real ones do (see ``test_ends.py``).
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from tests.bench.docker import Container
from tests.platforms.cloudflare.gateway.kit import Gateway, until

EXITED_7 = {"message": "Container exited with unexpected exit code: 7", "exitCode": 7}
PAST_MS = 10_000
"""A grace within which the gateway can be killed, however slow the machine is."""

SIGNALLED = {"message": "Runtime signalled the container to exit: 143"}


def by_name(gateway: Gateway) -> dict[str, Container]:
    return {one.labels["container"]: one for one in gateway.containers()}


async def test_containers_go_on_while_the_gateway_is_killed(gateway: Gateway) -> None:
    docker = gateway.workerd.engine.docker
    gateway.epoch = (await gateway.post("attach", after=6)).body["epoch"]
    words = {
        "stays": ["serve", "5"],
        "ends": ["serve"],
        "stopped-past": ["stubborn"],
        "stopped-soon": ["stubborn"],
        "crashes": ["serve"],
    }
    for name, entrypoint in words.items():
        await gateway.start(name, entrypoint=entrypoint)
    for name in words:
        await gateway.news("ready", name)
    _ = await gateway.running(len(words))
    before = by_name(gateway)
    assert set(before) == set(words)

    assert (await gateway.stop("stopped-past", grace_ms=PAST_MS)).status == 202
    past = time.monotonic() + PAST_MS / 1_000
    assert (await gateway.stop("stopped-soon", grace_ms=2 * PAST_MS)).status == 202
    await gateway.workerd.kill()
    assert by_name(gateway) == before
    docker.kill(before["ends"].id)
    await asyncio.sleep(max(0.0, past - time.monotonic()))  # its moment passes unseen
    await gateway.workerd.start()

    # Alarms come by themselves: nobody has asked these objects anything.
    for name in ("stopped-past", "stopped-soon"):
        end = await gateway.end_of(name)
        assert (end["kind"], end["code"]) == ("stopped", 137)
    # An end that nobody saw is lost: 137 would have been a guess, and 0 a lie.
    views = await gateway.listed()
    assert {views[name]["phase"] for name in ("stays", "crashes")} == {"running"}
    end = await gateway.end_of("ends")
    assert (end["kind"], "code" in end) == ("lost", False)
    # What runs is what ran, and its end is seen as it was before.
    _ = await gateway.running(2)
    assert by_name(gateway) == {name: before[name] for name in ("stays", "crashes")}
    assert (await gateway.own("stays")).body == "hello\n"
    docker.kill(before["crashes"].id)
    end = await gateway.end_of("crashes")
    assert (end["kind"], end["code"]) == ("exited", 137)
    assert (await gateway.start("stays")).status == 202  # the same run once more
    await gateway.stop("stays")
    end = await gateway.end_of("stays")
    assert (end["kind"], end["code"], end["was"]) == ("stopped", 5, "exited")
    # Who was stale still is; the feed goes on where it was, and has lost nothing.
    gateway.epoch -= 1
    assert (await gateway.start("late")).code == "stale_operator"
    told = [(event["name"], event["type"]) for event in gateway.told]
    told.remove(("stays", "ready"))  # told to who ordered the same once more
    assert sorted(told) == sorted(
        (name, kind) for name in words for kind in ("started", "ready", "ended")
    )


async def test_runs_are_found_again_as_they_are(scripted: Gateway) -> None:
    # Each, and what becomes of it while the gateway is away.
    changes: dict[str, dict[str, Any]] = {
        "runs": {},
        "waits": {"listens": False},
        "gone": {"running": False},
        "told": {"running": False, "last": EXITED_7, "plan": {"monitorMs": 3_000}},
        "signalled": {"running": False, "last": SIGNALLED},
        "resolves": {"running": False, "last": {}},
        "was-stopped": {"running": False},
    }
    for name in changes:
        await scripted.drive(name, "put", {"listens": name != "waits"})
        await scripted.start(name)
        await scripted.news("started" if name == "waits" else "ready", name)
    await scripted.stop("was-stopped", grace_ms=60_000)
    for name, change in changes.items():
        await scripted.drive(name, "put", {"whenBack": change, "calls": []})
    await scripted.workerd.restart()

    views = await scripted.listed()
    assert {views[name]["phase"] for name in ("runs", "waits", "told")} == {"running"}
    ends = {
        "gone": ("lost", None),
        "told": ("exited", 7),
        "signalled": ("signalled", 143),
        "resolves": ("lost", None),
        "was-stopped": ("stopped", None),
    }
    for name, expected in ends.items():
        end = await scripted.end_of(name)
        assert (end["kind"], end.get("code")) == expected, name
        assert await scripted.drive(name, "calls", "start") == []
    # What runs is watched again, and told anew how long it may outlive its object.
    for call, words in (("monitor", []), ("setInactivityTimeout", [3_600_000])):
        assert await scripted.drive("runs", "calls", call) == [words]
    await scripted.drive("waits", "put", {"listens": True})
    await scripted.news("ready", "waits")
    await scripted.drive("runs", "end", EXITED_7)
    assert (await scripted.end_of("runs"))["code"] == 7


async def test_news_that_were_not_told_are_told_afterwards(scripted: Gateway) -> None:
    await scripted.registry("deafen", "deaf")
    await scripted.start("a")

    async def ready() -> bool:
        return len(await scripted.call("a", "untold")) == 2

    await until("two news wait", ready)
    await scripted.drive("a", "end", EXITED_7)
    assert (await scripted.events())["events"] == []
    await scripted.workerd.restart()
    await scripted.news("ended", "a")
    assert [event["type"] for event in scripted.told] == ["started", "ready", "ended"]
