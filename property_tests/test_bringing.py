"""Laws of rollouts by Cloudflare: begun once, believed when it is seen, and over."""

from __future__ import annotations

import asyncio
from enum import StrEnum

import attrs
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator import settled
from orchestrator.core.errors import PlatformError
from orchestrator.core.loads import RollOutcome
from orchestrator.platforms.cloudflare.rest.bringing import Goal
from orchestrator.platforms.cloudflare.rest.client import RestClient
from orchestrator.platforms.port import RollSight
from tests.platforms.cloudflare.fake_rest import (
    NEWER,
    Drop,
    FakeRest,
    Fault,
    Status,
    Truncate,
    served,
)

THIRD = f"{NEWER[:-1]}3"
FAULTS: st.SearchStrategy[Fault] = st.sampled_from(
    [
        None,
        Drop(),
        Drop(after=True),
        Truncate(),
        Status(500),
        Status(503),
        Status(429, headers=(("Retry-After", "60"),)),
    ]
)


class Deed(StrEnum):
    """What happens between two looks."""

    STEP = "step"
    STUCK = "stuck"
    FREED = "freed"
    FORGOTTEN = "forgotten"
    TAKEN_BACK = "taken_back"
    REPLACED = "replaced"
    OLD_STAYS = "old_stays"
    OLD_GOES = "old_goes"
    STARTS_ONE = "starts_one"


QUIET = (Deed.STEP, Deed.FORGOTTEN, Deed.STUCK, Deed.FREED)
PLANS = st.lists(
    st.tuples(st.sampled_from(Deed), st.lists(FAULTS, max_size=4)), max_size=8
)
QUIET_PLANS = st.lists(
    st.tuples(st.sampled_from(QUIET), st.lists(FAULTS, max_size=4)), max_size=8
)


@attrs.define
class World:
    """An account with one application, and what its owner remembers."""

    fake: FakeRest
    one: str
    known: str = ""

    def happens(self, deed: Deed) -> None:
        here = self.fake.instances.setdefault(self.one, [])
        active = self.fake.applications[self.one].get("active_rollout_id")
        match deed:
            case Deed.STEP:
                self.fake.clock.now += self.fake.step_ms
            case Deed.STUCK:
                self.fake.stuck_after = 1
            case Deed.FREED:
                self.fake.stuck_after = None
            case Deed.FORGOTTEN:
                self.known = ""
            case Deed.TAKEN_BACK:
                if active is not None:
                    self.fake.take_back(self.one)
            case Deed.REPLACED:
                self._replace()
            case Deed.OLD_STAYS:
                self.fake.keeps_old |= {each["id"] for each in here[:1]}
            case Deed.OLD_GOES:
                self._let_go()
            case Deed.STARTS_ONE:
                self.fake.add_instance(self.one)  # of the old image

    def _replace(self) -> None:
        other = {
            "description": "somebody else's",
            "kind": "full_auto",
            "strategy": "rolling",
            "step_percentage": 100,
            "target_configuration": {"image": THIRD},
        }
        self.fake._roll_out(self.one, other)

    def _let_go(self) -> None:
        """Have those replaced that went on with an old image, as a restart does."""
        self.fake.keeps_old.clear()
        self.fake.stuck_after = None
        if "active_rollout_id" not in self.fake.applications[self.one]:
            image = self.fake.applications[self.one]["configuration"]["image"]
            for each in self.fake.instances.get(self.one, []):
                each["image"] = image

    async def looks(self, client: RestClient) -> RollSight | PlatformError:
        goal = Goal(
            application="web",
            image=NEWER,
            size=None,
            description="newer",
            percent=50,
            known=self.known,
        )
        seen = await settled(client.bring(goal, nobody_minds))
        if isinstance(seen, RollSight):
            self.known = seen.id or self.known
            self._check(seen)
        return seen

    def _check(self, seen: RollSight) -> None:
        """Hold what is said against what there is."""
        here = self.fake.instances.get(self.one, [])
        assert 0 <= seen.updated <= seen.total == len(here)
        if seen.outcome is RollOutcome.DONE:
            assert {each["image"] for each in here} <= {NEWER}
            assert seen.updated == seen.total
            assert "active_rollout_id" not in self.fake.applications[self.one]


async def nobody_minds() -> None:
    """Let everything begin."""


def world(instances: int) -> World:
    fake = FakeRest()
    one = fake.add_web()
    for _ in range(instances):
        fake.add_instance(one)
    return World(fake=fake, one=one)


@given(st.integers(0, 3), PLANS)
@example(1, [(Deed.STEP, []), (Deed.TAKEN_BACK, [])])
@example(1, [(Deed.STEP, []), (Deed.OLD_STAYS, []), (Deed.STEP, []), (Deed.STEP, [])])
def test_done_is_said_only_where_every_instance_shows_it_and_it_comes_to_an_end(
    instances: int, plan: list[tuple[Deed, list[Fault]]]
) -> None:
    it = world(instances)

    async def lived() -> None:
        async with served(it.fake) as client:
            for deed, faults in plan:
                it.fake.faults.extend(faults)
                seen = await it.looks(client)
                if isinstance(seen, RollSight) and _is_over(seen):
                    return
                it.happens(deed)
            it.fake.faults.clear()
            for _ in range(12):
                it.fake.clock.now += 60_000
                it.happens(Deed.OLD_GOES)
                seen = await it.looks(client)
                if isinstance(seen, RollSight) and _is_over(seen):
                    return
            raise AssertionError

    asyncio.run(lived())


@given(st.integers(0, 3), QUIET_PLANS)
def test_one_rollout_is_begun_however_often_it_is_asked_for_and_forgotten(
    instances: int, plan: list[tuple[Deed, list[Fault]]]
) -> None:
    it = world(instances)

    async def lived() -> RollSight | PlatformError:
        async with served(it.fake) as client:
            for deed, faults in plan:
                it.fake.faults.extend(faults)
                _ = await it.looks(client)
                it.happens(deed)
            it.fake.faults.clear()
            it.fake.stuck_after = None
            for _ in range(3):
                it.fake.clock.now += 120_000
                _ = await it.looks(client)
            return await it.looks(client)

    seen = asyncio.run(lived())
    assert isinstance(seen, RollSight)
    assert seen.outcome is RollOutcome.DONE
    assert it.fake.writes == [f"rollout {it.one}"]


def _is_over(seen: RollSight) -> bool:
    return seen.outcome is not RollOutcome.PROGRESSING


def test_an_image_that_is_there_is_done_at_once() -> None:
    it = world(0)
    it.fake.applications[it.one]["configuration"] = {"image": NEWER}

    async def looked() -> RollSight | PlatformError:
        async with served(it.fake) as client:
            return await it.looks(client)

    assert asyncio.run(looked()) == RollSight(outcome=RollOutcome.DONE)
    assert it.fake.writes == []
