"""The first restarts of one that always ends alike, as the rule book gives them."""

from __future__ import annotations

from orchestrator.core.backoff import Backoff
from orchestrator.core.custom import CustomPolicy, registered
from orchestrator.core.decisions import CoolDown, GiveUp, RestartAt
from orchestrator.core.errors import NoCapacity
from orchestrator.core.exits import Exited, Slept, StartFailed
from orchestrator.core.fleet_specs import FleetSettings
from orchestrator.core.origins import Origin
from orchestrator.core.phases import Rule
from orchestrator.core.policies import (
    CrashLimit,
    CustomPolicyRef,
    OnLoop,
    RestartPolicy,
    When,
)
from orchestrator.core.schedule import Fate, Restart, Schedule, schedule
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.terms import FixedTerms

TERMS = FixedTerms()


DEFAULT = RestartPolicy()


def spec(policy: RestartPolicy = DEFAULT) -> ContainerSpec:
    return ContainerSpec(name="web", command=("run",), restart=policy)


def starts(found: Schedule) -> list[int | None]:
    return [each.start_at for each in found.restarts]


def test_one_that_dies_at_once_loops_cools_down_and_is_tried_again() -> None:
    found = schedule(spec(), TERMS, Fate(restarts=6))
    assert starts(found) == [1_000, 3_000, 7_000, 600_000, 616_000, 648_000]
    assert found.restarts[0] == Restart(
        number=1,
        began_at=0,
        ended_at=0,
        phase="backing_off",
        rule=Rule.FAILURE_BACKOFF,
        why="it failed",
        attempt=1,
        counted=1,
        wait_ms=1_000,
        least_ms=900,
        most_ms=1_100,
        start_at=1_000,
    )
    assert [each.number for each in found.loops] == [4, 5]
    assert found.stopped is None


def test_one_that_was_asked_for_is_held() -> None:
    found = schedule(spec(), TERMS, Fate(), origin=Origin.AD_HOC)
    assert starts(found) == [1_000, 3_000, 7_000, None]
    assert found.stopped is not None
    assert found.stopped.rule is Rule.CRASH_LOOP_HOLD


def test_it_gives_up_for_good() -> None:
    found = schedule(spec(RestartPolicy(max_restarts=2)), TERMS, Fate())
    assert starts(found) == [1_000, 3_000, None]
    assert found.stopped is not None
    assert (found.stopped.phase, found.stopped.attempt) == ("failed", 3)


def test_one_that_lives_long_enough_is_forgiven_each_time() -> None:
    found = schedule(spec(), TERMS, Fate(lives_ms=600_000, restarts=5))
    assert [each.wait_ms for each in found.restarts] == [1_000] * 5
    assert [each.counted for each in found.restarts] == [1] * 5


def test_starts_that_fail_are_counted_apart() -> None:
    fate = Fate(exit=StartFailed(reason="no image"), lives_ms=2_000)
    policy = RestartPolicy(start_budget=2, crash=CrashLimit(on_loop=OnLoop.HOLD))
    found = schedule(spec(policy), TERMS, fate)
    assert starts(found) == [3_000, 7_000, None]
    assert found.restarts[-1].rule is Rule.START_LOOP_HOLD
    assert found.restarts[-1].counted == 0


def test_what_is_neither_is_tried_for_ever_and_counts_nothing() -> None:
    found = schedule(spec(), TERMS, Fate(exit=NoCapacity(), restarts=9))
    waits = [each.wait_ms for each in found.restarts]
    assert waits == [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, *[60_000] * 3]
    assert {each.attempt for each in found.restarts} == {0}
    assert (found.restarts[2].least_ms, found.restarts[2].most_ms) == (3_600, 4_400)


def test_clean_ends_complete_or_are_spaced() -> None:
    clean = Fate(exit=Exited(code=0), restarts=3)
    (only,) = schedule(spec(), TERMS, clean).restarts
    assert (only.phase, only.start_at) == ("completed", None)
    policy = RestartPolicy(when=When.ALWAYS, min_interval_ms=5_000)
    found = schedule(spec(policy), TERMS, clean)
    assert starts(found) == [5_000, 10_000, 15_000]
    assert found.restarts[0].least_ms == found.restarts[0].most_ms == 5_000


def test_one_that_sleeps_rests() -> None:
    asleep = ContainerSpec(name="web", command=("run",), keep_alive=False)
    (only,) = schedule(asleep, TERMS, Fate(exit=Slept())).restarts
    assert only.phase == "asleep"


def test_one_may_be_started_at_once() -> None:
    policy = RestartPolicy(backoff=Backoff(initial_ms=0, max_ms=0))

    eager = FixedTerms(settings=FleetSettings(min_restart_delay_ms=0))
    found = schedule(spec(policy), eager, Fate(restarts=2))
    assert [(each.phase, each.wait_ms) for each in found.restarts] == [
        ("pending", 0),
        ("pending", 0),
    ]


def test_a_custom_policy_is_asked() -> None:
    own = CustomPolicy(
        name="own",
        version=1,
        decide=lambda told: (
            (RestartAt(at=told.ended_at + 7), CoolDown(until=told.ended_at + 9))[
                told.attempts - 1
            ]
            if told.attempts < 3
            else GiveUp()
        ),
    )
    policy = RestartPolicy(custom=CustomPolicyRef(name="own", version=1))

    settings = FleetSettings(min_restart_delay_ms=0)
    terms = FixedTerms(settings=settings, policies=registered([own]))
    found = schedule(spec(policy), terms, Fate())
    assert [each.phase for each in found.restarts] == [
        "backing_off",
        "crash_looping",
        "failed",
    ]
    assert starts(found) == [7, 16, None]
    assert found.restarts[0].least_ms == found.restarts[0].most_ms == 7


def test_the_waits_of_one_container_are_its_own() -> None:
    one, other = (schedule(spec(), TERMS, Fate(), salt=salt) for salt in (1, 2))
    assert starts(one) != starts(other)
    for each in (one.restarts[0], other.restarts[0]):
        assert each.wait_ms is not None
        assert 900 <= each.wait_ms <= 1_100
