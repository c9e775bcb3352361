"""``check_strategy``: the laws that every strategy of rollouts obeys.

Hypothesis draws services, and what befalls their rollouts; each course is held to the
laws of ``rollout_laws``. Then the strategy is given to the machine in a simulated world
that breaks and heals (``rollout_trials``). What breaks a law is shrunk, and told with
every question that the strategy was asked.

The examples are the same each time, as those of ``check_policy`` are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeAlias

import attrs
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from orchestrator.core.custom import CustomPolicies, registered
from orchestrator.core.rollout_policies import RolloutPolicy
from orchestrator.core.strategies import CustomStrategy, Step, View
from orchestrator.testing.processes import is_child
from orchestrator.testing.rollout_laws import (
    COURSE_LAWS,
    Course,
    Luck,
    course_of,
    shown,
    step_of,
)
from orchestrator.testing.rollout_trials import ENDS, HELD, REPLAYS, tried

__all__ = ("STRATEGY_LAWS", "AnyStrategy", "StrategyBroken", "check_strategy")

AnyStrategy: TypeAlias = RolloutPolicy | CustomStrategy | Callable[[View], Step]
"""What ``check_strategy`` takes: a policy, a strategy of one's own, or its function."""

STRATEGY_LAWS: Final = (*COURSE_LAWS, HELD, ENDS, REPLAYS)
"""The laws of strategies, by name: those of courses, then those of the machine."""

SHOWN_MAX: Final = 12
"""Questions that a broken law tells."""

TRIALS: Final = 10
"""One simulated rollout for so many courses."""

_lucks = st.builds(
    Luck,
    failures=st.integers(0, 3),
    down=st.integers(0, 3),
    ms=st.integers(0, 3_600_000),
)


class StrategyBroken(AssertionError):
    """A strategy breaks a law; ``law`` is its name, ``about`` what broke it."""

    def __init__(self, law: str, about: str, asked: Sequence[str]) -> None:
        """Name the law, and tell what the strategy was asked before."""
        super().__init__(law, about, asked)
        self.law = law
        self.about = about
        self.asked = tuple(asked)

    def __str__(self) -> str:
        told = "".join(f"\n    {line}" for line in self.asked)
        return f"broken: {self.law}\n{self.about}{told}"


def check_strategy(
    strategy: AnyStrategy,
    *,
    policy: RolloutPolicy | None = None,
    strategies: Iterable[CustomStrategy] = (),
    examples: int = 200,
    laws: Iterable[str] | None = None,
) -> None:
    """Hold a strategy to its laws; ``StrategyBroken``, an ``AssertionError``, if not.

    *policy* is what it is used with: its bounds, deadlines and ``params``; *strategies*
    are those that a ``RolloutPolicy`` names. *laws* are the names of those to try, all
    of ``STRATEGY_LAWS`` unless said.
    """
    if is_child():
        return
    names = tuple(STRATEGY_LAWS if laws is None else laws)
    unknown = [name for name in names if name not in STRATEGY_LAWS]
    if unknown:
        known = ", ".join(STRATEGY_LAWS)
        raise ValueError(f"there is no law {unknown[0]!r}, but {known}")
    used, own = _used(strategy, policy, tuple(strategies))
    step = step_of(own, used)

    def course(replicas: int, luck: list[Luck]) -> None:
        _hold(course_of(step, used, replicas, luck), names)

    _try(course, (st.integers(0, 40), st.lists(_lucks, max_size=12)), examples)
    if any(name not in COURSE_LAWS for name in names):
        register = registered(own)

        def trial(seed: int) -> None:
            _simulate(seed, (used, register), names)

        _try(trial, (st.integers(0, 2**32),), max(1, examples // TRIALS))


def _used(
    strategy: AnyStrategy,
    policy: RolloutPolicy | None,
    others: tuple[CustomStrategy, ...],
) -> tuple[RolloutPolicy, tuple[CustomStrategy, ...]]:
    """Return the policy that names the strategy, and all strategies that are given."""
    if isinstance(strategy, RolloutPolicy):
        return strategy, others
    if not isinstance(strategy, CustomStrategy):
        strategy = CustomStrategy(name="strategy", version=1, step=strategy)
    given_policy = RolloutPolicy() if policy is None else policy
    used = attrs.evolve(given_policy, strategy=strategy.name, version=strategy.version)
    return used, (strategy, *(one for one in others if one is not strategy))


def _hold(course: Course, names: Sequence[str]) -> None:
    for name in names:
        law = COURSE_LAWS.get(name)
        for about in () if law is None else law(course):
            asked = [f"{shown(one.view)} -> {one.answer!r}" for one in course.asked]
            raise StrategyBroken(name, about, asked[-SHOWN_MAX:])


def _simulate(
    seed: int, used: tuple[RolloutPolicy, CustomPolicies], names: Sequence[str]
) -> None:
    for law, about in tried(seed, *used).broken:
        if law in names:
            raise StrategyBroken(law, about, [f"simulated with seed {seed}"])


def _try(
    attempt: Callable[..., None],
    drawn: tuple[st.SearchStrategy[object], ...],
    examples: int,
) -> None:
    """Draw examples until one fails; raise the smallest that did."""
    tries = settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        report_multiple_bugs=False,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )(given(*drawn)(attempt))
    try:
        tries()
    except StrategyBroken as broken:
        smallest = broken
    else:
        return
    raise StrategyBroken(smallest.law, smallest.about, smallest.asked) from None
