"""Asking a container whether it is well: each way to ask, each way to have no answer.

Real containers say what a port, a page and a process do; scripted ones what only the
platform can: commands, trouble on the way, an end in the middle of a question.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from tests.bench.workerd import Workerd
from tests.platforms.cloudflare.gateway.kit import (
    PATIENT_MS,
    Gateway,
    Reply,
    keeping,
    until,
)

DEFAULT_MS = 2_000
"""For an answer, where the question does not say."""

SECRET = "planted-in-a-question"
SAID = "planted-in-a-message"
LOST = "Network connection lost."


async def running(gateway: Gateway, name: str = "a", **changes: Any) -> None:
    assert (await gateway.start(name, **changes)).status == 202
    await gateway.news("ready", name, changes.get("run", 1))


async def ask(gateway: Gateway, name: str = "a", **body: Any) -> Reply:
    return await gateway.post("containers", name, "probe", **body)


async def told(gateway: Gateway, **body: Any) -> Any:
    """Ask, and return what is told beside the run and the time it took.

    Unless it is said how long an answer may take, it has all the time it wants.
    """
    answer = await ask(gateway, **{"timeout_ms": PATIENT_MS, **body})
    assert answer.status == 200, answer
    facts = dict(answer.body)
    assert facts.pop("run") == 1
    assert facts.pop("elapsed_ms") >= 0
    return facts


async def plan(scripted: Gateway, **does: Any) -> None:
    await scripted.drive("a", "put", {"plan": does})


async def asked_times(scripted: Gateway, count: int) -> None:
    """Wait until questions have come to the object of a container, so many in all."""

    async def have_come() -> bool:
        return bool(await scripted.call("a", "timesCalled", "probe") == count)

    await until(f"{count} have asked", have_come)


async def calls(scripted: Gateway, name: str) -> Any:
    return await scripted.drive("a", "calls", name)


# Over HTTP


async def test_a_page_is_told_by_its_status(gateway: Gateway) -> None:
    await running(gateway)
    statuses: list[tuple[dict[str, Any], int]] = [
        ({}, 200),
        ({"kind": "http", "run": 1, "epoch": 1}, 200),
        ({"path": "/version", "method": "HEAD"}, 200),
        ({"path": "/nothing"}, 404),
        ({"path": "/cgi-bin"}, 302),
        ({"path": "/cgi-bin/health"}, 200),
    ]
    for body, status in statuses:
        assert await told(gateway, port=8080, **body) == {"status": status}
    await told(gateway, port=8080, path="/cgi-bin/sick")
    sick = {"port": 8080, "path": "/cgi-bin/health"}
    assert await told(gateway, **sick) == {"status": 503}
    await told(gateway, port=8080, path="/cgi-bin/well")
    assert await told(gateway, **sick) == {"status": 200}


async def test_a_request_is_made_as_it_is_asked_for(scripted: Gateway) -> None:
    await running(scripted)
    await plan(scripted, notes=True, status=418)
    headers = {"X-Token": "any", "Host": "elsewhere", "x_odd.name": "\u2603"}
    asked = {"port": 81, "path": "/ready?full=1", "headers": headers}
    assert await told(scripted, **asked) == {"status": 418}
    (sent,) = await calls(scripted, "fetch")
    port, url, options = sent
    assert (port, url) == (81, "http://container/ready?full=1")
    assert options == {"method": "GET", "headers": headers, "redirect": "manual"}


async def test_who_takes_too_long_has_not_answered(gateway: Gateway) -> None:
    await running(gateway)
    slow: dict[str, Any] = {"port": 8080, "path": "/cgi-bin/slow?60"}

    async def took(**asked: Any) -> int:
        answer = await ask(gateway, **slow, **asked)
        assert answer.body["error"] == "timed_out"
        return int(answer.body["elapsed_ms"])

    async def is_short() -> bool:
        return 150 <= await took(timeout_ms=150) < DEFAULT_MS

    await until("less than without a limit", is_short)
    assert await took() >= DEFAULT_MS
    assert 2 * DEFAULT_MS <= await took(timeout_ms=2 * DEFAULT_MS) < 50_000
    slow["path"] = "/cgi-bin/slow?1"
    assert await told(gateway, timeout_ms=PATIENT_MS, **slow) == {"status": 200}


# By a connection


@pytest.mark.parametrize(
    ("words", "over_http", "by_connection"),
    [
        (["serve"], {"status": 200}, {"opened": True}),
        (["raw"], {"error": "timed_out"}, {"opened": True}),
        (["hangs", "0"], {"error": "timed_out"}, {"opened": True}),
        (["deaf"], {"error": "not_listening"}, {"error": "not_listening"}),
    ],
)
async def test_what_a_port_does_is_told(
    gateway: Gateway, words: list[str], over_http: Any, by_connection: Any
) -> None:
    await gateway.start("a", entrypoint=words)
    await gateway.news("started", "a")
    asked = {"port": 8080, "timeout_ms": 1_000}

    async def settled() -> bool:
        return bool(await told(gateway, **asked) == over_http)

    await until(f"{words}: {over_http}", settled)
    if "opened" in by_connection:
        for _ in range(3):
            assert await told(gateway, kind="tcp", **asked) == by_connection
    else:
        await until_refused(gateway, 8080)
    assert await told(gateway, port=8081) == {"error": "not_listening"}
    await until_refused(gateway, 8081)


async def until_refused(gateway: Gateway, port: int) -> None:
    """Wait until it is told thrice in a row that nothing listens at a port.

    The runtime says of each connection that it is open. Where it is late to say that it
    has ended, as it is on a busy machine, it counts as taken.
    """
    asked = {"kind": "tcp", "port": port}

    async def is_refused() -> bool:
        found = [await told(gateway, **asked) for _ in range(3)]
        assert all(
            one in ({"error": "not_listening"}, {"opened": True}) for one in found
        )
        return found == [{"error": "not_listening"}] * 3

    await until(f"nothing listens at {port}", is_refused)


async def test_a_connection_is_tried_for_a_moment_and_ended(scripted: Gateway) -> None:
    await running(scripted)
    found: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({}, {"opened": True}),
        ({"connects": "talks"}, {"opened": True}),
        # Somebody took it and hung up: a request tells that somebody is there.
        ({"connects": "ends"}, {"opened": True}),
        ({"connects": "ends", "answersAfterMs": 9_000}, {"error": "timed_out"}),
    ]
    for does, answer in found:
        await plan(scripted, **does)
        assert await told(scripted, kind="tcp", port=80, timeout_ms=1_000) == answer
    assert len(await calls(scripted, "connect")) == len(found)
    assert len(await calls(scripted, "close")) == len(found)
    refused = "Container is not listening to port 80"
    await scripted.drive("a", "put", {"plan": {"connects": "ends"}, "listens": False})
    assert await told(scripted, kind="tcp", port=80) == {"error": "not_listening"}
    await plan(scripted, connects=refused)
    assert await told(scripted, kind="tcp", port=80) == {"error": "not_listening"}


async def test_time_shorter_than_the_moment_is_time_enough(scripted: Gateway) -> None:
    await running(scripted)
    answer = await told(scripted, kind="tcp", port=80, timeout_ms=60)
    assert answer == {"opened": True}


# By a command


async def test_a_command_is_told_by_its_exit_code(scripted: Gateway) -> None:
    await running(scripted)
    for code in (0, 1, 126):
        await plan(scripted, exec={"code": code, "ms": 50})
        asked = {"kind": "command", "command": ["/bin/check", "a b", "$HOME"]}
        assert await told(scripted, **asked) == {"code": code}
    made = await calls(scripted, "exec")
    streams = {"stdout": "ignore", "stderr": "ignore"}
    assert made == [[["/bin/check", "a b", "$HOME"], streams]] * 3
    assert await calls(scripted, "kill") == []


@pytest.mark.parametrize("slow", [{"ms": None}, {"spawnMs": 900, "ms": None}])
async def test_a_command_that_takes_too_long_is_killed(
    scripted: Gateway, slow: dict[str, Any]
) -> None:
    await running(scripted)
    await plan(scripted, exec=slow)
    began = time.monotonic()
    asked = {"kind": "command", "command": ["sleep"], "timeout_ms": 300}
    assert await told(scripted, **asked) == {"error": "timed_out"}
    assert time.monotonic() - began < 20

    async def killed() -> bool:
        return bool(await calls(scripted, "kill") == [[9]])

    await until("killed", killed)


async def test_a_command_that_does_not_die_is_not_joined_by_more(
    scripted: Gateway,
) -> None:
    await running(scripted)
    await plan(scripted, exec={"ms": None, "endures": True})
    asked: dict[str, Any] = {"kind": "command", "command": ["check"], "timeout_ms": 200}
    for _ in range(3):
        assert await told(scripted, **asked) == {"error": "timed_out"}
    assert len(await calls(scripted, "exec")) == 1
    # Who asks while it ends is told how it ended; afterwards it is run again.
    patient = {**asked, "timeout_ms": PATIENT_MS}
    waiting = asyncio.ensure_future(told(scripted, **patient))
    await asked_times(scripted, 4)
    await scripted.drive("a", "endCommands", 0)
    assert await waiting == {"code": 0}
    assert len(await calls(scripted, "exec")) == 1
    await plan(scripted, exec={"code": 3})
    assert await told(scripted, **patient) == {"code": 3}
    # Another command has nothing to wait for, nor has the next run.
    await plan(scripted, exec={"ms": None, "endures": True})
    assert await told(scripted, **asked) == {"error": "timed_out"}
    await plan(scripted)
    other = {**asked, "command": ["check", "more"]}
    assert await told(scripted, **other) == {"code": 0}
    await running(scripted, run=2)
    answer = await ask(scripted, **asked)
    assert (answer.body["run"], answer.body["code"]) == (2, 0)


async def test_the_same_command_at_the_same_time_is_run_once(scripted: Gateway) -> None:
    await running(scripted)
    await plan(scripted, exec={"ms": None})
    asked = {"kind": "command", "command": ["check"]}
    asking = [asyncio.ensure_future(told(scripted, **asked)) for _ in range(3)]
    await asked_times(scripted, len(asking))
    await scripted.drive("a", "endCommands", 4)
    assert await asyncio.gather(*asking) == [{"code": 4}] * 3
    assert len(await calls(scripted, "exec")) == 1


async def test_a_runtime_without_commands_says_so(
    gateway: Gateway, scripted: Gateway
) -> None:
    asked: dict[str, Any] = {"kind": "command", "command": ["/bin/true"]}
    await running(gateway)  # the pinned runtime has no exec
    await running(scripted, "b")
    await scripted.drive("b", "put", {"plan": {"exec": "none"}})
    for answer in (await ask(gateway, **asked), await ask(scripted, "b", **asked)):
        assert (answer.status, answer.code) == (409, "unsupported")
        assert answer.body["details"] == {"capability": "exec"}


# Trouble on the way


async def test_trouble_is_the_containers_only_if_that_is_reached(
    scripted: Gateway,
) -> None:
    await running(scripted)
    for text, kind in ((LOST, "engine_lost"), ("what is this", "unknown")):
        await scripted.drive("a", "put", {"plan": {}, "odd": [text]})
        assert await told(scripted, port=80) == {"error": kind, "up": True}
        await plan(scripted, fetch=text)
        assert await told(scripted, port=80) == {"error": kind}
    await plan(scripted, fetch="Durable Object is overloaded.")
    assert await told(scripted, port=80) == {"error": "overloaded"}
    await plan(scripted, connects=LOST)
    answer = await told(scripted, kind="tcp", port=80)
    assert answer == {"error": "engine_lost", "up": True}
    # A command that could not be run says nothing, however well the ports are.
    await plan(scripted, exec={"error": f"{SAID}: {LOST}"})
    asked = {"kind": "command", "command": ["check"]}
    assert await told(scripted, **asked) == {"error": "engine_lost"}


async def test_an_object_that_does_not_answer_is_unreachable(scripted: Gateway) -> None:
    await running(scripted)
    await running(scripted, "b")
    await scripted.call("a", "break", "probe", "hangs")
    await scripted.call("b", "break", "probe", LOST)
    began = time.monotonic()
    names = ("a", "b", *"aaaaaaaa")
    questions = [{"name": name, "port": 80, "timeout_ms": 500} for name in names]
    answer = await scripted.post("probe", questions=questions)
    assert 3 < time.monotonic() - began < 3 * names.count("a")  # together
    codes = [(one["status"], one["body"]["code"]) for one in answer.body["results"]]
    hung = (503, "unreachable")
    assert codes == [hung, (500, "internal"), *[hung] * (len(names) - 2)]


# Who is asked


async def test_nobody_is_asked_who_is_not_known(gateway: Gateway) -> None:
    answer = await ask(gateway, port=8080)
    assert (answer.status, answer.code) == (404, "not_found")


async def test_only_the_run_that_is_meant_is_asked(scripted: Gateway) -> None:
    await running(scripted)
    await running(scripted, run=2)
    await plan(scripted, notes=True)
    for run in (0, 1, 3):
        for kind in ("http", "tcp"):
            answer = await ask(scripted, kind=kind, run=run, port=80)
            assert (answer.status, answer.code) == (409, "stale_run")
            details = {"name": "a", "run": run, "highest": 2}
            assert answer.body["details"] == details
    assert await calls(scripted, "fetch") == await calls(scripted, "connect") == []
    assert (await ask(scripted, run=2, port=80)).body["status"] == 200


async def test_an_older_operator_may_not_ask(scripted: Gateway) -> None:
    await running(scripted)
    granted = await scripted.post("attach", after=4)
    assert granted.body["epoch"] == 5
    answer = await ask(scripted, epoch=4, port=80)
    assert (answer.status, answer.code) == (409, "stale_operator")
    assert answer.body["details"] == {"epoch": 4, "highest": 5}
    for epoch in (5, None, 6):
        assert (await ask(scripted, epoch=epoch, port=80)).status == 200
    assert (await ask(scripted, epoch=5, port=80)).code == "stale_operator"


async def test_a_question_is_a_call_of_its_operator(scripted: Gateway) -> None:
    await running(scripted)
    granted = await scripted.post("attach", after=0, orphan_after_ms=8_000)
    asked_until = time.monotonic() + 10
    while time.monotonic() < asked_until:
        answer = await ask(scripted, epoch=granted.body["epoch"], port=80)
        assert answer.status == 200
        await asyncio.sleep(0.1)
    assert await calls(scripted, "signal") == []


async def test_what_has_ended_is_not_asked(gateway: Gateway) -> None:
    await running(gateway)
    await gateway.order("destroy", "a")
    await gateway.end_of("a")
    for kind in ("http", "tcp"):
        answer = await ask(gateway, kind=kind, run=1, port=8080)
        assert (answer.status, answer.code) == (409, "not_running")
        assert answer.body["details"] == {"run": 1}
    await gateway.running(0)
    await gateway.order("forget", "a")
    assert (await ask(gateway, run=1, port=8080)).code == "not_found"


async def test_what_is_being_stopped_is_not_asked(scripted: Gateway) -> None:
    await running(scripted)
    await scripted.stop("a", grace_ms=60_000)
    await plan(scripted, notes=True, fetch="Container is not listening to port 80")
    answer = await ask(scripted, run=1, port=80)
    assert (answer.status, answer.code) == (409, "not_running")
    assert await calls(scripted, "fetch") == []


async def test_what_is_over_and_told_nobody_is_not_asked(scripted: Gateway) -> None:
    await running(scripted)
    await plan(scripted, notes=True)
    await scripted.drive("a", "vanish")
    answer = await ask(scripted, run=1, port=80)
    assert (answer.status, answer.code) == (409, "not_running")
    assert await calls(scripted, "fetch") == []

    # The question has made its object look again soon, not minutes later.
    async def looks_soon() -> bool:
        left = await scripted.call("a", "alarmIn")
        return left is None or left <= 1_000  # where it is over, it has looked

    await until("it looks again soon", looks_soon)
    await scripted.call("a", "ahead", 11_000, "alarm")
    assert (await scripted.end_of("a"))["kind"] == "lost"


async def test_an_answer_of_what_ends_meanwhile_says_nothing(scripted: Gateway) -> None:
    await running(scripted)
    await plan(scripted, notes=True, isHeld=True)
    asked: dict[str, Any] = {"run": 1, "port": 80, "timeout_ms": PATIENT_MS}
    asking = asyncio.ensure_future(ask(scripted, **asked))

    async def under_way() -> bool:
        return bool(await calls(scripted, "fetch"))

    await until("asked", under_way)
    await scripted.drive("a", "end", {"message": "exit code: 7", "exitCode": 7})
    await scripted.drive("a", "put", {"plan": {}})
    answer = await asking
    assert (answer.status, answer.code) == (409, "not_running")
    assert (await scripted.end_of("a"))["code"] == 7


# Sleep

ASLEEP_MS = 8_000


async def test_who_is_asked_falls_asleep_all_the_same(scripted: Gateway) -> None:
    await plan(scripted, onSignal={})
    began = time.monotonic()
    await running(scripted, sleep_after_ms=ASLEEP_MS)
    before = await scripted.call("a", "remembered")
    statuses = set[int]()
    questions: tuple[dict[str, Any], ...] = (
        {"port": 80},
        {"kind": "tcp", "port": 80, "timeout_ms": 100},
        {"kind": "command", "command": ["check"]},
    )
    while (await scripted.call("a", "remembered"))["phase"] == "running":
        assert time.monotonic() - began < 60, "it was kept awake"
        for question in questions:
            answer = await ask(scripted, run=1, **question)
            statuses.add(answer.status)
            assert answer.status == 200 or answer.code == "not_running"
        left = await scripted.call("a", "alarmIn")
        # A beat sets one of a minute first, in case that it fails.
        assert left is None or left <= ASLEEP_MS or 50_000 < left <= 60_000
    assert 200 in statuses
    after = await scripted.call("a", "remembered")
    assert after["active_at"] == before["active_at"]
    assert (await scripted.end_of("a"))["kind"] == "slept"


async def test_who_sleeps_is_not_woken(gateway: Gateway) -> None:
    await running(gateway, sleep_after_ms=500)
    assert (await gateway.end_of("a"))["kind"] == "slept"
    for _ in range(3):
        answer = await ask(gateway, run=1, port=8080)
        assert (answer.status, answer.code) == (409, "not_running")
    await gateway.running(0)
    assert (await gateway.state("a"))["phase"] == "ended"


async def test_a_question_writes_nothing_down(scripted: Gateway) -> None:
    await running(scripted, sleep_after_ms=60_000)
    before = await scripted.call("a", "remembered")
    for _ in range(5):
        await told(scripted, port=80)
        await told(scripted, kind="tcp", port=80)
    assert await scripted.call("a", "remembered") == before
    assert await scripted.call("a", "untold") == []


# Many at once


async def test_many_are_asked_in_one_request(scripted: Gateway) -> None:
    await running(scripted, "a")
    await running(scripted, "b")
    await scripted.drive("b", "put", {"plan": {"status": 500, "exec": {"code": 2}}})
    asked = {"run": 1, "epoch": 1, "timeout_ms": 1_000}
    answer = await scripted.post(
        "probe",
        questions=[
            {"name": "b", "port": 80, **asked},
            {"name": "nobody", "port": 80, **asked},
            {"name": "a", "port": 80, **asked},
            {"name": "a", "port": 80, **asked, "run": 7},
            {"name": "b", "kind": "command", "command": ["x"], **asked},
            {"name": "a", "port": 80, "more": SECRET, **asked},
            {"name": "a", "kind": "tcp", "port": 80, **asked},
            {"name": "../a", "port": 80, **asked},
            {"name": "a", "port": 80, **asked, "epoch": 0},
        ],
    )
    assert answer.status == 200
    bodies = [one["body"] for one in answer.body["results"]]
    keys = [*("status", "code") * 2, "code", "code", "opened", "code", "code"]
    found = [body.get(key) for body, key in zip(bodies, keys, strict=True)]
    assert found == [
        *(500, "not_found", 200, "stale_run", 2, "invalid", True),
        *("invalid", "stale_operator"),
    ]
    statuses = [one["status"] for one in answer.body["results"]]
    assert statuses == [200, 404, 200, 409, 200, 422, 200, 422, 409]
    assert SECRET not in str(answer.body)
    empty = await scripted.post("probe", questions=[])
    assert (empty.status, empty.body) == (200, {"results": []})


async def test_they_are_asked_at_the_same_time(scripted: Gateway) -> None:
    names = [f"c-{number}" for number in range(8)]
    for name in names:
        await scripted.start(name)
    for name in names:
        await scripted.news("ready", name)
        await scripted.drive(name, "put", {"plan": {"answersAfterMs": 60_000}})
    questions = [{"name": name, "port": 80, "timeout_ms": 3_000} for name in names]
    began = time.monotonic()
    answer = await scripted.post("probe", questions=questions)
    assert time.monotonic() - began < 3 * len(names)
    errors = {one["body"]["error"] for one in answer.body["results"]}
    assert errors == {"timed_out"}


# Secrets


async def test_what_a_question_holds_is_kept_and_told_nowhere(
    gateway: Gateway, scripted: Gateway, workerd: Workerd
) -> None:
    await running(gateway)
    await running(scripted, "b")
    headers = {"authorization": f"Bearer {SECRET}"}
    paths = (f"/{SECRET}", "/cgi-bin/slow?9", "/cgi-bin/env")
    answers = [
        await ask(gateway, port=8080, path=path, headers=headers, timeout_ms=300)
        for path in paths
    ]
    answers += [
        await ask(gateway, port=8081, headers=headers),
        await ask(gateway, port=8080, headers={"a": f"{SECRET}\n"}),
        await ask(gateway, port=8080, run=2, headers=headers),
        await ask(gateway, kind="command", command=["x", SECRET]),
        await ask(gateway, "nobody", port=8080, headers=headers),
    ]
    await scripted.drive("b", "put", {"odd": [f"{SAID}: {LOST}", f"odd {SAID}"]})
    answers += [await ask(scripted, "b", port=80) for _ in range(2)]
    assert [answer.status for answer in answers] == [
        *(200, 200, 200, 200, 422, 409, 409, 404),
        *(200, 200),
    ]
    answers += [await gateway.get("containers"), await gateway.get("events")]
    for answer in answers:
        told = str((answer.body, dict(answer.headers)))
        assert SECRET not in told
        assert SAID not in told
    assert SECRET not in workerd.log
    assert not keeping(workerd.folder / "storage", SECRET)
