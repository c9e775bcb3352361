"""What is looked up by the class of a value knows every class there is."""

from __future__ import annotations

from typing import get_args

from orchestrator.core import advance, stands, turns
from orchestrator.core.events import ContainerEvent, Event, TimeReached
from orchestrator.core.phases import CrashLooping, Pending, Phase, Running


def test_every_event_moves_the_fleet_and_nothing_else_does() -> None:
    assert set(turns.TURNS) == set(get_args(Event))


def test_every_event_of_a_container_moves_one_and_nothing_else_does() -> None:
    assert set(advance.MOVES) == {*get_args(ContainerEvent), TimeReached}


def test_every_phase_stands_somewhere_among_the_indexes() -> None:
    assert set(stands.STANDS) == set(get_args(Phase))
    asked = {kind for kind, stand in stands.STANDS.items() if stand is None}
    assert asked == {Running, Pending, CrashLooping}
