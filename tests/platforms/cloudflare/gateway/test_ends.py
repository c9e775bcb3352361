"""How runs end, with a container that ends as the test says.

Why no real one: nothing on one's own machine runs out of capacity or quota, is rolled
out, put to sleep or stopped by the platform; no real engine can be made to lose one
watch and keep the container, to be over and say nothing, to refuse a kill or never to
answer it; and the policy ``durable_object`` is not offered by this runtime. The real
``FleetContainer`` is told all that by a ``ctx.container`` of ours
(``worker/scripted.js``), in the real workerd, with real storage and alarms.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.platforms.cloudflare.gateway.kit import Gateway, until

SIGNALLED = "Runtime signalled the container to exit"
EXITED_7 = {"message": "Container exited with unexpected exit code: 7", "exitCode": 7}
LOST = "Network connection lost."
SETTLES_MS = 10_000
AHEAD_MS = 600_000

# What monitor() tells, and the end that becomes of it; None: it resolves.
ENDS: list[tuple[str | None, dict[str, Any]]] = [
    (None, {"kind": "exited", "code": 0}),
    ("Container exited with unexpected exit code: 7", {"kind": "exited", "code": 7}),
    ("The container ran out of memory", {"kind": "out_of_memory"}),
    (f"{SIGNALLED}: 143", {"kind": "signalled", "code": 143}),
    (f"{SIGNALLED} due to a new version rollout: 0", {"kind": "rollout", "code": 0}),
    (
        "There is no container instance that can be provided to this Durable Object",
        {"kind": "no_capacity"},
    ),
    ("Maximum number of running container instances exceeded", {"kind": "quota"}),
    ("You are requesting too many containers per second", {"kind": "rate_limited"}),
    ("There is no container application assigned", {"kind": "no_application"}),
    ("Container failed to start", {"kind": "start_failed"}),
    (LOST, {"kind": "engine_lost"}),
    ("The operation was aborted due to timeout", {"kind": "timed_out"}),
    ("Durable Object is overloaded", {"kind": "overloaded"}),
    ("Something new", {"kind": "unknown"}),
]


def told(message: str | None, **more: Any) -> dict[str, Any]:
    """Return what a test tells a scripted container to tell."""
    return {} if message is None else {"message": message, **more}


async def started(scripted: Gateway, name: str = "a", **changes: Any) -> None:
    assert (await scripted.start(name, **changes)).status == 202
    await scripted.news("ready", name)
    await scripted.at_rest(name)  # no alarm comes between what a test does


@pytest.mark.parametrize(("message", "expected"), ENDS)
async def test_a_run_ends_as_its_monitor_tells(
    scripted: Gateway, message: str | None, expected: dict[str, Any]
) -> None:
    await started(scripted)
    await scripted.drive("a", "end", told(message))
    end = await scripted.end_of("a")
    assert end == {**expected, "raw": message or "", "at": end["at"]}
    event = await scripted.news("ended", "a")
    assert event["started"] is True
    view = await scripted.state("a")
    assert (view["phase"], view["end"]) == ("ended", end)
    assert (await scripted.listed())["a"]["end"] == end


async def test_a_container_that_may_sleep_and_is_signalled_sleeps(
    scripted: Gateway,
) -> None:
    await started(scripted, sleep_after_ms=600_000)
    await scripted.drive("a", "end", told(f"{SIGNALLED}: 143"))
    end = await scripted.end_of("a")
    assert (end["kind"], end["was"], end["code"]) == ("slept", "signalled", 143)


async def test_but_what_is_rolled_out_does_not(scripted: Gateway) -> None:
    await started(scripted, sleep_after_ms=600_000)
    await scripted.drive("a", "end", told(f"{SIGNALLED} due to a new version rollout"))
    assert (await scripted.end_of("a"))["kind"] == "rollout"


@pytest.mark.parametrize(
    "message", [LOST, "Connection timed out", "Durable Object is overloaded", "Novel"]
)
async def test_a_watch_that_breaks_off_is_no_end(
    scripted: Gateway, message: str
) -> None:
    await started(scripted)
    await scripted.drive("a", "tellAll", told(message))
    assert (await scripted.news("errored", "a"))["cause"] == message
    view = await scripted.state("a")
    assert (view["phase"], view["end"]) == ("running", None)
    assert view["problem"]["raw"] == message
    await watched(scripted, 2)
    await scripted.drive("a", "end", EXITED_7)
    assert (await scripted.end_of("a"))["code"] == 7


async def watched(scripted: Gateway, times: int) -> None:
    """Wait until a container is watched for the so many'th time."""

    async def again() -> bool:
        return len(await scripted.drive("a", "calls", "monitor")) >= times

    await until("the watch is renewed", again)


