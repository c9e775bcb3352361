"""The turns of a rollout that a whole story does not tell to the last field."""

from __future__ import annotations

import attrs

from orchestrator.core.moments import DURATION_MAX
from orchestrator.core.phases import Pending, Rule, Running, Stopped
from orchestrator.core.rollout_policies import Share
from orchestrator.core.rollout_turns import woken
from orchestrator.core.strategies import Move, Soak, read_step
from tests.core.examples import Story, spec


def test_one_that_a_rollout_has_stopped_is_wanted_again_and_says_why() -> None:
    container = Story(spec("web")).container()
    unwanted = attrs.evolve(container.desired, running=False)
    rests = attrs.evolve(container, phase=Stopped(since=1), desired=unwanted)
    again = woken(rests, 7)
    assert again == attrs.evolve(
        rests,
        desired=attrs.evolve(unwanted, running=True, why="its rollout is over", at=7),
        phase=Pending(since=7, rule=Rule.REQUESTED),
        changed_at=7,
    )
    alive = attrs.evolve(rests, phase=Running(since=1, run=1))
    assert woken(alive, 7) == attrs.evolve(alive, desired=again.desired, changed_at=7)


def test_a_step_of_a_strategy_is_read_with_all_that_it_says() -> None:
    for step in (Move(Share(3), beside=True), Move(Share(3)), Soak(DURATION_MAX)):
        assert read_step(step) == step
    assert read_step(Soak(DURATION_MAX + 1)) is None
    assert read_step("soak") is None
