"""What the gateway says, as values of the core."""

from __future__ import annotations

from typing import Any

import pytest
from returns.result import Failure

from orchestrator.core.errors import (
    NoCapacity,
    QuotaExceeded,
    RateLimited,
    Unreachable,
)
from orchestrator.core.events import (
    ContainerEnded,
    ContainerErrored,
    ContainerReady,
    ContainerStarted,
)
from orchestrator.core.exits import (
    Exit,
    Exited,
    Lost,
    OutOfMemory,
    RolledOut,
    Slept,
    StartFailed,
    Stopped,
)
from orchestrator.core.moments import MOMENT_MAX
from orchestrator.core.observations import (
    Observation,
    SeenEnded,
    SeenRunning,
    SeenUnreachable,
    Sight,
    Sighting,
)
from orchestrator.core.table import Table
from orchestrator.platforms.cloudflare.answers import (
    EventPage,
    addresses_of,
    details_read,
    event_page,
    observation_of,
)
from orchestrator.platforms.cloudflare.ends import END_KINDS, exit_of
from orchestrator.platforms.port import PlatformDetail

EVENT = {"name": "web-0", "run": 3, "at": 7, "cursor": "g:1"}
STAMPED = {"name": "web-0", "run": 3, "at": 7, "source_at": 7, "cursor": "g:1"}
PLACED = {"application": "web", "ports": {"http": 8080, "admin": 9}}
ADDRESSES = Table.of([("http", "web:demo/web-0:8080"), ("admin", "web:demo/web-0:9")])
VIEW = {"name": "web-0", "run": 3, "fingerprint": "f" * 16, **PLACED}

ENDS: dict[str, tuple[Exit, Exit]] = {
    "exited": (Exited(code=0), Exited(code=0)),
    "out_of_memory": (OutOfMemory(), OutOfMemory()),
    "signalled": (RolledOut(), RolledOut()),
    "rollout": (RolledOut(), RolledOut()),
    "slept": (Slept(), Slept()),
    "stopped": (Stopped(), Stopped()),
    "orphaned": (Stopped(), Stopped()),
    "no_capacity": (NoCapacity(), NoCapacity()),
    "quota": (QuotaExceeded(), QuotaExceeded()),
    "rate_limited": (RateLimited(), RateLimited()),
    "start_failed": (StartFailed(reason="why"), StartFailed(reason="why")),
    "no_application": (StartFailed(reason="why"), StartFailed(reason="why")),
    "lost": (Lost(), Lost()),
    "engine_lost": (StartFailed(reason="why"), Lost()),
    "unknown": (StartFailed(reason="why"), Lost()),
    "overloaded": (StartFailed(reason="why"), Lost()),
    "timed_out": (StartFailed(reason="why"), Lost()),
    "not_listening": (StartFailed(reason="why"), Lost()),
    "already_running": (StartFailed(reason="why"), Lost()),
    "not_running": (StartFailed(reason="why"), Lost()),
}
"""What each kind counts as: before the container was up, and afterwards."""


# Ends


@pytest.mark.parametrize("kind", END_KINDS)
def test_every_kind_of_end_counts_as_what_the_table_says(kind: str) -> None:
    end = {"kind": kind, "code": 0, "raw": "why"}
    before, after = ENDS[kind]
    assert exit_of(end, was_up=False) == before
    assert exit_of(end, was_up=True) == after
    for counts_as in {type(before).__name__, type(after).__name__}:
        assert counts_as in END_KINDS[kind]


def test_the_table_is_whole() -> None:
    assert ENDS.keys() == END_KINDS.keys()


@pytest.mark.parametrize(
    "code", [-1, 256, 2**70, None, True, False, "0", 0.0, [0], {"code": 0}]
)
def test_a_code_that_is_none_is_lost_and_never_zero(code: object) -> None:
    for was_up in (True, False):
        assert exit_of({"kind": "exited", "code": code}, was_up=was_up) == Lost()
        assert exit_of({"kind": "exited"}, was_up=was_up) == Lost()


