"""The feed of a fleet's news: read from a cursor, waited for, acknowledged."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from tests.platforms.cloudflare.gateway.kit import Gateway, until

EXITED_3 = {"message": "Container exited with unexpected exit code: 3", "exitCode": 3}


async def told_three(scripted: Gateway, name: str = "a") -> list[Any]:
    """Let one container start, be ready and end; return its news."""
    await scripted.start(name)
    await scripted.news("ready", name)
    await scripted.drive(name, "end", EXITED_3)
    await scripted.news("ended", name)
    return [event for event in scripted.told if event.get("name") == name]


async def ack(scripted: Gateway, cursor: str) -> Any:
    return await scripted.post("events", "ack", cursor=cursor)


def kinds(page: Any) -> list[str]:
    return [event["type"] for event in page["events"]]


async def test_an_event_says_what_happened(scripted: Gateway) -> None:
    started, ready, ended = await told_three(scripted)
    keyed = {"name": "a", "run": 1}
    for event, kind in ((started, "started"), (ready, "ready")):
        assert event == {
            **keyed,
            "type": kind,
            "cursor": event["cursor"],
            "at": event["at"],
            "ports": {"http": 8080},
            "application": "scripted",
        }
    assert set(ended) == {*keyed, "type", "cursor", "at", "end", "started"}
    assert ended["end"]["at"] == ended["at"]


async def test_from_a_cursor_come_the_news_after_it(scripted: Gateway) -> None:
    news = await told_three(scripted)
    for at, event in enumerate(news):
        page = await scripted.events(event["cursor"])
        assert page["events"] == news[at + 1 :]
        assert page["cursor"] == news[-1]["cursor"]
        assert page["lost"] is False
    assert (await scripted.events())["events"] == news
    assert (await scripted.events())["lost"] is False


async def test_a_page_has_a_limit(scripted: Gateway) -> None:
    news = await told_three(scripted)
    page = await scripted.events(limit=2)
    assert (page["events"], page["cursor"]) == (news[:2], news[1]["cursor"])
    assert (await scripted.events(page["cursor"], limit=2))["events"] == news[2:]
    for odd in ("0", "-1", "x", ""):
        assert (await scripted.events(limit=odd))["events"] != []


async def test_who_waits_is_told_at_once_of_what_there_is(scripted: Gateway) -> None:
    news = await told_three(scripted)
    began = time.monotonic()
    assert (await scripted.events(wait_ms=25_000))["events"] == news
    assert time.monotonic() - began < 20


async def test_who_waits_is_told_when_something_happens(scripted: Gateway) -> None:
    news = await told_three(scripted)
    waiting = [
        asyncio.ensure_future(scripted.events(news[-1]["cursor"], wait_ms=25_000))
        for _ in range(2)
    ]

    async def both_wait() -> bool:
        return bool(await scripted.registry("listeners") == 2)

    await until("both wait", both_wait)
    began = time.monotonic()
    await scripted.start("b")
    for page in await asyncio.gather(*waiting):
        assert kinds(page)[0] == "started"
        assert page["events"][0]["name"] == "b"
    assert time.monotonic() - began < 20
    assert await scripted.registry("listeners") == 0


async def test_who_waits_for_nothing_is_told_so_in_the_end(scripted: Gateway) -> None:
    news = await told_three(scripted)
    began = time.monotonic()
    page = await scripted.events(news[-1]["cursor"], wait_ms=300)
    assert time.monotonic() - began > 0.25
    assert page == {"cursor": news[-1]["cursor"], "events": [], "lost": False}


async def test_what_is_acknowledged_is_kept_no_more(scripted: Gateway) -> None:
    news = await told_three(scripted)
    assert (await ack(scripted, news[1]["cursor"])).body == {}
    assert (await scripted.events())["events"] == news[2:]
    page = await scripted.events(news[1]["cursor"])
    assert (page["events"], page["lost"]) == (news[2:], False)
    # Who asks from before has missed something, and learns it.
    page = await scripted.events(news[0]["cursor"])
    assert (page["events"], page["lost"]) == (news[2:], True)
    assert (await ack(scripted, news[2]["cursor"])).status == 200
    assert (await scripted.events(news[1]["cursor"]))["lost"] is True
    assert (await scripted.events(news[2]["cursor"]))["lost"] is False
    assert (await ack(scripted, news[0]["cursor"])).status == 200  # late, and harmless
    more = await told_three(scripted, "b")
    page = await scripted.events(news[2]["cursor"])
    assert (page["events"], page["lost"]) == (more, False)


async def test_what_was_never_told_cannot_be_acknowledged(scripted: Gateway) -> None:
    news = await told_three(scripted)
    generation, _, seq = news[2]["cursor"].partition(":")
    await ack(scripted, f"{generation}:{int(seq) + 1_000}")
    more = await told_three(scripted, "b")
    page = await scripted.events(news[2]["cursor"])
    assert (page["events"], page["lost"]) == (more, False)


@pytest.mark.parametrize("cursor", ["other:1", "other", "x:y:z", "%", ":", "0"])
async def test_a_cursor_of_another_feed_is_told(scripted: Gateway, cursor: str) -> None:
    news = await told_three(scripted)
    page = await scripted.events(cursor)
    assert (page["events"], page["lost"]) == (news, True)
    answer = await ack(scripted, cursor)
    assert (answer.status, answer.code) == (409, "unknown_cursor")
    assert (await scripted.events())["events"] == news


async def test_so_is_one_that_is_yet_to_come(scripted: Gateway) -> None:
    news = await told_three(scripted)
    generation = news[0]["cursor"].partition(":")[0]
    for seq in ("4", "999999", "-1", "1e3", ""):
        page = await scripted.events(f"{generation}:{seq}")
        assert (page["events"], page["lost"]) == (news, True), seq


async def test_a_feed_that_nobody_reads_is_bounded_and_says_so(
    scripted: Gateway,
) -> None:
    news = await told_three(scripted)
    await scripted.registry("leap", 200_000)
    await told_three(scripted, "b")
    page = await scripted.events(news[-1]["cursor"])
    assert kinds(page) == ["leapt", "started", "ready", "ended"]
    assert page["lost"] is True
    assert kinds(await scripted.events()) == kinds(page)


async def test_a_look_says_from_where_the_feed_goes_on(scripted: Gateway) -> None:
    page = (await scripted.get("containers")).body
    assert (page["complete"], page["containers"]) == (True, [])
    assert await scripted.events(page["cursor"]) == {
        "cursor": page["cursor"],
        "events": [],
        "lost": False,
    }
    news = await told_three(scripted)
    for _ in range(2):
        page = (await scripted.get("containers")).body
        assert page["cursor"] == news[-1]["cursor"]
        assert page["cursor"].startswith(f"{page['generation']}:")
        found = await scripted.events(page["cursor"])
        assert (found["events"], found["lost"]) == ([], False)
        await ack(scripted, page["cursor"])
    more = await told_three(scripted, "b")
    found = await scripted.events(page["cursor"])
    assert (found["events"], found["lost"]) == (more, False)


async def test_fleets_are_strangers(scripted: Gateway) -> None:
    await told_three(scripted)
    scripted.fleet += "x"
    assert (await scripted.events())["events"] == []
    assert await scripted.listed() == {}