async def test_an_object_that_is_reset_says_nothing_of_its_container(
    scripted: Gateway,
) -> None:
    await started(scripted)
    reset = "Durable Object reset because its code was updated."
    await scripted.drive("a", "tellAll", told(reset))
    await watched(scripted, 2)
    await scripted.drive("a", "end", EXITED_7)
    assert (await scripted.end_of("a"))["code"] == 7
    assert [event["type"] for event in scripted.told] == ["started", "ready", "ended"]


async def test_what_is_over_and_never_told_is_lost_after_a_while(
    scripted: Gateway,
) -> None:
    await started(scripted)
    await scripted.drive("a", "vanish")
    # Noticed in a time to come, which no alarm meanwhile takes for over.
    for later in (0, SETTLES_MS // 2):
        view = await scripted.call("a", "ahead", AHEAD_MS + later, "look")
        assert (view["phase"], view["end"]) == ("running", None)
    view = await scripted.call("a", "ahead", AHEAD_MS + SETTLES_MS, "look")
    assert (view["phase"], view["end"]["kind"]) == ("ended", "lost")
    assert (await scripted.end_of("a"))["kind"] == "lost"


async def test_a_beat_finds_it_too(scripted: Gateway) -> None:
    await started(scripted)
    await scripted.drive("a", "vanish")
    await scripted.call("a", "ahead", 300_000, "alarm")
    assert await scripted.call("a", "alarmIn") < 302_000
    await scripted.call("a", "ahead", 300_000 + SETTLES_MS, "alarm")
    assert (await scripted.end_of("a"))["kind"] == "lost"


async def test_a_beat_renews_the_watch_of_what_runs(scripted: Gateway) -> None:
    await started(scripted)
    await scripted.call("a", "ahead", 301_000, "alarm")
    await watched(scripted, 2)
    await scripted.drive("a", "end", EXITED_7)
    await scripted.end_of("a")
    events = await scripted.events()
    assert [event["type"] for event in events["events"]].count("ended") == 1


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ({"signal": 15, "grace_ms": 60_000}, "exited"),
        ({"signal": 2, "grace_ms": 0}, "exited"),
    ],
)
async def test_what_is_asked_to_stop_has_stopped(
    scripted: Gateway, words: dict[str, int], kind: str
) -> None:
    await started(scripted)
    await scripted.drive("a", "put", {"plan": {"onSignal": EXITED_7}})
    await scripted.stop("a", **words)
    end = await scripted.end_of("a")
    assert (end["kind"], end["was"], end["code"]) == ("stopped", kind, 7)
    assert await scripted.drive("a", "calls", "signal") == [[words["signal"]]]


async def test_one_that_ignores_the_signal_is_killed_after_the_grace(
    scripted: Gateway,
) -> None:
    await started(scripted)
    await scripted.stop("a", grace_ms=60_000)
    assert await scripted.drive("a", "calls", "destroy") == []
    await scripted.stop("a", grace_ms=300)  # more haste
    await scripted.stop("a", grace_ms=90_000)  # and never less
    end = await scripted.end_of("a")
    assert (end["kind"], end["code"]) == ("stopped", 137)
    assert len(await scripted.drive("a", "calls", "destroy")) == 1


