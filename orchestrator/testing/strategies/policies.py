"""Restart policies with all their fields: backoffs, limits, rules, custom ones."""

from __future__ import annotations

from typing import TypeVar

from hypothesis import strategies as st

from orchestrator.core.backoff import Backoff
from orchestrator.core.exit_rules import (
    Codes,
    ExitAction,
    ExitKind,
    ExitMatch,
    ExitRule,
    Kinds,
    Signals,
)
from orchestrator.core.policies import (
    CrashLimit,
    CustomPolicyRef,
    OnLoop,
    OnLost,
    RestartPolicy,
    When,
)
from orchestrator.testing.strategies.pools import configs, made_once

__all__ = (
    "backoffs",
    "crash_limits",
    "custom_policy_refs",
    "exit_matches",
    "exit_rules",
    "restart_policies",
)

V = TypeVar("V")


@made_once
def backoffs() -> st.SearchStrategy[Backoff]:
    """Draw how long to wait: a growing wait, or a list."""
    return st.builds(
        Backoff,
        initial_ms=st.integers(0, 10_000),
        factor=st.sampled_from((1.0, 1.5, 2.0, 10.0)),
        max_ms=st.integers(10_000, 600_000),
        jitter=st.sampled_from((0.0, 0.1, 1.0)),
        reset_after_ms=st.integers(1, 900_000),
        delays_ms=st.just(())
        | st.lists(st.integers(0, 120_000), min_size=1, max_size=3).map(tuple),
    )


@made_once
def crash_limits() -> st.SearchStrategy[CrashLimit]:
    """Draw what is a crash loop, and what it leads to."""
    return st.builds(
        CrashLimit,
        window_ms=st.integers(1, 900_000),
        allowed_crashes=st.integers(0, 5),
        on_loop=st.none() | st.sampled_from(OnLoop),
    )


@made_once
def exit_matches() -> st.SearchStrategy[ExitMatch]:
    """Draw which exits a rule is about; the values are those that ``exits`` draws."""
    return st.one_of(
        st.builds(
            Codes, values=_some(st.sampled_from((0, 1, 7, 255))), negated=st.booleans()
        ),
        st.builds(
            Signals, values=_some(st.sampled_from((9, 11, 15))), negated=st.booleans()
        ),
        st.builds(
            Kinds, values=_some(st.sampled_from(ExitKind)), negated=st.booleans()
        ),
    )


def _some(values: st.SearchStrategy[V]) -> st.SearchStrategy[tuple[V, ...]]:
    return st.lists(values, min_size=1, max_size=3).map(tuple)


@made_once
def exit_rules() -> st.SearchStrategy[ExitRule]:
    """Draw what to do about some exits."""
    return st.builds(ExitRule, match=exit_matches(), action=st.sampled_from(ExitAction))


@made_once
def custom_policy_refs() -> st.SearchStrategy[CustomPolicyRef]:
    """Draw the name and version of a policy that a program may have registered."""
    return st.builds(
        CustomPolicyRef,
        name=st.sampled_from(("steps", "gentle")),
        version=st.integers(1, 2),
        params=configs(),
    )


@made_once
def restart_policies(*, custom: bool = False) -> st.SearchStrategy[RestartPolicy]:
    """Draw a restart policy; with *custom*, some name a policy of the program."""
    return st.builds(
        RestartPolicy,
        when=st.sampled_from(When),
        crash=crash_limits(),
        backoff=backoffs(),
        min_interval_ms=st.integers(0, 5_000),
        lost_after_ms=st.integers(1, 120_000),
        on_lost=st.none() | st.sampled_from(OnLost),
        max_restarts=st.none() | st.integers(0, 4),
        start_budget=st.integers(0, 5),
        success_codes=st.lists(st.sampled_from((1, 7, 143)), max_size=2).map(tuple),
        exit_rules=st.lists(exit_rules(), max_size=3).map(tuple),
        custom=st.none() | custom_policy_refs() if custom else st.none(),
    )