@pytest.mark.parametrize("code", [0, 1, 137, 255])
def test_a_code_is_told(code: int) -> None:
    assert exit_of({"kind": "exited", "code": code}, was_up=True) == Exited(code=code)


@pytest.mark.parametrize(
    "end", [None, {}, [], "exited", 0, {"kind": 0}, {"kind": "newer", "code": 0}]
)
def test_an_end_that_is_not_understood_was_not_seen(end: object) -> None:
    assert exit_of(end, was_up=True) == Lost()
    assert exit_of(end, was_up=False) == StartFailed(reason="")


def test_a_long_reason_is_cut() -> None:
    end = {"kind": "start_failed", "raw": "x" * 9_999}
    assert exit_of(end, was_up=False) == StartFailed(reason="x" * 300)


# Events


def page(*events: Any, **more: Any) -> Any:
    return event_page("demo", {"cursor": "g:9", "events": list(events), **more})


def test_each_event_is_read() -> None:
    read = page(
        {"type": "started", **EVENT, **PLACED},
        {"type": "ready", **EVENT, **PLACED},
        {"type": "errored", **EVENT, "cause": "Network connection lost."},
        {"type": "ended", **EVENT, "end": {"kind": "exited", "code": 7}},
    )
    assert read.unwrap() == EventPage(
        cursor="g:9",
        lost=False,
        events=(
            ContainerStarted(**STAMPED),  # type: ignore[arg-type]
            ContainerReady(**STAMPED, addresses=ADDRESSES),  # type: ignore[arg-type]
            ContainerErrored(**STAMPED, cause="Network connection lost."),  # type: ignore[arg-type]
            ContainerEnded(**STAMPED, exit=Exited(code=7)),  # type: ignore[arg-type]
        ),
    )


@pytest.mark.parametrize(
    ("started", "expected"),
    [(True, Lost()), (False, StartFailed(reason="?")), (None, StartFailed(reason="?"))],
)
def test_an_end_in_doubt_counts_by_whether_it_was_up(
    started: object, expected: Exit
) -> None:
    end = {"kind": "unknown", "raw": "?"}
    read = page({"type": "ended", **EVENT, "end": end, "started": started})
    (event,) = read.unwrap().events
    assert event.exit == expected


def test_news_that_a_newer_gateway_tells_are_passed_over() -> None:
    read = page(
        {"type": "moved", **EVENT}, {"type": "of the fleet"}, {}, {"type": ["ready"]}
    )
    assert read.unwrap() == EventPage(cursor="g:9", lost=False, events=())


def test_a_page_says_whether_something_was_lost() -> None:
    assert page(lost=True).unwrap().lost
    assert not page(lost="yes").unwrap().lost


def test_a_moment_too_late_to_write_is_cut() -> None:
    read = page({"type": "started", **EVENT, "at": 10**18})
    (event,) = read.unwrap().events
    assert event.at == event.source_at == MOMENT_MAX


@pytest.mark.parametrize(
    ("tree", "place"),
    [
        ({}, "events: expected an array of objects"),
        ({"events": {}}, "events: expected an array of objects"),
        ({"events": [1]}, "events: expected an array of objects"),
        ({"events": []}, "cursor: expected a text"),
        ({"events": [], "cursor": 7}, "cursor: expected a text"),
        (
            {"events": [{"type": "ready", "name": "../x"}]},
            "name: expected the name of a container",
        ),
        (
            {"events": [{"type": "ready", "name": 3}]},
            "name: expected the name of a container",
        ),
        (
            {"events": [{"type": "ready", **EVENT, "run": True}]},
            "run: expected a number",
        ),
        ({"events": [{"type": "ready", **EVENT, "run": -1}]}, "run: expected a number"),
        ({"events": [{"type": "ready", **EVENT, "at": "7"}]}, "at: expected a number"),
        (
            {"events": [{"type": "ready", **EVENT, "cursor": None}]},
            "cursor: expected a text",
        ),
    ],
)
def test_a_page_of_another_shape_says_where(tree: Any, place: str) -> None:
    cause = f"the gateway's answer is not understood: {place}"
    assert event_page("demo", tree) == Failure(Unreachable(cause=cause))


