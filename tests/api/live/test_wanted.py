"""What a reader may ask for, and how it is told what is wrong."""

from __future__ import annotations

import pytest
from multidict import CIMultiDict, MultiDict
from yarl import URL

from orchestrator.api.live.frames import Form
from orchestrator.api.live.wanted import TAGS, Wanted, wanted_of
from orchestrator.api.queries import read_query
from orchestrator.api.reading_routes import PAST
from orchestrator.core.errors import InvalidSpec
from orchestrator.core.events import Booted, ContainerEnded

EVENTS = next(route for route in PAST if route.path == "/v1/events")


def asked(query: str = "", **headers: str) -> Wanted | InvalidSpec:
    named = CIMultiDict((key.replace("_", "-"), text) for key, text in headers.items())
    read = read_query(MultiDict(URL(f"/?{query}").query), named, EVENTS)
    if isinstance(read, InvalidSpec):
        return read
    return wanted_of(read, named.get("Accept", ""))


def test_what_is_not_asked_for_is_everything_from_now_on() -> None:
    assert asked() == Wanted(form=Form.NDJSON)
    assert asked(Accept="text/event-stream") == Wanted(form=Form.SSE)


def test_a_reader_may_choose() -> None:
    query = (
        "after=7&name=web,db&name=job&type=booted,container_ended"
        "&with=containers&heartbeat_ms=1000"
    )
    assert asked(query, Accept="application/x-ndjson") == Wanted(
        form=Form.NDJSON,
        after=7,
        names=frozenset({"web", "db", "job"}),
        kinds=frozenset({Booted, ContainerEnded}),
        containers=True,
        heartbeat_ms=1_000,
    )


def test_a_reader_that_comes_again_begins_at_what_it_saw_last() -> None:
    assert asked("after=1", Last_Event_ID="9") == Wanted(form=Form.NDJSON, after=9)


@pytest.mark.parametrize(
    ("query", "headers", "place"),
    [
        ("after=-1", {}, "query.after"),
        ("after=" + "9" * 5_000, {}, "query.after"),
        ("after=٣", {}, "query.after"),
        ("after=1", {"Last_Event_ID": "x"}, "header Last-Event-ID"),
        ("type=booted,nothing", {}, "query.type"),
        ("type=booted&kind=booted", {}, "query.kind"),
        ("with=everything", {}, "query.with"),
        ("heartbeat_ms=999", {}, "query.heartbeat_ms"),
        ("heartbeat_ms=60001", {}, "query.heartbeat_ms"),
        ("heartbeat_ms=soon", {}, "query.heartbeat_ms"),
    ],
)
def test_what_makes_no_sense_is_refused(
    query: str, headers: dict[str, str], place: str
) -> None:
    refused = asked(query, **headers)
    assert isinstance(refused, InvalidSpec)
    assert refused.problems[0].place == place


def test_every_event_has_a_name_to_ask_for() -> None:
    assert {"booted", "spec_applied", "time_reached"} <= set(TAGS)


def test_those_are_alike_who_want_to_see_the_same_of_each_row() -> None:
    one = Wanted(after=7, names=frozenset({"web"}), heartbeat_ms=1_000)
    other = Wanted(after=9, names=frozenset({"web"}))
    assert one.like() == other.like()
    assert one.like() != Wanted(form=Form.NDJSON, names=frozenset({"web"})).like()
