"""``FleetMachine``: a fleet as a state machine of Hypothesis, ready to subclass.

Its rules are all that may happen: the owner's requests, the platform's news (also
late, repeated, stale), outcomes of commands, looks, health checks, time, another
operator. After each step all invariants of the core must hold, and the journal, folded,
must give the live fleet; at the end the whole history is held to the laws.

A subclass says what it is about, and may add rules and invariants of its own::

    class MyMachine(FleetMachine):
        policy = RestartPolicy(max_restarts=3)

    TestMine = MyMachine.TestCase
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import ClassVar, Final

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from orchestrator.core.custom import CustomPolicy
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.invariants import violations
from orchestrator.core.moments import Millis, Moment
from orchestrator.core.policies import RestartPolicy
from orchestrator.core.reduce import fold
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import Container
from orchestrator.testing.acts import Act
from orchestrator.testing.chances import (
    CHECKS,
    NEWS,
    OUTCOMES,
    REPEATS,
    WISHES,
    Move,
    played,
)
from orchestrator.testing.evidence import attach
from orchestrator.testing.laws import LAWS
from orchestrator.testing.policies import SETTINGS, policy_spec
from orchestrator.testing.scenarios import HistoryFailed, LawBroken, Scenario
from orchestrator.testing.stories import story
from orchestrator.testing.turns import restarts_operator

__all__ = ("FleetMachine",)

PICKS: Final = st.integers(0, 63)
WAITS: Final = st.sampled_from((0, -1, 0, 1_000, 60_000, 700_000))


class FleetMachine(RuleBasedStateMachine):
    """A fleet in which anything may happen; subclass it with what it is about.

    ``policy``: the restart policy of the one container ``web``; one's own as a
    ``CustomPolicy``. ``spec``: that container. ``fleet``: a whole fleet instead of
    both. ``policies``: the custom ones that specs name. ``laws``: the names of the laws
    that the history is held to at its end.
    """

    policy: ClassVar[RestartPolicy | CustomPolicy | None] = None
    spec: ClassVar[ContainerSpec | None] = None
    fleet: ClassVar[FleetSpec | None] = None
    policies: ClassVar[Sequence[CustomPolicy]] = ()
    laws: ClassVar[Sequence[str]] = tuple(LAWS)

    def __init__(self) -> None:
        """Boot the fleet."""
        super().__init__()
        self.scenario = self._begun()
        self._checked = 0
        self._folded = self.scenario.tale.steps[0].before

    def _begun(self) -> Scenario:
        if self.fleet is not None:
            return Scenario.of(self.fleet, policies=self.policies)
        policy: RestartPolicy | CustomPolicy = RestartPolicy()
        if self.policy is not None:
            policy = self.policy
        elif self.spec is not None:
            policy = self.spec.restart
        spec, policies = policy_spec(policy, self.policies, self.spec)
        fleet = FleetSpec(name="demo", settings=SETTINGS, containers=(spec,))
        return Scenario.of(fleet, policies=policies)

    # For rules and invariants of one's own

    @property
    def now(self) -> Moment:
        """Return the moment that it is."""
        return self.scenario.tale.now

    def container(self, name: str = "web") -> Container:
        """Return a container as it is now."""
        return self.scenario.container(name)

    def perform(self, *acts: Act, after: str | Millis = 0) -> None:
        """Let acts happen, after some time; what is impossible now is refused."""
        self.scenario = self.scenario.when(*acts, after=after)

    def _play(self, branch: int, pick: int, wait: Millis) -> None:
        move = Move(branch=branch, pick=pick, wait=wait)
        self.scenario = played(self.scenario, (move,))

    # What may happen

    @rule(pick=PICKS, wait=WAITS)
    def platform_tells(self, pick: int, wait: Millis) -> None:
        """Have the platform tell of the newest run: up, or how it ended."""
        self._play(NEWS, pick, wait)

    @rule(pick=PICKS, wait=WAITS)
    def platform_answers(self, pick: int, wait: Millis) -> None:
        """Have a command accepted, refused, or unanswered."""
        self._play(OUTCOMES, pick, wait)

    @rule(pick=PICKS, wait=WAITS)
    def platform_is_looked_at(self, pick: int, wait: Millis) -> None:
        """Have a look show something new, or a health check change its verdict."""
        self._play(CHECKS, pick, wait)

    @rule(pick=PICKS)
    def platform_repeats_itself(self, pick: int) -> None:
        """Tell news of a run that has ended late, or once more."""
        self._play(REPEATS, pick, 0)

    @rule(pick=PICKS, wait=WAITS)
    def owner_asks(self, pick: int, wait: Millis) -> None:
        """Have the owner make a request, which may be refused."""
        self._play(WISHES, pick, wait)

    @rule(wait=st.integers(0, 900_000))
    def time_passes(self, wait: Millis) -> None:
        """Let time pass, and what is due in it happen."""
        self.perform(after=min(wait, 60_000) if self._is_waiting() else wait)

    @rule()
    def operator_restarts(self) -> None:
        """Have another operator take over, from the journal."""
        self.perform(restarts_operator())

    def _is_waiting(self) -> bool:
        return bool(self.scenario.tale.ledger.pending)

    # What must hold

    @invariant()
    def every_step_keeps_the_invariants(self) -> None:
        """All invariants of the core hold after each step, and it replays."""
        tale = self.scenario.tale
        steps = tale.steps[self._checked :]
        for step in steps:
            for found in violations(step):
                if found.name in self.laws:
                    held = self.scenario.held_to(found.name)
                    raise LawBroken(found.name, found.about, held)
        events = (step.event for step in steps)
        self._folded = fold(self._folded, events, tale.policies)
        if self._folded != tale.fleet:
            about = "the journal, folded, is another fleet than the live one"
            raise LawBroken(_REPLAYS, about, self.scenario.held_to(_REPLAYS))
        self._checked = len(tale.steps)

    def teardown(self) -> None:
        """Hold the whole history to the laws; keep it with what has failed."""
        error = sys.exc_info()[1]
        if error is None:
            _ = self.scenario.obeys(*self.laws)
        elif isinstance(error, Exception) and not _is_of_hypothesis(error):
            attach(error, self.scenario)
            if not isinstance(error, HistoryFailed):
                told = story(self.scenario.tale)
                error.add_note(f"what happened:\n{told}\n{self.scenario}")


_REPLAYS: Final = "the journal replays to the live fleet"


def _is_of_hypothesis(error: Exception) -> bool:
    return type(error).__module__.startswith("hypothesis")
