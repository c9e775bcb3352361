"""Custom policies: what they are told, what they may answer, how they misbehave."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest

from orchestrator.core.custom import (
    NO_POLICIES,
    CustomPolicy,
    Situation,
    ask,
    registered,
)
from orchestrator.core.decisions import (
    Complete,
    CoolDown,
    Decision,
    GiveUp,
    Hold,
    Rest,
    RestartAt,
    Sleep,
)
from orchestrator.core.events import ContainerEnded
from orchestrator.core.exit_rules import Codes, ExitAction, ExitRule
from orchestrator.core.exits import (
    Exit,
    Exited,
    Lost,
    Outcome,
    OutOfMemory,
    RolledOut,
    StartFailed,
)
from orchestrator.core.fleet_specs import FleetSettings
from orchestrator.core.moments import DURATION_MAX
from orchestrator.core.phases import Rule
from orchestrator.core.policies import CustomPolicyRef, RestartPolicy, When
from orchestrator.core.reduce import fold
from orchestrator.core.requests import Stop
from orchestrator.core.table import Table

from .examples import NO_JITTER, SETTINGS, Story, spec

REF = CustomPolicyRef(name="mine", version=2, params=Table.of([("wait", 7)]))
SITUATION = Situation(
    name="web",
    exit=Exited(code=1),
    outcome=Outcome.FAILURE,
    ended_at=1_000,
    started_at=None,
    ready_at=None,
    failures=(1_000,),
    attempts=1,
    start_failures=0,
    restarts_total=0,
    wait_ms=1_000,
    policy=RestartPolicy(),
    params=Table(),
)


def mine(decide: Callable[[Situation], Any], version: int = 2) -> CustomPolicy:
    return CustomPolicy(name="mine", version=version, decide=decide)


def answers(answer: object) -> Decision:
    return ask(registered([mine(lambda _: answer)]), REF, SITUATION)


def story(
    decide: Callable[[Situation], Any],
    policy: RestartPolicy = NO_JITTER,
    settings: FleetSettings = SETTINGS,
) -> Story:
    one = spec(policy=attrs.evolve(policy, custom=REF))
    told = Story(one, settings=settings, policies=registered([mine(decide)]))
    return told.accepted().ready(at=500)


@pytest.mark.parametrize(
    "answer",
    [
        RestartAt(at=0),
        RestartAt(at=1_000 + DURATION_MAX),
        CoolDown(until=0),
        CoolDown(until=1_000 + DURATION_MAX),
        Complete(),
        GiveUp(),
        Hold(),
    ],
)
def test_an_answer_is_taken_and_is_the_programs_own(answer: Decision) -> None:
    assert answers(answer) == answer
    assert answers(answer).rule is Rule.CUSTOM_POLICY
    lying = attrs.evolve(answer, rule=Rule.CLEAN_EXIT)
    assert answers(lying) == answer


@pytest.mark.parametrize(
    "answer",
    [
        None,
        True,
        "restart",
        1_000,
        RestartAt,
        RestartAt(at=-1),
        RestartAt(at=1_000 + DURATION_MAX + 1),
        RestartAt(at=2.5),  # type: ignore[arg-type]
        RestartAt(at=True),
        RestartAt(at="soon"),  # type: ignore[arg-type]
        CoolDown(until=-1),
        CoolDown(until=1_000 + DURATION_MAX + 1),
        CoolDown(until=None),  # type: ignore[arg-type]
        Rest(rule=Rule.CUSTOM_POLICY),
        Sleep(rule=Rule.CUSTOM_POLICY),
    ],
)
def test_an_answer_that_is_no_decision_gives_up(answer: object) -> None:
    assert answers(answer) == GiveUp(rule=Rule.CUSTOM_POLICY_FAILED)


@pytest.mark.parametrize("error", [ValueError, KeyError, ZeroDivisionError])
def test_a_policy_that_raises_gives_up(error: type[Exception]) -> None:
    def decide(_: Situation) -> Decision:
        raise error

    failed = GiveUp(rule=Rule.CUSTOM_POLICY_FAILED)
    assert ask(registered([mine(decide)]), REF, SITUATION) == failed


def test_what_ends_the_program_is_not_caught() -> None:
    def decide(_: Situation) -> Decision:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ask(registered([mine(decide)]), REF, SITUATION)


def test_a_policy_that_is_not_there_gives_up() -> None:
    missing = GiveUp(rule=Rule.CUSTOM_POLICY_MISSING)
    assert ask(NO_POLICIES, REF, SITUATION) == missing
    other = registered([mine(lambda _: Hold(), version=1)])
    assert ask(other, REF, SITUATION) == missing


def test_two_versions_live_side_by_side_but_none_twice() -> None:
    one, two = mine(lambda _: Hold(), version=1), mine(lambda _: GiveUp())
    both = registered([one, two])
    assert ask(both, REF, SITUATION) == GiveUp()
    assert ask(both, attrs.evolve(REF, version=1), SITUATION) == Hold()
    with pytest.raises(ValueError, match="'mine' version 2 is given twice"):
        registered([one, two, two])


def test_a_policy_is_told_the_situation() -> None:
    told: list[Situation] = []

    def decide(situation: Situation) -> Decision:
        told.append(situation)
        return RestartAt(at=situation.ended_at + 1_000)

    one = story(decide)
    one.ended(Exited(code=3), at=900).time(1_900).accepted().ready()
    one.ended(StartFailed(reason="spoilt"), at=2_500)
    policy = attrs.evolve(NO_JITTER, custom=REF)
    assert told == [
        Situation(
            name="web",
            exit=Exited(code=3),
            outcome=Outcome.FAILURE,
            ended_at=900,
            started_at=500,
            ready_at=500,
            failures=(900,),
            attempts=1,
            start_failures=0,
            restarts_total=0,
            wait_ms=1_000,
            policy=policy,
            params=Table.of([("wait", 7)]),
        ),
        Situation(
            name="web",
            exit=StartFailed(reason="spoilt"),
            outcome=Outcome.FAILURE,
            ended_at=2_500,
            started_at=1_900,
            ready_at=1_900,
            failures=(900,),
            attempts=2,
            start_failures=1,
            restarts_total=1,
            wait_ms=2_000,
            policy=policy,
            params=Table.of([("wait", 7)]),
        ),
    ]


@pytest.mark.parametrize(
    ("answer", "phase"),
    [
        (RestartAt(at=901), "BackingOff"),
        (CoolDown(until=5_000), "CrashLooping"),
        (Hold(), "CrashLooping"),
        (Complete(), "Completed"),
        (GiveUp(), "Failed"),
    ],
)
@pytest.mark.parametrize("exit_", [Exited(code=0), Exited(code=1), OutOfMemory()])
def test_an_answer_is_carried_out(answer: Decision, phase: str, exit_: Exit) -> None:
    one = story(lambda _: answer).ended(exit_, at=900)
    assert one.phase() == phase
    assert getattr(one.container().phase, "rule", None) is Rule.CUSTOM_POLICY


@pytest.mark.parametrize("when", When)
def test_it_stands_in_place_of_when_budgets_and_backoff(when: When) -> None:
    tight = attrs.evolve(NO_JITTER, when=when, max_restarts=0, start_budget=0)
    one = story(lambda told: RestartAt(at=told.ended_at + 200), policy=tight)
    for _ in range(12):
        one.ended(Exited(code=1), at=one.fleet.at + 10)
        one.time(one.fleet.at + 200).accepted().ready()
    assert one.container().run == 13


@pytest.mark.parametrize("answer", [RestartAt(at=0), CoolDown(until=0)])
def test_it_cannot_undercut_the_fleets_least_delay(answer: Decision) -> None:
    slow = FleetSettings(min_restart_delay_ms=250)
    one = story(lambda _: answer, settings=slow).ended(Exited(code=1), at=900)
    assert getattr(one.container().phase, "until", None) == 900 + 250
    assert one.time(1_149).phase() != "Starting"
    assert one.time(1_150).phase() == "Starting"


def test_the_owners_wish_and_the_exit_rules_come_before_it() -> None:
    rules = (ExitRule(match=Codes(values=(3,)), action=ExitAction.COMPLETE),)
    policy = attrs.evolve(NO_JITTER, exit_rules=rules)
    asked: list[Exit] = []

    def decide(situation: Situation) -> Decision:
        asked.append(situation.exit)
        return Hold()

    assert story(decide, policy).ended(Exited(code=3)).phase() == "Completed"
    assert story(decide).asked(Stop(name="web")).ended(Lost()).phase() == "Stopped"
    assert story(decide).ended(RolledOut(), at=900).phase() == "BackingOff"
    assert asked == []
    story(decide).ended(Lost())
    assert asked == [Lost()]


def test_a_rule_that_restarts_leaves_how_to_the_custom_policy() -> None:
    rules = (ExitRule(match=Codes(values=(3,)), action=ExitAction.RESTART),)
    policy = attrs.evolve(NO_JITTER, exit_rules=rules)
    one = story(lambda _: Hold(), policy).ended(Exited(code=3))
    assert one.phase() == "CrashLooping"


def test_one_that_fails_is_not_asked_again() -> None:
    asked: list[int] = []

    def decide(situation: Situation) -> Decision:
        asked.append(situation.ended_at)
        raise ValueError

    one = story(decide).ended(Exited(code=1), at=900)
    assert one.phase() == "Failed"
    one.time(10**7).time(10**7, None)
    assert (one.phase(), asked) == ("Failed", [900])


@pytest.mark.parametrize(
    "fields",
    [{"name": "Not a name"}, {"version": 0}, {"version": "1"}, {"params": {}}],
)
def test_a_reference_that_names_nothing_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError)):
        attrs.evolve(REF, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("fields", [{"name": ""}, {"version": 0}, {"version": 1.0}])
def test_a_policy_that_cannot_be_named_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError)):
        attrs.evolve(mine(lambda _: Hold()), **fields)  # type: ignore[arg-type]


def test_a_fold_asks_the_same_policies_as_each_step() -> None:
    policies = registered([mine(lambda told: RestartAt(at=told.ended_at + 777))])
    one = spec(policy=attrs.evolve(NO_JITTER, custom=REF))
    told = Story(one, policies=policies).accepted().ready(at=500)
    event = ContainerEnded(at=900, name="web", run=1, exit=Lost())
    folded = fold(told.fleet, [event], policies)
    assert folded == told.happens(event).fleet
    assert told.phase() == "BackingOff"
