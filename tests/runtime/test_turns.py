"""A batch is worked out in pieces, or in a thread: others have their turn meanwhile."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import attrs
import pytest

from orchestrator.core.errors import ContainerError
from orchestrator.core.events import FleetObserved, StopRequested, TimeReached
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.observations import Observation
from orchestrator.core.reduce import step_of
from orchestrator.core.requests import Apply, Reconcile, Request, Scale
from orchestrator.core.services import Service
from orchestrator.core.state import Fleet
from orchestrator.core.steps import Step
from orchestrator.core.table import Table
from orchestrator.runtime.outcomes import settled
from orchestrator.runtime.steps import Ask, Asked, Batch, Happened, Item, looked
from orchestrator.runtime.turns import LONG, PIECE, is_long, watched, worked_out
from orchestrator.runtime.watch import Watch
from tests.benchmarks.reconcile import look_at, settled_fleet

from .kit import fleet, opened, spec, value

SMALL = settled_fleet(2)
LARGE = settled_fleet(LONG + 1)


def ask(request: Request) -> Ask:
    answer: asyncio.Future[Asked | ContainerError] = (
        asyncio.get_running_loop().create_future()
    )
    return Ask(request=request, answer=answer)


def apply_of(count: int) -> Apply:
    containers = tuple(spec(f"c-{number:06}") for number in range(count))
    return Apply(spec=FleetSpec(name="bench", containers=containers))


class Other:
    """Whoever else wants the loop: counts its turns."""

    def __init__(self) -> None:
        self.turns = 0
        self.task = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        while True:
            self.turns += 1
            await asyncio.sleep(0)


async def test_what_concerns_many_is_long() -> None:
    seen = look_at(LARGE, 10)
    assert is_long(looked(seen, 10), LARGE)
    assert is_long(looked(seen, 10), SMALL)
    assert is_long(looked(Observation(began=1, complete=True), 10), LARGE)
    assert not is_long(looked(look_at(SMALL, 10), 10), SMALL)
    assert is_long(ask(apply_of(LONG + 1)), SMALL)
    assert is_long(ask(apply_of(0)), LARGE)
    assert not is_long(ask(apply_of(1)), SMALL)
    assert not is_long(ask(Reconcile()), LARGE)
    assert not is_long(Happened(event=TimeReached(at=1)), LARGE)


async def test_a_scale_by_many_is_long() -> None:
    web = Service(template=spec("web"), replicas=2)
    whole = attrs.evolve(LARGE, services=Table.of([("web", web)]))
    assert is_long(ask(Scale(service="web", replicas=LONG + 3)), whole)
    assert not is_long(ask(Scale(service="web", replicas=LONG + 2)), whole)
    assert not is_long(ask(Scale(service="api", replicas=LONG + 3)), whole)
    wrong: Any = "many"  # it is refused, and nobody has counted with it
    assert not is_long(ask(Scale(service="web", replicas=wrong)), whole)
    fewer = attrs.evolve(web, replicas=LONG + 3, declared=LONG + 3)
    whole = attrs.evolve(LARGE, services=Table.of([("web", fewer)]))
    assert is_long(ask(Scale(service="web", replicas=2)), whole)


async def test_a_long_item_is_worked_out_in_a_thread_and_others_go_on() -> None:
    seen = looked(look_at(LARGE, 10), 10)
    other, batch = Other(), Batch(fleet=LARGE)
    drafts = await worked_out(batch, [seen], 11)
    other.task.cancel()
    assert other.turns > 0
    assert (drafts, len(batch.passed_over)) == ((), 1)  # a look that finds nothing


async def test_between_the_pieces_of_a_batch_others_have_their_turn() -> None:
    items: list[Item] = [ask(Reconcile()) for _ in range(3 * PIECE)]
    other, batch = Other(), Batch(fleet=SMALL)
    drafts = await worked_out(batch, items, 11)
    assert other.turns == 2
    assert len(drafts) == len(batch.steps) == 3 * PIECE
    await watched(Watch(), batch)
    other.task.cancel()
    assert other.turns == 4


@pytest.mark.parametrize("size", [1, PIECE, PIECE + 1])
async def test_a_batch_comes_to_the_same_in_pieces_as_in_one(size: int) -> None:
    items: list[Item] = [ask(Reconcile(why=str(number))) for number in range(size)]
    one, pieces = Batch(fleet=SMALL, seq=7), Batch(fleet=SMALL, seq=7)
    drafts = one.take_all(items, 11)
    assert await worked_out(pieces, items, 11) == drafts
    assert pieces.steps == one.steps
    assert [answer for _, answer in pieces.answers] == [a for _, a in one.answers]


class Threads(Watch):
    """Notes in which threads it looks at steps."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def see(self, step: Step) -> None:
        self.names.add(threading.current_thread().name)
        super().see(step)


def touching(whole: Fleet) -> Batch:
    """Return a batch whose one step has touched all of a fleet."""
    step = step_of(whole, TimeReached(at=whole.at))
    return Batch(
        fleet=whole, steps=[attrs.evolve(step, touched=tuple(whole.containers))]
    )


async def test_a_step_that_touched_many_is_watched_in_a_thread() -> None:
    few, many = Threads(), Threads()
    await watched(few, touching(SMALL))
    await watched(many, touching(LARGE))
    here = threading.current_thread().name
    assert few.names == {here}
    assert len(many.names) == 1
    assert here not in many.names
    assert few.violations == many.violations == 0


async def test_what_comes_while_a_look_is_worked_out_is_behind_it() -> None:
    """The look waits for its turn in a thread, and nothing overtakes it."""
    many = tuple(spec(f"c-{number:04}") for number in range(LONG + 1))
    stops: list[asyncio.Task[object]] = []
    async with opened(fleet(*many, max_concurrent_starts=1)) as kit:
        operator, loop = kit.operator, asyncio.get_running_loop()

        def shown(seen: Observation) -> Observation:
            stop = settled(operator.stop_container("c-0000"))
            loop.call_soon(lambda: stops.append(loop.create_task(stop)))
            return seen

        begin = operator.seq
        kit.platform.look_as = shown
        report = await value(operator.reconcile())
        kit.platform.look_as = None
        _ = await stops[0]
        rows = await value(operator.events(begin))
    kinds = [type(row.event) for row in rows]
    assert kinds.index(FleetObserved) < kinds.index(StopRequested)
    assert [each.name for each in report.outcomes] == [each.name for each in many]
