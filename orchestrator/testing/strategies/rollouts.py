"""How services are rolled out and scaled: policies, what is asked and measured."""

from __future__ import annotations

import attrs
from hypothesis import strategies as st

from orchestrator.core.autoscaling import Autoscaling, Metric
from orchestrator.core.lineages import RolloutAction
from orchestrator.core.loads import (
    LoadObserved,
    MeasuredEvent,
    RollOutcome,
    ServiceRolled,
)
from orchestrator.core.rollout_policies import (
    BUILT_IN,
    CanaryStep,
    OnFailure,
    Promotion,
    RolloutPolicy,
    Share,
)
from orchestrator.core.service_events import RolloutRequested
from orchestrator.core.table import Table
from orchestrator.testing.strategies.pools import (
    configs,
    made_once,
    moments,
    names,
    texts,
    tickets,
)

__all__ = (
    "autoscalings",
    "canary_steps",
    "measurements",
    "rollout_policies",
    "rollout_requests",
    "shares",
)

MINUTES = st.integers(0, 20).map(lambda minutes: minutes * 60_000)


@made_once
def shares(*, least: int = 0) -> st.SearchStrategy[Share]:
    """Draw so many replicas, or so many percent of them."""
    percents = st.sampled_from((10, 25, 34, 50, 100))
    return st.one_of(st.builds(Share, st.integers(least, 3)), percents.map(_percent))


def _percent(value: int) -> Share:
    return Share(value, is_percent=True)


@made_once
def canary_steps() -> st.SearchStrategy[tuple[CanaryStep, ...]]:
    """Draw the steps of a canary, each with more replicas than the one before."""
    percents = st.sets(st.sampled_from((10, 25, 50, 100)), min_size=1, max_size=3)
    numbers = st.sets(st.integers(1, 3), min_size=1, max_size=3)
    ascending = st.one_of(
        numbers.map(lambda drawn: [Share(each) for each in sorted(drawn)]),
        percents.map(lambda drawn: [_percent(each) for each in sorted(drawn)]),
    )
    return ascending.flatmap(
        lambda row: st.tuples(
            *(
                st.builds(CanaryStep, share=st.just(each), soak_ms=MINUTES)
                for each in row
            )
        )
    )


@made_once
def rollout_policies(*, custom: bool = False) -> st.SearchStrategy[RolloutPolicy]:
    """Draw how a service is rolled out; with *custom*, also by one's own strategy."""
    strategies = st.sampled_from(BUILT_IN)
    own = st.sampled_from(("batches", "gentle")) if custom else strategies
    return st.one_of(strategies, own).flatmap(_policies)


def _policies(strategy: str) -> st.SearchStrategy[RolloutPolicy]:
    may_ask = strategy in {"canary", "blue_green"}
    is_own = strategy not in BUILT_IN
    bounds = st.sampled_from((0, 1)).flatmap(
        lambda least: st.tuples(shares(least=least), shares(least=1 - least))
    )
    return bounds.flatmap(
        lambda both: _within(strategy, both, may_ask=may_ask, is_own=is_own)
    )


def _within(
    strategy: str, bounds: tuple[Share, Share], *, may_ask: bool, is_own: bool
) -> st.SearchStrategy[RolloutPolicy]:
    nothing: Table[str, None] = Table()
    return st.builds(
        RolloutPolicy,
        strategy=st.just(strategy),
        version=st.integers(1, 2) if is_own else st.just(1),
        max_unavailable=st.just(bounds[0]),
        max_surge=st.just(bounds[1]),
        steps=canary_steps() if strategy == "canary" else st.just(()),
        promote=st.sampled_from(Promotion) if may_ask else st.just(Promotion.AUTO),
        keep_old_ms=MINUTES if strategy == "blue_green" else st.just(0),
        min_ready_ms=st.sampled_from((0, 1_000, 10_000)),
        container_deadline_ms=st.sampled_from((20_000, 60_000, 300_000)),
        progress_deadline_ms=st.sampled_from((60_000, 600_000)),
        failure_budget=shares(),
        on_failure=st.sampled_from(OnFailure),
        params=configs() if is_own else st.just(nothing),
    )


@made_once
def autoscalings() -> st.SearchStrategy[Autoscaling]:
    """Draw by what a service is scaled, and between which numbers."""
    drawn = st.builds(
        Autoscaling,
        metric=st.sampled_from(Metric),
        target_milli=st.sampled_from((1, 250, 1_000, 70_000)),
        least=st.integers(0, 2),
        most=st.just(2),
        window_ms=st.sampled_from((10_000, 60_000)),
        tolerance_percent=st.sampled_from((0, 10, 100)),
        up_after_ms=st.sampled_from((0, 30_000)),
        down_after_ms=st.sampled_from((0, 300_000)),
    )
    return st.tuples(drawn, st.integers(0, 2)).map(
        lambda both: attrs.evolve(both[0], most=both[0].most + both[1])
    )


@made_once
def rollout_requests() -> st.SearchStrategy[RolloutRequested]:
    """Draw what an owner has asked of a service's rollout."""
    return st.builds(
        RolloutRequested,
        at=moments(),
        service=names() | st.just("crew"),
        action=st.sampled_from(RolloutAction),
        to=st.none() | st.integers(1, 3),
        by=texts(),
        why=texts(),
        ticket=st.none() | tickets(),
    )


@made_once
def measurements() -> st.SearchStrategy[MeasuredEvent]:
    """Draw what is measured of a service, or what the platform does to all of it."""
    service = st.just("crew") | names()
    return st.one_of(
        st.builds(
            LoadObserved,
            at=moments(),
            service=service,
            load_milli=st.sampled_from((0, 1, 999, 140_000, 10**9)),
        ),
        st.builds(
            ServiceRolled,
            at=moments(),
            service=service,
            revision=st.integers(1, 3),
            outcome=st.sampled_from(RollOutcome),
            updated=st.integers(0, 3),
            total=st.integers(0, 3),
            cause=texts(),
            id=st.sampled_from(("", "r-1", "r-2")),
            behind=st.lists(names(), max_size=2, unique=True).map(tuple),
        ),
    )
