"""Waiting for what does not come, and who goes first when all is taken down."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from orchestrator.core.commands import StopContainer
from orchestrator.core.dependencies import Condition
from orchestrator.core.errors import ContainerFailed, Unreachable
from orchestrator.core.phases import live_run
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.steps import Step
from orchestrator.core.table import Table
from orchestrator.runtime import downs
from tests.runtime.kit import LIMIT_MS, NEVER, Kit, error, fleet, opened, spec, value
from tests.runtime.virtual import in_virtual_time

STARTED, READY, COMPLETED = Condition.STARTED, Condition.READY, Condition.COMPLETED


def needs(**conditions: Condition) -> Table[str, Condition]:
    return Table.of(conditions.items())


CHAIN = (
    spec("dead", NEVER),
    spec("api", depends_on=needs(dead=COMPLETED)),
    spec("web", depends_on=needs(api=READY)),
)


@in_virtual_time
async def test_who_waits_for_what_has_failed_has_settled() -> None:
    async with opened(fleet(*CHAIN)) as kit:
        infos = await value(kit.operator.converge(limit_ms=LIMIT_MS, steady_ms=0))
        assert {info.name: (info.phase, info.stuck) for info in infos} == {
            "api": ("pending", True),
            "dead": ("failed", False),
            "web": ("pending", True),
        }


@pytest.mark.parametrize("goal", ["ready", "completed"])
@in_virtual_time
async def test_a_wait_for_it_is_told_why(goal: str) -> None:
    async with opened(fleet(*CHAIN)) as kit:
        for name, why in (
            ("api", "dead has failed, and stays so"),
            ("web", "api waits for dead itself"),
        ):
            waiting = kit.operator.wait(name, goal, limit_ms=LIMIT_MS)  # type: ignore[arg-type]
            failed = await error(waiting)
            assert isinstance(failed, ContainerFailed), failed
            assert (failed.name, why in failed.why) == (name, True), failed.why


@in_virtual_time
async def test_a_wait_for_the_end_of_it_is_no_wait_for_its_start() -> None:
    async with opened(fleet(*CHAIN)) as kit:
        _ = await error(kit.operator.wait("api", limit_ms=LIMIT_MS))
        ending = asyncio.ensure_future(
            value(kit.operator.wait("api", "stopped", limit_ms=LIMIT_MS))
        )
        await value(kit.operator.stop_container("api"))
        assert (await ending).phase == "stopped"


async def started(kit: Kit, *specs: ContainerSpec) -> None:
    for each in specs:
        await value(kit.operator.start_container(each))
        await value(kit.operator.wait(each.name, limit_ms=LIMIT_MS))


class Watched:
    """Takes down who was told to stop, and who of the others still lived then."""

    def __init__(self, kit: Kit) -> None:
        self.stops: dict[str, set[str]] = {}
        self.at: dict[str, int] = {}
        kit.operator._loop.watchers.append(self._see)

    def _see(self, step: Step) -> None:
        for command in step.commands:
            if isinstance(command, StopContainer):
                lives = {
                    name
                    for name, each in step.after.containers.items()
                    if live_run(each.phase) is not None and name != command.name
                }
                self.stops.setdefault(command.name, lives)
                self.at.setdefault(command.name, step.event.at)


ADDED = (
    spec("db"),
    spec("api-x", service="api", depends_on=needs(db=READY)),
    spec("api-y", service="api", depends_on=needs(db=READY)),
    spec("edge", depends_on=needs(api=STARTED)),
    spec("other"),
)


@in_virtual_time
async def test_those_that_no_file_declares_go_after_their_dependents() -> None:
    async with opened(fleet(spec("web"))) as kit:
        await started(kit, *ADDED)
        watched = Watched(kit)
        await value(kit.operator.down())
        assert watched.stops["edge"] == {"api-x", "api-y", "db", "other", "web"}
        assert not watched.stops["api-x"] & {"edge"}
        assert not watched.stops["api-y"] & {"edge"}
        assert not watched.stops["db"] & {"edge", "api-x", "api-y"}
        assert {info.phase for info in kit.operator.infos()} == {"stopped"}


@in_virtual_time
async def test_one_that_does_not_end_in_its_time_holds_nobody_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    link_ms = 400
    monkeypatch.setattr(downs, "DOWN_MARGIN_MS", link_ms)
    names = ("db", "cache", "api", "edge")
    chain = [
        spec(name, depends_on=Table.of([(needed, READY)]), stop_grace_ms=0)
        for needed, name in pairwise(names)
    ]
    async with opened(fleet()) as kit:
        await started(kit, spec("db", stop_grace_ms=0), *chain)
        kit.platform.order_error = Unreachable(cause="cut off")
        watched = Watched(kit)
        _ = await error(kit.operator.down())
        assert set(watched.stops) == set(names)
        assert watched.at["api"] - watched.at["edge"] >= link_ms
        assert watched.at["cache"] - watched.at["api"] < link_ms, "both at once"


@in_virtual_time
async def test_in_a_circle_that_a_journal_holds_all_go_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("orchestrator.core.start_specs.wrong_needs", lambda *_: None)
    async with opened(fleet()) as kit:
        for one, other in (("a", "b"), ("b", "a")):
            round_ = spec(one, depends_on=needs(**{other: STARTED}))
            await value(kit.operator.start_container(round_))
        await value(kit.operator.down())
        assert {info.phase for info in kit.operator.infos()} == {"stopped"}
