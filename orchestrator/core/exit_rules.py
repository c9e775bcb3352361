"""Rules of the owner for how a run ended: what an exit counts as, and what follows.

A policy's rules are tried in order, and the first that matches decides; an exit that
none of them matches counts as ``core.exits.outcome`` says. Ends that we brought about
ourselves (a requested stop, a group's) are no business of a rule.

| action | counts as | what follows |
|---|---|---|
| ``restart`` | a failure | restarted within the budgets, whatever ``when`` says |
| ``complete`` | a success | done: not started again |
| ``fail`` | a failure | given up at once |
| ``ignore`` | nothing | restarted, not faster than after a clean exit |

Ends that were not the container's own doing (sleep, rollout, lack of capacity) never
count as a failure, whatever the action is.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, TypeAlias, assert_never

import attrs
from attrs.validators import instance_of, min_len

from orchestrator.core.errors import (
    EnvVarsFailed,
    NoCapacity,
    QuotaExceeded,
    RateLimited,
    SecretMissing,
    Unauthorized,
)
from orchestrator.core.exits import (
    Exit,
    Exited,
    Lost,
    Outcome,
    OutOfMemory,
    RolledOut,
    Signaled,
    Slept,
    StartFailed,
    Unhealthy,
    outcome,
)
from orchestrator.core.fields import are_all, are_numbers, holds

__all__ = (
    "CODE_MAX",
    "RULES_MAX",
    "SIGNAL_MAX",
    "Codes",
    "ExitAction",
    "ExitKind",
    "ExitMatch",
    "ExitRule",
    "Judgement",
    "Kinds",
    "Signals",
    "judge",
    "kind_of",
    "matches",
)

CODE_MAX: Final = 255
SIGNAL_MAX: Final = 64
RULES_MAX: Final = 20
"""Rules of one policy; KEP-5307 draws the line there, too."""


class ExitKind(StrEnum):
    """The kind of an end, as rules name it."""

    EXITED = "exited"
    SIGNALED = "signaled"
    OUT_OF_MEMORY = "out_of_memory"
    START_FAILED = "start_failed"
    UNHEALTHY = "unhealthy"
    ROLLED_OUT = "rolled_out"
    SLEPT = "slept"
    LOST = "lost"
    NO_CAPACITY = "no_capacity"
    RATE_LIMITED = "rate_limited"
    QUOTA_EXCEEDED = "quota_exceeded"
    UNAUTHORIZED = "unauthorized"
    SECRET_MISSING = "secret_missing"  # noqa: S105 - the name of a kind
    ENV_VARS_FAILED = "env_vars_failed"


_KINDS: Final[dict[type[Exit], ExitKind]] = {
    Exited: ExitKind.EXITED,
    Signaled: ExitKind.SIGNALED,
    OutOfMemory: ExitKind.OUT_OF_MEMORY,
    StartFailed: ExitKind.START_FAILED,
    Unhealthy: ExitKind.UNHEALTHY,
    RolledOut: ExitKind.ROLLED_OUT,
    Slept: ExitKind.SLEPT,
    Lost: ExitKind.LOST,
    NoCapacity: ExitKind.NO_CAPACITY,
    RateLimited: ExitKind.RATE_LIMITED,
    QuotaExceeded: ExitKind.QUOTA_EXCEEDED,
    Unauthorized: ExitKind.UNAUTHORIZED,
    SecretMissing: ExitKind.SECRET_MISSING,
    EnvVarsFailed: ExitKind.ENV_VARS_FAILED,
}
"""Every exit but ``Stopped`` and ``GroupEnded``, which are our own doing."""


def kind_of(exit_: Exit) -> ExitKind | None:
    """Return the kind of an exit, None where we brought it about ourselves.

    >>> from orchestrator.core.exits import Stopped
    >>> kind_of(Lost()), kind_of(Stopped())
    (<ExitKind.LOST: 'lost'>, None)

    """
    return _KINDS.get(type(exit_))


class ExitAction(StrEnum):
    """What a rule does about an exit."""

    RESTART = "restart"
    COMPLETE = "complete"
    FAIL = "fail"
    IGNORE = "ignore"


@attrs.frozen(kw_only=True)
class Codes:
    """Exits with a code that is among *values*; *negated*: with one that is not."""

    values: tuple[int, ...] = attrs.field(
        validator=[min_len(1), holds(are_numbers(0, CODE_MAX), "codes from 0 to 255")]
    )
    negated: bool = attrs.field(default=False, validator=instance_of(bool))


@attrs.frozen(kw_only=True)
class Signals:
    """Deaths by a signal that is among *values*; *negated*: by one that is not."""

    values: tuple[int, ...] = attrs.field(
        validator=[
            min_len(1),
            holds(are_numbers(1, SIGNAL_MAX), "signals from 1 to 64"),
        ]
    )
    negated: bool = attrs.field(default=False, validator=instance_of(bool))


@attrs.frozen(kw_only=True)
class Kinds:
    """Ends of a kind that is among *values*; *negated*: of one that is not."""

    values: tuple[ExitKind, ...] = attrs.field(
        validator=[min_len(1), holds(are_all(ExitKind), "kinds of exits")]
    )
    negated: bool = attrs.field(default=False, validator=instance_of(bool))


ExitMatch: TypeAlias = Codes | Signals | Kinds
"""Which exits a rule is about."""


@attrs.frozen(kw_only=True)
class ExitRule:
    """What to do about the exits that match."""

    match: ExitMatch = attrs.field(validator=instance_of(ExitMatch))
    action: ExitAction = attrs.field(validator=instance_of(ExitAction))


def matches(match: ExitMatch, exit_: Exit) -> bool:
    """Say whether a rule is about an exit.

    >>> matches(Codes(values=(3, 4)), Exited(code=4))
    True
    >>> matches(Codes(values=(0,), negated=True), Signaled(signal=9))
    False

    """
    kind = kind_of(exit_)
    match match:
        case Codes(values=values, negated=negated):
            return isinstance(exit_, Exited) and (exit_.code in values) is not negated
        case Signals(values=values, negated=negated):
            return (
                isinstance(exit_, Signaled) and (exit_.signal in values) is not negated
            )
        case Kinds(values=kinds, negated=negated):
            return kind is not None and (kind in kinds) is not negated
        case _:
            assert_never(match)


@attrs.frozen(kw_only=True)
class Judgement:
    """What an exit counts as, and the action of the rule that said so (None: none)."""

    outcome: Outcome
    action: ExitAction | None = None


_CLEAN: Final = Judgement(outcome=Outcome.CLEAN)
_FAILURE: Final = Judgement(outcome=Outcome.FAILURE)
_NEITHER: Final = Judgement(outcome=Outcome.NEITHER)
"""What no rule has a word in, made once: every end is judged."""


def judge(
    rules: tuple[ExitRule, ...], success_codes: tuple[int, ...], exit_: Exit
) -> Judgement:
    """Say what an exit counts as under the rules of a policy.

    >>> rule = ExitRule(match=Codes(values=(3,)), action=ExitAction.FAIL)
    >>> str(judge((rule,), (), Exited(code=3)).outcome)
    'failure'

    """
    by_itself = outcome(exit_)
    for rule in rules:
        if matches(rule.match, exit_):
            return Judgement(
                outcome=_counts_as(rule.action, by_itself), action=rule.action
            )
    if isinstance(exit_, Exited) and exit_.code in success_codes:
        return _CLEAN
    if by_itself is Outcome.FAILURE:
        return _FAILURE
    return _CLEAN if by_itself is Outcome.CLEAN else _NEITHER


def _counts_as(action: ExitAction, by_itself: Outcome) -> Outcome:
    if by_itself is Outcome.NEITHER:
        return by_itself
    match action:
        case ExitAction.RESTART | ExitAction.FAIL:
            return Outcome.FAILURE
        case ExitAction.COMPLETE:
            return Outcome.CLEAN
        case ExitAction.IGNORE:
            return Outcome.NEITHER
        case _:
            assert_never(action)
