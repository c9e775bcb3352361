"""The list of a fleet in pages: each a look of its own, and together the whole list."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from orchestrator.codec.platform_choices import CloudflareChoice
from orchestrator.core.exits import Exited
from orchestrator.core.observations import SeenEnded, SeenRunning
from orchestrator.platforms.cloudflare.gateway import CloudflarePlatform
from tests.platforms.cloudflare.gateway.kit import TOKEN, Gateway
from tests.runtime.kit import value

PAGE = 2_000
"""What the gateway says that a page has at most."""

MANY = 4_500
"""More than two pages, and as many as a test can look at."""

EXITED_7 = {"kind": "exited", "code": 7, "raw": "it exited", "at": 1}
AT_REST = {"phase": "ended", "end": EXITED_7, "ports": {"http": 8080}}
LIVE = 40


def names(count: int, prefix: str = "web") -> list[str]:
    return [f"{prefix}-{number:05}" for number in range(count)]


async def known(gateway: Gateway, *more: str, view: Any = AT_REST) -> None:
    """Have the registry know containers that nothing has started."""
    await gateway.registry("register", more, gateway.binding, view)


async def pages(
    gateway: Gateway, limit: int, what: str = "containers", **query: Any
) -> AsyncIterator[Any]:
    """Yield page after page."""
    after: str | None = ""
    while after is not None:
        answer = await gateway.get(what, after=after, limit=limit, **query)
        assert answer.status == 200, answer
        yield answer.body
        after = answer.body["next"]


def named(page: Any, what: str = "containers") -> list[str]:
    return [view["name"] for view in page[what]]


@pytest.mark.parametrize("limit", [500, 1_999, PAGE])
async def test_pages_are_the_list_in_the_order_of_names(
    scripted: Gateway, limit: int
) -> None:
    at_rest, live = names(MANY), names(LIVE, "a.live")
    await known(scripted, *reversed(at_rest))
    await known(scripted, *live, view=None)
    whole = (await scripted.get("containers", epoch=scripted.epoch)).body
    assert "next" not in whole
    assert named(whole) == sorted([*at_rest, *live])
    found = [page async for page in pages(scripted, limit, epoch=scripted.epoch)]
    assert [name for page in found for name in named(page)] == named(whole)
    assert len(found) == -(-(MANY + LIVE) // limit)
    assert {len(page["containers"]) for page in found[:-1]} == {limit}
    for page in found:
        assert page["generation"] == whole["generation"]
        assert page["cursor"] == whole["cursor"]
        assert page["complete"] is True
        assert page["next"] in (page["containers"][-1]["name"], None)
    phases = {view["phase"] for page in found for view in page["containers"]}
    assert phases == {"ended", "admitted"}


async def test_a_page_has_a_limit_and_never_more_than_the_gateway_says(
    scripted: Gateway,
) -> None:
    await known(scripted, *names(PAGE + 1))
    about = (await scripted.ask("GET", "/more/v1/about")).body
    assert about["limits"]["page"] == PAGE

    async def size(**query: Any) -> int:
        return len(named((await scripted.get("containers", **query)).body))

    assert await size(limit=7) == 7
    assert await size(limit=0) == 1
    for most in ({"after": ""}, {"limit": "x"}, {"limit": -1}, {"limit": 99_999}):
        assert await size(**most) == PAGE, most
    assert await size() == PAGE + 1


@pytest.mark.parametrize(
    ("after", "found"),
    [
        ("", ["a", "a-b", "a.b", "ab", "b"]),
        ("a", ["a-b", "a.b", "ab", "b"]),
        ("a-", ["a-b", "a.b", "ab", "b"]),
        ("a.b", ["ab", "b"]),
        ("A", ["a", "a-b", "a.b", "ab", "b"]),
        ("%", ["a", "a-b", "a.b", "ab", "b"]),
        ("b", []),
        ("\u00e9", []),
        ("z" * 300, []),
    ],
)
async def test_a_page_goes_on_behind_a_name_whether_it_is_there_or_not(
    scripted: Gateway, after: str, found: list[str]
) -> None:
    await known(scripted, "b", "ab", "a.b", "a-b", "a")
    page = (await scripted.get("containers", after=after)).body
    assert (named(page), page["next"]) == (found, None)


async def test_what_comes_and_goes_between_two_pages_shifts_nobody(
    scripted: Gateway,
) -> None:
    await known(scripted, "b", "d", "f", "h")
    first = (await scripted.get("containers", after="", limit=2)).body
    assert (named(first), first["next"]) == (["b", "d"], "d")
    await scripted.registry("dropped", "d", 1)
    await scripted.registry("dropped", "f", 1)
    await known(scripted, "a", "e")
    second = (await scripted.get("containers", after="d", limit=2)).body
    assert (named(second), second["next"]) == (["e", "h"], None)


async def test_news_between_two_pages_come_again_after_the_first_cursor(
    scripted: Gateway,
) -> None:
    for name in ("a", "b"):
        await scripted.start(name)
        await scripted.news("ready", name)
    first = (await scripted.get("containers", after="", limit=1)).body
    assert [view["phase"] for view in first["containers"]] == ["running"]
    await scripted.drive("a", "end", {"message": "gone", "exitCode": 3})
    await scripted.news("ended", "a")
    second = (await scripted.get("containers", after="a", limit=1)).body
    assert second["cursor"] != first["cursor"]
    page = await scripted.events(first["cursor"])
    assert [(one["type"], one["name"]) for one in page["events"]] == [("ended", "a")]
    assert (await scripted.events(second["cursor"]))["events"] == []


async def test_who_does_not_answer_is_unreachable_on_its_own_page_alone(
    scripted: Gateway,
) -> None:
    for name in ("a", "b"):
        await scripted.start(name)
        await scripted.news("ready", name)
    await scripted.call("a", "break", "look", "hangs")
    phases = []
    async for page in pages(scripted, 1):
        phases += [view["phase"] for view in page["containers"]]
    assert phases == ["unreachable", "running"]
    # The second page has not waited for a: it has not asked it.
    assert await scripted.call("a", "timesCalled", "look") == 1


async def test_an_operator_that_was_replaced_gets_no_further_page(
    scripted: Gateway,
) -> None:
    await known(scripted, "a", "b")
    old = (await scripted.post("attach", after=0)).body["epoch"]
    query = {"after": "", "limit": 1, "epoch": old}
    assert (await scripted.get("containers", **query)).status == 200
    _ = await scripted.post("attach", after=0)
    for what in ("containers", "loads"):
        stale = await scripted.get(what, **{**query, "after": "a"})
        assert (stale.status, stale.code) == (409, "stale_operator")


async def test_loads_are_told_in_the_same_pages_of_those_that_live(
    scripted: Gateway,
) -> None:
    await known(scripted, "b", "c", "d", "f")
    for name in ("a", "e"):
        await scripted.start(name)
        await scripted.news("ready", name)
    found = [page async for page in pages(scripted, 2, "loads")]
    assert [named(page, "loads") for page in found] == [["a"], [], ["e"]]
    assert [page["next"] for page in found] == ["b", "d", None]
    assert {load["in_flight"] for page in found for load in page["loads"]} == {0}
    assert "next" not in (await scripted.get("loads")).body


async def test_who_is_left_alone_by_operators_is_stopped_page_by_page(
    scripted: Gateway,
) -> None:
    hour = 3_600_000
    attached = await scripted.post("attach", after=0, orphan_after_ms=hour)
    scripted.epoch = attached.body["epoch"]
    await known(scripted, *names(PAGE, "b"))
    for name in ("a", "c"):
        await scripted.start(name)
        await scripted.news("ready", name)
        ends = {"message": "gone", "exitCode": 0}
        await scripted.drive(name, "put", {"plan": {"onSignal": ends}})
    for name, other in (("a", "running"), ("c", "ended")):
        await scripted.registry("ahead", 2 * hour, "alarm")
        assert (await scripted.end_of(name))["kind"] == "orphaned"
        assert (await scripted.state("c"))["phase"] == other
        # The next page is due at once; behind the last one it waits as always.
        due = await scripted.registry("alarmIn")
        assert (due > 2.5 * hour) == (name == "c"), due


async def test_an_operator_looks_at_more_than_a_page_has(scripted: Gateway) -> None:
    at_rest = names(MANY)
    await known(scripted, *at_rest)
    await scripted.start("web-00000.live")
    await scripted.news("ready", "web-00000.live")
    url = f"{scripted.workerd.url}{scripted.prefix}"
    choice, secrets = CloudflareChoice(url=url), {"GATEWAY_TOKEN": TOKEN}
    platform = CloudflarePlatform(choice, scripted.fleet, secrets)
    _ = await value(platform.attach(0))
    seen = await value(platform.observe())
    details = await value(platform.details())
    await platform.detach()
    first, live, *others = seen.sightings
    assert [one.name for one in (first, *others)] == at_rest
    assert {one.sight for one in (first, *others)} == {SeenEnded(exit=Exited(code=7))}
    assert (live.name, type(live.sight)) == ("web-00000.live", SeenRunning)
    assert [one.name for one in details] == [one.name for one in seen.sightings]
    assert seen.complete