async def test_a_signal_that_fails_is_made_a_kill(scripted: Gateway) -> None:
    await started(scripted)
    await scripted.drive("a", "put", {"plan": {"signal": "Something new"}})
    await scripted.stop("a", grace_ms=600_000)
    assert (await scripted.end_of("a"))["code"] == 137


async def test_a_signal_to_what_has_just_ended_is_none(scripted: Gateway) -> None:
    await started(scripted)
    over = "signal() cannot be called on a container that is not running."
    await scripted.drive("a", "put", {"plan": {"signal": over}})
    await scripted.stop("a", grace_ms=600_000)
    assert await scripted.drive("a", "calls", "destroy") == []
    await scripted.drive("a", "end", EXITED_7)
    assert (await scripted.end_of("a"))["kind"] == "stopped"


async def test_a_kill_whose_alarm_was_lost_is_remembered_by_whoever_asks(
    scripted: Gateway,
) -> None:
    await started(scripted)
    await scripted.stop("a", grace_ms=60_000)  # some calls must fit in
    await scripted.call("a", "loseAlarm")
    assert await scripted.call("a", "alarmIn") is None
    await scripted.state("a")
    assert await scripted.call("a", "alarmIn") <= 60_000
    await scripted.call("a", "ahead", 60_000, "alarm")
    assert (await scripted.end_of("a"))["code"] == 137


async def test_a_kill_kills_at_once(scripted: Gateway) -> None:
    await started(scripted)
    await scripted.stop("a", grace_ms=600_000)
    await scripted.order("destroy", "a")
    await scripted.stop("a", grace_ms=600_000)  # too late to be gentle
    assert (await scripted.end_of("a"))["kind"] == "stopped"
    assert await scripted.drive("a", "calls", "signal") == [[15]]


async def test_a_kill_that_fails_is_tried_again(scripted: Gateway) -> None:
    await started(scripted)
    await scripted.drive("a", "put", {"plan": {"destroy": "internal error"}})
    await scripted.order("destroy", "a")

    async def again() -> bool:
        return len(await scripted.drive("a", "calls", "destroy")) >= 2

    await until("killed again", again)
    view = await scripted.state("a")
    assert (view["phase"], view["problem"]["kind"]) == ("running", "engine_lost")
    await scripted.drive("a", "put", {"plan": {}})
    assert (await scripted.end_of("a"))["kind"] == "stopped"


async def test_a_kill_without_an_answer_is_tried_again(scripted: Gateway) -> None:
    await started(scripted)
    await scripted.drive("a", "put", {"plan": {"destroy": "hangs"}})
    await scripted.order("destroy", "a")
    await scripted.drive("a", "put", {"plan": {}})
    assert (await scripted.end_of("a"))["kind"] == "stopped"


async def test_a_run_does_not_begin_while_the_one_before_cannot_be_killed(
    scripted: Gateway,
) -> None:
    await started(scripted)
    await scripted.drive("a", "put", {"plan": {"destroy": "internal error"}})
    answer = await scripted.start("a", 2)
    assert (answer.status, answer.code) == (503, "unreachable")
    assert len(await scripted.drive("a", "calls", "start")) == 1
    await scripted.drive("a", "put", {"plan": {}})
    assert (await scripted.end_of("a", 1))["kind"] == "stopped"
    assert (await scripted.start("a", 2)).status == 202
    await scripted.news("ready", "a", 2)
    assert len(await scripted.drive("a", "calls", "start")) == 2


async def test_a_late_end_of_an_older_run_does_not_end_the_next(
    scripted: Gateway,
) -> None:
    await started(scripted)
    await scripted.drive("a", "put", {"plan": {"destroy": "hangs"}, "running": False})
    assert (await scripted.start("a", 2)).status == 202
    await scripted.news("ready", "a", 2)
    await scripted.drive("a", "tellAll", told("Novel"))
    await scripted.news("errored", "a", 2)  # the watch of the second, not its end
    view = await scripted.state("a")
    assert (view["run"], view["phase"]) == (2, "running")
