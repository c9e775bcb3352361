"""Rules of the owner for ends: which they are about, and what they make of them."""

from __future__ import annotations

from typing import get_args

import pytest

from orchestrator.core.errors import (
    EnvVarsFailed,
    NoCapacity,
    QuotaExceeded,
    RateLimited,
    SecretMissing,
    Unauthorized,
)
from orchestrator.core.exit_rules import (
    CODE_MAX,
    SIGNAL_MAX,
    Codes,
    ExitAction,
    ExitKind,
    ExitMatch,
    ExitRule,
    Judgement,
    Kinds,
    Signals,
    judge,
    kind_of,
    matches,
)
from orchestrator.core.exits import (
    Exit,
    Exited,
    GroupEnded,
    Lost,
    Outcome,
    OutOfMemory,
    RolledOut,
    Signaled,
    Slept,
    StartFailed,
    Stopped,
    Unhealthy,
    outcome,
)

EXITS: dict[ExitKind, Exit] = {
    ExitKind.EXITED: Exited(code=3),
    ExitKind.SIGNALED: Signaled(signal=9),
    ExitKind.OUT_OF_MEMORY: OutOfMemory(),
    ExitKind.START_FAILED: StartFailed(reason="refused"),
    ExitKind.UNHEALTHY: Unhealthy(check="liveness"),
    ExitKind.ROLLED_OUT: RolledOut(),
    ExitKind.SLEPT: Slept(),
    ExitKind.LOST: Lost(),
    ExitKind.NO_CAPACITY: NoCapacity(),
    ExitKind.RATE_LIMITED: RateLimited(),
    ExitKind.QUOTA_EXCEEDED: QuotaExceeded(),
    ExitKind.UNAUTHORIZED: Unauthorized(),
    ExitKind.SECRET_MISSING: SecretMissing(name="web", key="KEY"),
    ExitKind.ENV_VARS_FAILED: EnvVarsFailed(name="web", cause_type="KeyError"),
}
OURS: list[Exit] = [Stopped(), GroupEnded(group="g", by="db", restart_at=None)]
NOT_ITS_OWN_DOING = [kind for kind in ExitKind if outcome(EXITS[kind]) == "neither"]
BY_ITSELF = [kind for kind in ExitKind if kind not in NOT_ITS_OWN_DOING]


def rule(match: ExitMatch, action: ExitAction) -> ExitRule:
    return ExitRule(match=match, action=action)


def test_every_exit_has_a_kind_but_those_that_we_bring_about() -> None:
    assert {kind_of(exit_) for exit_ in EXITS.values()} == set(ExitKind)
    assert [kind_of(exit_) for exit_ in OURS] == [None, None]
    assert len(EXITS) + len(OURS) == len(get_args(Exit))


@pytest.mark.parametrize("kind", ExitKind)
def test_a_rule_of_kinds_is_about_the_ends_that_it_names(kind: ExitKind) -> None:
    found = {
        other for other in ExitKind if matches(Kinds(values=(kind,)), EXITS[other])
    }
    assert found == {kind}
    others = Kinds(values=(kind,), negated=True)
    found = {other for other in ExitKind if matches(others, EXITS[other])}
    assert found == set(ExitKind) - {kind}


@pytest.mark.parametrize("exit_", OURS)
@pytest.mark.parametrize("negated", [True, False])
def test_no_rule_is_about_what_we_did_ourselves(exit_: Exit, negated: bool) -> None:  # noqa: FBT001
    every = Kinds(values=tuple(ExitKind), negated=negated)
    for match in (
        every,
        Kinds(values=(ExitKind.LOST,), negated=negated),
        Codes(values=(0,), negated=negated),
        Signals(values=(15,), negated=negated),
    ):
        assert not matches(match, exit_)


@pytest.mark.parametrize(
    ("match", "codes"),
    [
        (Codes(values=(3, 4)), {3, 4}),
        (Codes(values=(0,)), {0}),
        (Codes(values=(3, 4), negated=True), set(range(CODE_MAX + 1)) - {3, 4}),
    ],
)
def test_a_rule_of_codes_is_about_codes_only(match: Codes, codes: set[int]) -> None:
    found = {n for n in range(CODE_MAX + 1) if matches(match, Exited(code=n))}
    assert found == codes
    for exit_ in EXITS.values():
        assert isinstance(exit_, Exited) or not matches(match, exit_)


