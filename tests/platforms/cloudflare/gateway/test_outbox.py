"""News reach the feed, each once and in order, however deaf the registry is."""

from __future__ import annotations

from tests.platforms.cloudflare.gateway.kit import Gateway, until

EXITED_3 = {"message": "Container exited with unexpected exit code: 3", "exitCode": 3}
TOLD = ["started", "ready", "ended"]


async def told_of(scripted: Gateway, name: str = "a") -> list[str]:
    events = (await scripted.events())["events"]
    return [event["type"] for event in events if event["name"] == name]


async def untold(scripted: Gateway, name: str = "a") -> list[str]:
    return [news["type"] for news in await scripted.call(name, "untold")]


async def test_news_are_kept_until_the_registry_hears_them(scripted: Gateway) -> None:
    await scripted.registry("deafen", "deaf")
    await scripted.start("a")

    async def ready() -> bool:
        return await untold(scripted) == ["started", "ready"]

    await until("two news wait", ready)
    tries = await scripted.registry("tries")
    await scripted.drive("a", "end", EXITED_3)

    async def tried() -> bool:
        return bool(await scripted.registry("tries") > tries)

    await until("it tries again", tried)
    assert await untold(scripted) == TOLD
    assert await told_of(scripted) == []
    assert (await scripted.state("a"))["end"]["code"] == 3  # asked itself, it says so
    await scripted.registry("deafen", None)

    async def delivered() -> bool:
        return await untold(scripted) == []

    await until("the news are out", delivered)  # by the alarm: nobody else has called
    assert await told_of(scripted) == TOLD


async def test_it_tries_less_and_less_often(scripted: Gateway) -> None:
    await scripted.registry("deafen", "deaf")
    await scripted.start("a")

    async def slower() -> bool:
        wait = await scripted.call("a", "alarmIn")
        # A beat sets one of a minute first, in case that it fails.
        return wait is not None and 900 < wait <= 30_000

    await until("the alarm moves away", slower)


async def test_what_was_heard_is_not_heard_twice(scripted: Gateway) -> None:
    await scripted.registry("deafen", "late")
    await scripted.start("a")
    await scripted.news("ready", "a")

    async def tried() -> bool:
        return bool(await scripted.registry("tries") >= 3)

    await until("it is told again", tried)
    assert await untold(scripted) == ["started", "ready"]
    await scripted.registry("deafen", None)
    await scripted.drive("a", "end", EXITED_3)
    await scripted.news("ended", "a")

    async def delivered() -> bool:
        return await untold(scripted) == []

    await until("the news are out", delivered)
    assert await told_of(scripted) == TOLD


async def test_the_news_of_a_new_life_are_not_taken_for_old_ones(
    scripted: Gateway,
) -> None:
    # Its object has forgotten everything, and counts its news from one again.
    for run in (1, 2):
        await scripted.start("a", run)
        await scripted.news("ready", "a", run)
        await scripted.drive("a", "end", EXITED_3)
        await scripted.news("ended", "a", run)
        before = (await scripted.call("a", "remembered"))["incarnation"]
        await scripted.order("forget", "a", run)
        await scripted.call("a", "ahead", 3_600_000, "alarm")
        assert (await scripted.call("a", "remembered"))["incarnation"] != before
    assert await told_of(scripted) == TOLD * 2


async def test_a_lost_alarm_is_noticed_by_whoever_asks(scripted: Gateway) -> None:
    await scripted.registry("deafen", "deaf")
    await scripted.start("a")

    async def ready() -> bool:
        return await untold(scripted) == ["started", "ready"]

    await until("two news wait", ready)

    async def lost() -> bool:  # while a delivery is under way it is set again
        await scripted.call("a", "loseAlarm")
        return await scripted.call("a", "alarmIn") is None

    await until("the alarm is gone", lost)
    await scripted.registry("deafen", None)
    await scripted.state("a")
    assert await scripted.call("a", "alarmIn") is not None
    await scripted.news("ready", "a")