# Looks


def seen(**view: Any) -> Observation:
    tree = {"complete": True, "containers": [{**VIEW, **view}]}
    return observation_of("demo", tree).unwrap()


UP = {"started_at": 5, "ready_at": 6}
EXITED = {"kind": "exited", "code": 0}
UNKNOWN = {"kind": "unknown", "raw": "?"}


@pytest.mark.parametrize(
    ("view", "sight"),
    [
        ({"phase": "starting"}, SeenRunning(ready=False, addresses=ADDRESSES)),
        (
            {"phase": "running", "ready_at": None},
            SeenRunning(ready=False, addresses=ADDRESSES),
        ),
        ({"phase": "running", **UP}, SeenRunning(ready=True, addresses=ADDRESSES)),
        ({"phase": "running", **UP, "ports": 3}, SeenRunning(ready=True)),
        ({"phase": "ended", **UP, "end": EXITED}, SeenEnded(exit=Exited(code=0))),
        ({"phase": "ended", **UP, "end": UNKNOWN}, SeenEnded(exit=Lost())),
        ({"phase": "ended", "end": UNKNOWN}, SeenEnded(exit=StartFailed(reason="?"))),
        ({"phase": "ended", **UP}, SeenEnded(exit=Lost())),
        ({"phase": "unreachable"}, SeenUnreachable()),
    ],
)
def test_every_phase_is_seen_as_what_it_is(view: Any, sight: Sight) -> None:
    expected = Sighting(name="web-0", run=3, sight=sight, fingerprint="f" * 16)
    assert seen(**view) == Observation(began=0, complete=True, sightings=(expected,))


@pytest.mark.parametrize("phase", ["none", "admitted", "gone", "newer", None, 7])
def test_what_never_began_is_not_seen(phase: object) -> None:
    assert seen(phase=phase).sightings == ()


def test_a_fingerprint_that_is_none_is_empty() -> None:
    (sighting,) = seen(phase="running", fingerprint=None).sightings
    assert sighting.fingerprint == ""


@pytest.mark.parametrize("complete", [None, 1, "true", False])
def test_a_look_is_complete_only_where_that_is_said(complete: object) -> None:
    tree = {"complete": complete, "containers": []}
    assert not observation_of("demo", tree).unwrap().complete


@pytest.mark.parametrize(
    "tree", [{}, {"containers": None}, {"containers": [7]}, {"containers": [{}]}]
)
def test_a_list_of_another_shape_is_no_look(tree: Any) -> None:
    for read in (observation_of("demo", tree), details_read(tree)):
        error = read.failure()
        assert isinstance(error, Unreachable)
        assert "is not understood" in error.cause


def test_addresses_need_ports() -> None:
    assert addresses_of("demo", {"name": "web-0", "application": "web"}) == Table()
    assert addresses_of("demo", VIEW) == ADDRESSES


# Details


def detail(**view: Any) -> PlatformDetail:
    (found,) = details_read({"containers": [{**VIEW, **view}]}).unwrap()
    return found


def test_a_detail_tells_in_the_platforms_own_words() -> None:
    end = {"kind": "rollout", "raw": "Runtime signalled the container"}
    assert detail(phase="ended", end=end, id="f" * 64) == PlatformDetail(
        name="web-0",
        run=3,
        state="ended",
        kind="rollout",
        raw="Runtime signalled the container",
        facts=Table.of([("id", "f" * 64), ("application", "web")]),
    )


def test_trouble_now_is_told_before_an_end() -> None:
    problem = {"kind": "engine_lost", "raw": "Network connection lost."}
    told = detail(phase="running", problem=problem, end={"kind": "exited"})
    assert (told.state, told.kind) == ("running", "engine_lost")


def test_a_container_without_trouble_has_none() -> None:
    told = detail(phase="running", problem=None, end=None)
    assert (told.kind, told.raw) == ("", "")