@pytest.mark.parametrize(
    ("match", "signals"),
    [
        (Signals(values=(9, 15)), {9, 15}),
        (Signals(values=(9,), negated=True), set(range(1, SIGNAL_MAX + 1)) - {9}),
    ],
)
def test_a_rule_of_signals_is_about_signals_only(
    match: Signals, signals: set[int]
) -> None:
    every = range(1, SIGNAL_MAX + 1)
    assert {n for n in every if matches(match, Signaled(signal=n))} == signals
    for exit_ in EXITS.values():
        assert isinstance(exit_, Signaled) or not matches(match, exit_)


@pytest.mark.parametrize("action", ExitAction)
@pytest.mark.parametrize("kind", BY_ITSELF)
def test_what_an_action_makes_of_an_end_of_its_own(
    kind: ExitKind, action: ExitAction
) -> None:
    counts_as = {
        ExitAction.RESTART: Outcome.FAILURE,
        ExitAction.COMPLETE: Outcome.CLEAN,
        ExitAction.FAIL: Outcome.FAILURE,
        ExitAction.IGNORE: Outcome.NEITHER,
    }[action]
    found = judge((rule(Kinds(values=(kind,)), action),), (), EXITS[kind])
    assert found == Judgement(outcome=counts_as, action=action)


@pytest.mark.parametrize("action", ExitAction)
@pytest.mark.parametrize("kind", NOT_ITS_OWN_DOING)
def test_what_was_not_its_own_doing_never_counts(
    kind: ExitKind, action: ExitAction
) -> None:
    found = judge((rule(Kinds(values=(kind,)), action),), (), EXITS[kind])
    assert found == Judgement(outcome=Outcome.NEITHER, action=action)


def test_the_first_rule_that_matches_decides() -> None:
    rules = (
        rule(Codes(values=(9,)), ExitAction.RESTART),
        rule(Codes(values=(3,)), ExitAction.FAIL),
        rule(Kinds(values=(ExitKind.EXITED,)), ExitAction.COMPLETE),
        rule(Codes(values=(3,)), ExitAction.IGNORE),
    )
    assert judge(rules, (), Exited(code=3)).action is ExitAction.FAIL
    assert judge(rules, (), Exited(code=4)).action is ExitAction.COMPLETE
    assert judge(rules[::-1], (), Exited(code=3)).action is ExitAction.IGNORE


@pytest.mark.parametrize("exit_", [*EXITS.values(), *OURS])
def test_without_a_rule_an_end_counts_as_it_does(exit_: Exit) -> None:
    assert judge((), (), exit_) == Judgement(outcome=outcome(exit_))
    elsewhere = (rule(Codes(values=(200,)), ExitAction.FAIL),)
    assert judge(elsewhere, (), exit_) == Judgement(outcome=outcome(exit_))


def test_a_code_that_is_listed_as_success_is_clean() -> None:
    assert judge((), (3, 4), Exited(code=4)).outcome is Outcome.CLEAN
    assert judge((), (3, 4), Exited(code=5)).outcome is Outcome.FAILURE
    assert judge((), (3, 4), Exited(code=0)).outcome is Outcome.CLEAN
    assert judge((), (9,), Signaled(signal=9)).outcome is Outcome.FAILURE


def test_a_rule_comes_before_the_codes_of_success() -> None:
    rules = (rule(Codes(values=(4,)), ExitAction.RESTART),)
    found = judge(rules, (4,), Exited(code=4))
    assert found == Judgement(outcome=Outcome.FAILURE, action=ExitAction.RESTART)
    zero = (rule(Codes(values=(0,)), ExitAction.FAIL),)
    assert judge(zero, (), Exited(code=0)).outcome is Outcome.FAILURE


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (Codes, ()),
        (Codes, (-1,)),
        (Codes, (256,)),
        (Codes, (True,)),
        (Codes, [1]),
        (Codes, ("1",)),
        (Signals, ()),
        (Signals, (0,)),
        (Signals, (65,)),
        (Kinds, ()),
        (Kinds, ("lost",)),
        (Kinds, [ExitKind.LOST]),
    ],
)
def test_a_rule_that_says_nothing_is_refused(
    kind: type[ExitMatch], values: object
) -> None:
    with pytest.raises(ValueError, match="values"):
        kind(values=values)  # type: ignore[arg-type]


def test_the_first_and_the_last_code_and_signal_may_be_named() -> None:
    assert matches(Codes(values=(0, 255)), Exited(code=255))
    assert matches(Signals(values=(1, 64)), Signaled(signal=64))
