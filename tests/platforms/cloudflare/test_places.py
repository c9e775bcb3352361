"""Where runs are, as the REST API tells it: asked seldom, told only where sure."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.core.observations import Observation, SeenRunning, Sighting
from orchestrator.platforms.cloudflare.places import Places
from orchestrator.platforms.cloudflare.rest.joins import place_of
from tests.platforms.cloudflare.fake_gateway import FLEET
from tests.platforms.cloudflare.test_rest_values import DOWN
from tests.platforms.cloudflare.test_witness import Both, both
from tests.runtime.kit import value


async def looked(kit: Both) -> list[str]:
    seen = await value(kit.platform.observe())
    return [one.place for one in seen.sightings]


def with_places(kit: Both, every_s: float = 0.0) -> None:
    kit.platform._places = Places(kit.witness, every_s=every_s)


def puts(kit: Both, id_: str, **more: Any) -> None:
    told = {"name": f"{FLEET}/web-0", **more}
    _ = kit.rest.add_instance(kit.application, id=id_, **told)


async def test_a_look_says_where_a_run_is_and_asks_no_more_once_it_knows() -> None:
    async with both() as kit:
        with_places(kit)
        puts(kit, await kit.start())
        assert await looked(kit) == ["WEUR/fra01"]
        asked = len(kit.rest.seen)
        assert await looked(kit) == ["WEUR/fra01"]
        assert len(kit.rest.seen) == asked


async def test_what_is_not_known_is_asked_for_again_once_in_a_while() -> None:
    async with both() as kit:
        with_places(kit, every_s=3_600.0)
        id_ = await kit.start()
        assert await looked(kit) == [""]
        asked = len(kit.rest.seen)
        puts(kit, id_)
        assert await looked(kit) == [""]
        assert len(kit.rest.seen) == asked
        with_places(kit)
        assert await looked(kit) == ["WEUR/fra01"]


async def test_an_application_that_came_since_is_found() -> None:
    async with both() as kit:
        with_places(kit)
        id_ = await kit.start()
        assert await looked(kit) == [""]
        newer = kit.rest.add_web("orchestrator-demo-newer")
        _ = kit.rest.add_instance(newer, id=id_, name=f"{FLEET}/web-0")
        assert await looked(kit) == ["WEUR/fra01"]


async def test_the_place_of_an_earlier_run_is_not_told() -> None:
    async with both() as kit:
        with_places(kit)
        id_ = await kit.start()
        long_ago = "2020-01-01T00:00:00Z"
        status = {"state": "running", "updated_at": long_ago}
        puts(kit, id_, started_at=long_ago, status=status)
        assert await looked(kit) == [""]


async def test_what_has_ended_is_nowhere() -> None:
    async with both() as kit:
        with_places(kit)
        puts(kit, await kit.start())
        assert await looked(kit) == ["WEUR/fra01"]
        kit.gateway.end("web-0", {"kind": "exited", "code": 3})
        assert await looked(kit) == [""]


@pytest.mark.parametrize(
    "view",
    [
        {"name": "web-0"},
        {"name": "web-0", "run": 1, "id": "a", "phase": "running", "begun_at": "soon"},
        {"name": "web-0", "run": 1, "id": "a", "phase": "ended", "begun_at": 1},
    ],
)
async def test_a_list_that_says_nothing_asks_nobody(view: dict[str, Any]) -> None:
    one = Sighting(name="web-0", run=1, sight=SeenRunning())
    seen = Observation(began=1, complete=True, sightings=(one,))
    async with both() as kit:
        with_places(kit)
        assert await kit.platform._places.put_in(seen, [view]) == seen
        assert kit.rest.seen == []


def test_an_instance_at_rest_or_without_a_place_is_nowhere() -> None:
    assert place_of(None, not_before_ms=0) == ""
    assert place_of(DOWN, not_before_ms=0) == ""
