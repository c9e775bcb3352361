"""Laws of reads: what is kept from one answer to the next is never seen in the next."""

from __future__ import annotations

from collections import Counter

import attrs
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.api.bodies import written
from orchestrator.api.counts import Tally
from orchestrator.api.sheets import Sheets
from orchestrator.codec.wire import tree_of
from orchestrator.core.events import Event
from orchestrator.core.phases import Running, phase_name
from orchestrator.core.reduce import step_of
from orchestrator.core.state import Fleet, empty_fleet
from orchestrator.core.steps import Step
from orchestrator.runtime.views import View
from orchestrator.testing.strategies import histories
from tests.replay.golden import POLICIES, SEEDS
from tests.runtime.travel_kit import events_of, history

LATER_MS = (0, 1, 999, 60_000, 599_999, 600_000, 86_400_000)
GOLDEN = st.sampled_from(SEEDS).map(lambda seed: tuple(events_of(history(seed, 150))))
TOLD = histories(max_size=15) | GOLDEN


def steps_of(events: tuple[Event, ...]) -> list[Step]:
    fleet = empty_fleet("golden")
    found: list[Step] = []
    for event in events:
        found.append(step_of(fleet, event, POLICIES))
        fleet = found[-1].after
    return found


@attrs.frozen(kw_only=True)
class Asking:
    """What happens, and what is asked in between: after which row, how much later."""

    events: tuple[Event, ...]
    asks: list[tuple[int, int]]


@st.composite
def askings(draw: st.DrawFn) -> Asking:
    events = draw(TOLD)
    row = st.integers(0, max(0, len(events) - 1))
    asks = st.lists(st.tuples(row, st.sampled_from(LATER_MS)), max_size=12)
    return Asking(events=events, asks=sorted(draw(asks)))


@given(askings())
def test_a_sheet_says_what_is_worked_out_anew(asking: Asking) -> None:
    steps = steps_of(asking.events)
    infos, reasons = Sheets(View.info), Sheets(View.explain)
    for row, later_ms in asking.asks if steps else ():
        fleet = steps[row].after
        view = View(seq=row + 1, at=fleet.at + later_ms, fleet=fleet)
        for name, container in fleet.containers.items():
            info, reason = view.info(name).unwrap(), view.explain(name).unwrap()
            assert infos.text(view, container) == written(tree_of(info))
            assert reasons.text(view, container) == written(tree_of(reason))


def counted(fleet: Fleet) -> tuple[Counter[str], int]:
    phases = [container.phase for container in fleet.containers.values()]
    ready = [isinstance(each, Running) and each.ready_at is not None for each in phases]
    return Counter(map(phase_name, phases)), sum(ready)


@given(TOLD)
def test_phases_are_counted_as_if_all_were_counted_anew(
    events: tuple[Event, ...],
) -> None:
    tally = Tally()
    for step in steps_of(events):
        for before, after in step.pairs():
            tally.replace(before, after)
        assert (tally.phases, tally.ready) == counted(step.after)
