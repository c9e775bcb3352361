"""What a spec says that contradicts itself: a sentence each, with what would happen.

Every value is right by itself when this is asked; here are the relations between
them. A *warning* tells of a setting that can do nothing, or not what it seems to; a
*note* of one that matters less often than one would think. A limit that its owner left
at its default is not advised about.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum

import attrs

from orchestrator.core.backoff import Backoff, base_wait, longest_wait
from orchestrator.core.exit_rules import (
    CODE_MAX,
    SIGNAL_MAX,
    ExitAction,
    ExitRule,
    matches,
)
from orchestrator.core.exits import (
    Exit,
    Exited,
    Lost,
    OutOfMemory,
    RolledOut,
    Signaled,
    Slept,
    StartFailed,
    Unhealthy,
)
from orchestrator.core.moments import Millis, format_duration
from orchestrator.core.platform_errors import (
    EnvVarsFailed,
    NoCapacity,
    QuotaExceeded,
    RateLimited,
    SecretMissing,
    Unauthorized,
)
from orchestrator.core.policies import (
    CrashLimit,
    OnLoop,
    OnLost,
    RestartPolicy,
    When,
)

__all__ = ("Advice", "Weight", "policy_advice", "rule_exits")


class Weight(StrEnum):
    """How much an advice matters."""

    WARNING = "warning"
    NOTE = "note"


@attrs.frozen
class Advice:
    """One sentence about a setting."""

    text: str
    weight: Weight = Weight.WARNING


def policy_advice(
    policy: RestartPolicy, *, min_restart_delay_ms: Millis = 100
) -> tuple[Advice, ...]:
    """Return what contradicts itself in a restart policy; nothing for the defaults.

    >>> policy_advice(RestartPolicy())
    ()
    >>> [advice.text for advice in policy_advice(RestartPolicy(success_codes=(0,)))]
    ['success_codes names 0, which is a success anyway']

    """
    advice = [*_rules(policy), *_success_codes(policy)]
    if policy.custom is not None:
        return tuple(advice)
    if _restarts_failures(policy):
        advice += _window(policy, min_restart_delay_ms)
        advice += (*_reset(policy), *_limits(policy), *_delays(policy.backoff))
    else:
        advice += _never(policy)
    restarts_others = policy.when is When.ALWAYS or _has(policy, ExitAction.IGNORE)
    if not restarts_others and _is_set(policy, "min_interval_ms"):
        text = (
            "min_interval_ms has no effect: it spaces restarts after clean exits under"
            " `always`, and those of a rule that ignores"
        )
        advice.append(Advice(text))
    return tuple(advice)


def _is_set(value: RestartPolicy | Backoff | CrashLimit, name: str) -> bool:
    """Say whether a field is not at its default."""
    fields: tuple[attrs.Attribute[object], ...] = attrs.fields(type(value))
    return any(
        field.name == name and getattr(value, name) != field.default for field in fields
    )


def _has(policy: RestartPolicy, action: ExitAction) -> bool:
    return any(rule.action is action for rule in policy.exit_rules)


def _restarts_failures(policy: RestartPolicy) -> bool:
    return policy.when is not When.NEVER or _has(policy, ExitAction.RESTART)


# The window, the waits and the budgets


def _least_wait(backoff: Backoff, attempt: int, floor: Millis) -> Millis:
    wait = base_wait(backoff, attempt)
    return max(floor, wait - int(wait * backoff.jitter))


def _window(policy: RestartPolicy, floor: Millis) -> Iterator[Advice]:
    """Compare the window with the shortest waits that can follow one another."""
    crash, backoff = policy.crash, policy.backoff
    firsts = range(1, max(1, len(backoff.delays_ms)) + 1)
    waits = min(
        sum(
            _least_wait(backoff, attempt, floor)
            for attempt in range(first, first + crash.allowed_crashes)
        )
        for first in firsts
    )
    if waits >= crash.window_ms:
        yield Advice(
            f"a crash loop is never seen: {crash.allowed_crashes} restarts wait"
            f" {format_duration(waits)}, longer than the window of"
            f" {format_duration(crash.window_ms)}"
        )


def _reset(policy: RestartPolicy) -> Iterator[Advice]:
    reset, longest = policy.backoff.reset_after_ms, longest_wait(policy.backoff)
    if reset < longest:
        yield Advice(
            f"reset_after {format_duration(reset)} is shorter than the longest wait of"
            f" {format_duration(longest)}: one that lives for"
            f" {format_duration(reset)} each time is restarted as if it had never"
            " failed"
        )


def _limits(policy: RestartPolicy) -> Iterator[Advice]:
    """Compare the limits: which of them are reached, by one that dies at once."""
    most, allowed = policy.max_restarts, policy.crash.allowed_crashes
    budget = policy.start_budget
    holds = policy.crash.on_loop is OnLoop.HOLD
    if most is None:
        return
    if most <= allowed and policy.crash != CrashLimit():
        told = f"after {most + 1} failures in a row (max_restarts), and {allowed} are"
        if policy.when is When.ALWAYS or _has(policy, ExitAction.IGNORE):
            yield Advice(
                f"a crash loop is seen only where runs between end well: it gives up"
                f" for good {told} allowed",
                Weight.NOTE,
            )
        else:
            yield Advice(
                f"a crash loop is never seen: it gives up for good {told} allowed"
            )
    elif most > allowed and holds:
        yield Advice(
            f"max_restarts {most} is reached by slow failures only: one that dies at"
            f" once is held as a crash loop after {allowed + 1}",
            Weight.NOTE,
        )
    if most <= budget and _is_set(policy, "start_budget"):
        yield Advice(
            f"start_budget {budget} is never spent: it gives up for good after"
            f" {most + 1} failures in a row (max_restarts)"
        )
    elif most > budget and holds:
        yield Advice(
            f"max_restarts {most} is not reached by starts that fail: they are held"
            f" as a crash loop after {budget + 1}",
            Weight.NOTE,
        )


def _delays(backoff: Backoff) -> Iterator[Advice]:
    unused = [n for n in ("initial_ms", "factor", "max_ms") if _is_set(backoff, n)]
    if backoff.delays_ms and unused:
        yield Advice(
            f"backoff {' and '.join(unused)} {_have(unused)} no effect: the delays are"
            " listed"
        )


def _never(policy: RestartPolicy) -> Iterator[Advice]:
    names = ("crash", "backoff", "max_restarts", "start_budget")
    unused = [name for name in names if _is_set(policy, name)]
    if unused:
        yield Advice(
            f"{' and '.join(unused)} {_have(unused)} no effect: `never` restarts no"
            " failure"
        )
    if policy.on_lost is OnLost.REPLACE:
        yield Advice(
            "on_lost `replace` replaces nothing: `never` gives up a container that is"
            " lost"
        )


def _have(names: list[str]) -> str:
    return "has" if len(names) == 1 else "have"


# Exit rules


def rule_exits() -> Iterator[Exit]:
    """Yield one exit for each that a rule can tell from the others."""
    yield from (Exited(code=code) for code in range(CODE_MAX + 1))
    yield from (Signaled(signal=number) for number in range(1, SIGNAL_MAX + 1))
    yield from (
        OutOfMemory(),
        StartFailed(reason=""),
        Unhealthy(check=""),
        RolledOut(),
        Slept(),
        Lost(),
        NoCapacity(),
        RateLimited(),
        QuotaExceeded(),
        Unauthorized(cause=""),
        SecretMissing(name="any", key=""),
        EnvVarsFailed(name="any", cause_type=""),
    )


def _taken(rules: Iterable[ExitRule]) -> list[set[Exit]]:
    """Return what each rule decides about, beside those before it."""
    left = set(rule_exits())
    taken: list[set[Exit]] = []
    for rule in rules:
        mine = {end for end in left if matches(rule.match, end)}
        left -= mine
        taken.append(mine)
    return taken


def _rules(policy: RestartPolicy) -> Iterator[Advice]:
    for index, mine in enumerate(_taken(policy.exit_rules)):
        action = policy.exit_rules[index].action
        if not mine:
            yield Advice(
                f"exit_rules[{index}] can never match: the rules before it take all of"
                " its exits"
            )
        elif Exited(code=0) in mine and action in (ExitAction.RESTART, ExitAction.FAIL):
            yield Advice(
                f"exit_rules[{index}] counts exit code 0, a success, as a failure"
            )
        elif Exited(code=0) in mine and action is ExitAction.IGNORE:
            yield Advice(
                f"exit_rules[{index}] restarts it after exit code 0, too, a success",
                Weight.NOTE,
            )


def _success_codes(policy: RestartPolicy) -> Iterator[Advice]:
    if 0 in policy.success_codes:
        yield Advice("success_codes names 0, which is a success anyway")
    taken = _taken(policy.exit_rules)
    for code in sorted({*policy.success_codes}):
        for index, mine in enumerate(taken):
            if Exited(code=code) in mine:
                yield Advice(
                    f"success_codes names {code} in vain: exit_rules[{index}] decides"
                    " about it"
                )
