"""What is said of a policy is what it does: schedules and advice are held to it."""

from __future__ import annotations

import attrs
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.core.advice import policy_advice, rule_exits
from orchestrator.core.backoff import Backoff, backoff_wait
from orchestrator.core.events import ContainerEnded, TimeReached
from orchestrator.core.exits import Exit, Exited, Obstacle, Signaled, StartFailed
from orchestrator.core.explain import next_start_at
from orchestrator.core.fleet_specs import FleetSettings
from orchestrator.core.health import HealthChecks
from orchestrator.core.phases import Rule, Starting, phase_name
from orchestrator.core.policies import (
    CrashLimit,
    RestartPolicy,
    always_restart_policy,
    default_restart_policy,
    judged,
    never_restart_policy,
)
from orchestrator.core.schedule import Fate, schedule
from orchestrator.core.spec_advice import spec_advice
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.terms import FixedTerms
from orchestrator.core.wake import wake_at
from orchestrator.testing import strategies as drawn
from tests.core.examples import Story

POLICIES = drawn.restart_policies().map(lambda each: attrs.evolve(each, custom=None))
SALTS = st.integers(0, 2**32 - 1)
SETTINGS = st.builds(
    FleetSettings,
    min_restart_delay_ms=st.integers(0, 5_000),
    reconcile_interval_ms=st.just(0),
)
LIVES = st.sampled_from([0, 1, 999, 60_000, 600_000, 3_600_000])
FEW = [
    end
    for end in rule_exits()
    if not (isinstance(end, Exited) and end.code > 3)
    and not (isinstance(end, Signaled) and end.signal not in {9, 15})
]
"""Ends of every kind, not all codes and signals of them."""

ENDS = st.sampled_from(FEW)


def spec_of(policy: RestartPolicy) -> ContainerSpec:
    return ContainerSpec(
        name="web", command=("run",), restart=policy, health=HealthChecks()
    )


@given(policy=POLICIES, settings=SETTINGS, end=ENDS, lives=LIVES)
def test_a_schedule_is_what_the_fleet_does(
    policy: RestartPolicy, settings: FleetSettings, end: Exit, lives: int
) -> None:
    spec = spec_of(policy)
    story = Story(spec, settings=settings)
    salt = story.container().salt
    fate = Fate(exit=end, lives_ms=lives, restarts=8)
    terms = FixedTerms(settings=settings, fences=True)
    found = schedule(spec, terms, fate, salt=salt).restarts
    for number, each in enumerate(found, 1):
        assert each.number == number
        container = story.container()
        assert isinstance(container.phase, Starting)
        if is_run(end):
            story.ready()
        due = wake_at(story.container(), fences=True)
        if is_run(end) and due is not None and due <= each.ended_at:
            story.happens(TimeReached(at=due, name="web"))
        run = container.run
        story.happens(ContainerEnded(at=each.ended_at, name="web", run=run, exit=end))
        container = story.container()
        history = container.history
        if each.start_at == each.ended_at:  # it starts within the same step
            assert isinstance(container.phase, Starting)
            continue
        assert phase_name(container.phase) == each.phase
        assert getattr(container.phase, "rule", None) == each.rule
        assert next_start_at(container) == each.start_at
        assert history.attempts == each.attempt
        if each.start_at is not None:
            story.happens(TimeReached(at=each.start_at, name="web"))


def is_run(end: Exit) -> bool:
    """Say whether a process began before it ended so."""
    return not isinstance(end, StartFailed | Obstacle)


@given(policy=POLICIES, settings=SETTINGS, salt=SALTS, end=ENDS)
def test_every_spread_wait_lies_within_its_band(
    policy: RestartPolicy, settings: FleetSettings, salt: int, end: Exit
) -> None:
    terms = FixedTerms(settings=settings)
    found = schedule(spec_of(policy), terms, Fate(exit=end, restarts=6))
    for each in found.restarts:
        if each.wait_ms is None or each.least_ms is None or each.most_ms is None:
            assert (each.wait_ms, each.least_ms, each.most_ms) == (None, None, None)
            continue
        assert each.least_ms <= each.wait_ms <= each.most_ms
        if each.rule is Rule.FAILURE_BACKOFF:
            wait = backoff_wait(policy.backoff, each.attempt, salt, 1)
            wait = max(wait, settings.min_restart_delay_ms)
            assert each.least_ms <= wait <= each.most_ms


def texts(policy: RestartPolicy) -> str:
    return " ".join(each.text for each in policy_advice(policy))


FALLING = Backoff(delays_ms=(11_734, 3), jitter=0)


@given(policy=POLICIES, salt=SALTS)
@example(
    policy=RestartPolicy(
        crash=CrashLimit(window_ms=1_719, allowed_crashes=4), backoff=FALLING
    ),
    salt=0,
)
def test_a_limit_that_is_said_never_to_be_reached_is_not(
    policy: RestartPolicy, salt: int
) -> None:
    said = texts(policy)
    rules: set[Rule] = set()
    for end in FEW:
        found = schedule(
            spec_of(policy), FixedTerms(), Fate(exit=end, restarts=15), salt=salt
        )
        rules |= {each.rule for each in found.restarts}
    if "a crash loop is never seen" in said:
        assert not rules & {Rule.CRASH_LOOP_COOLDOWN, Rule.CRASH_LOOP_HOLD}
    if "is never spent" in said:
        assert not rules & {Rule.START_LOOP_COOLDOWN, Rule.START_LOOP_HOLD}
    if "max_restarts" in said and "restarts no failure" in said:
        assert Rule.MAX_RESTARTS not in rules


@given(policy=POLICIES)
def test_a_rule_that_is_said_never_to_match_could_be_left_out(
    policy: RestartPolicy,
) -> None:
    said = texts(policy)
    for index in range(len(policy.exit_rules)):
        rules = policy.exit_rules[:index] + policy.exit_rules[index + 1 :]
        without = attrs.evolve(policy, exit_rules=rules)
        same = all(judged(policy, e) == judged(without, e) for e in rule_exits())
        if f"exit_rules[{index}] can never match" in said:
            assert same


@given(SETTINGS, st.sampled_from([0, 1, 2]))
def test_the_default_policies_are_not_warned_about(
    settings: FleetSettings, which: int
) -> None:
    policies = (
        default_restart_policy(),
        always_restart_policy(),
        never_restart_policy(),
    )
    assert list(spec_advice(spec_of(policies[which]), settings)) == []
