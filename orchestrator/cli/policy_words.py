"""A restart policy and health checks in words, a sentence each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, assert_never

from orchestrator.codec.fleet_policies import SIGNALS
from orchestrator.core.backoff import Backoff, base_wait, longest_wait
from orchestrator.core.exit_rules import (
    Codes,
    ExitAction,
    ExitMatch,
    ExitRule,
    Kinds,
    Signals,
)
from orchestrator.core.exits import Exited, Outcome
from orchestrator.core.groups import GroupStrategy
from orchestrator.core.health import (
    OK_STATUSES,
    CheckKind,
    CommandProbe,
    HealthCheck,
    HttpProbe,
    Probe,
    TcpProbe,
)
from orchestrator.core.moments import Millis, format_duration
from orchestrator.core.origins import Origin
from orchestrator.core.policies import OnLoop, OnLost, RestartPolicy, When, judged
from orchestrator.core.schedule import Schedule
from orchestrator.core.spec_advice import notices_within
from orchestrator.core.specs import ContainerSpec

__all__ = ("check_words", "group_words", "policy_words", "rule_words", "stop_words")

_NAMES: Final = {number: name for name, number in SIGNALS.items()}

_ACTIONS: Final = {
    ExitAction.RESTART: "a failure, restarted whatever `when` says",
    ExitAction.COMPLETE: "a success, and done",
    ExitAction.FAIL: "a failure, given up at once",
    ExitAction.IGNORE: "counts as nothing, and restarted",
}


def policy_words(policy: RestartPolicy, origin: Origin) -> Iterator[str]:
    """Yield what a policy says, in the order in which it decides."""
    if policy.custom is not None:
        ref = policy.custom
        yield (
            f"after its exit rules the policy {ref.name!r} version {ref.version} of"
            " the program decides; the rest is what it is told"
        )
    yield _when(policy)
    if policy.when is not When.NEVER or ExitAction.RESTART in _actions(policy):
        yield _waits(policy.backoff)
        yield (
            f"up and ready for {_d(policy.backoff.reset_after_ms)}: its failures are"
            " forgiven, and the waits begin anew"
        )
        yield from _limits(policy, origin)
    yield _lost(policy)


def _actions(policy: RestartPolicy) -> set[ExitAction]:
    return {rule.action for rule in policy.exit_rules}


def _when(policy: RestartPolicy) -> str:
    codes = sorted({0, *policy.success_codes})
    clean = [
        str(code)
        for code in codes
        if judged(policy, Exited(code=code)).outcome is Outcome.CLEAN
    ]
    after = f"exit {_or(clean)}" if clean else "no exit code at all"
    match policy.when:
        case When.ALWAYS:
            return (
                f"restarted after failures and after a clean end ({after}), then"
                f" {_d(policy.min_interval_ms)} after the last start at the earliest"
            )
        case When.ON_FAILURE:
            return f"restarted after failures; a clean end ({after}) completes it"
        case When.NEVER:
            return f"a failure is final; a clean end ({after}) completes it"
        case _:
            assert_never(policy.when)


def _waits(backoff: Backoff) -> str:
    spread = f", spread by {backoff.jitter:.0%}" if backoff.jitter else ""
    if backoff.delays_ms:
        *before, last = [_d(delay) for delay in backoff.delays_ms]
        listed = ", ".join([*before, f"then {last} each time"])
        return f"waits {listed.removeprefix('then ')}{spread}"
    longest = longest_wait(backoff)
    waits = [base_wait(backoff, attempt) for attempt in (1, 2, 3)]
    if waits[0] == longest or backoff.factor == 1:
        return f"waits {_d(waits[0])} each time{spread}"
    shown = ", ".join(_d(wait) for wait in waits if wait < longest)
    return f"waits {shown} and so on, {_d(longest)} at most{spread}"


def _limits(policy: RestartPolicy, origin: Origin) -> Iterator[str]:
    if policy.max_restarts is not None:
        failures = policy.max_restarts + 1
        yield f"given up for good after {_times(failures, 'failure')} in a row"
    declared = origin is Origin.MIN_REPLICA_SET
    by_origin = OnLoop.COOLDOWN if declared else OnLoop.HOLD
    on_loop = policy.crash.on_loop or by_origin
    window = _d(policy.crash.window_ms)
    counted = _times(policy.crash.allowed_crashes + 1, "failure")
    starts = _times(policy.start_budget + 1, "start")
    if on_loop is OnLoop.HOLD:
        then = "held until somebody resets it, or starts it with force"
    else:
        then = "tried again when the oldest of them leaves the window"
    yield f"a crash loop is {counted} within {window}; it is {then}"
    if on_loop is OnLoop.HOLD:
        yield f"so are {starts} in a row that failed"
    else:
        yield f"so are {starts} in a row that failed; it is tried again after {window}"


def _lost(policy: RestartPolicy) -> str:
    after = _d(policy.lost_after_ms)
    match policy.on_lost:
        case OnLost.REPLACE:
            return f"lost, once it was unknown for {after}"
        case OnLost.WAIT:
            return "never lost, however long it is unknown"
        case None:
            return (
                f"lost, once it was unknown for {after} where the platform keeps an"
                " older run from coming back; elsewhere it waits"
            )
        case _:
            assert_never(policy.on_lost)


# Exit rules


def rule_words(rules: Iterable[ExitRule]) -> Iterator[str]:
    """Yield each exit rule: what it matches, what that counts as, what follows."""
    for rule in rules:
        yield f"{_match(rule.match)}: {_ACTIONS[rule.action]}"


def _match(match: ExitMatch) -> str:
    match match:
        case Codes(values=codes):
            name, values = "exit code", [str(code) for code in codes]
        case Signals(values=signals):
            name, values = "signal", [_NAMES.get(each, str(each)) for each in signals]
        case Kinds(values=kinds):
            name, values = "kind", [str(kind) for kind in kinds]
        case _:
            assert_never(match)
    listed = _or([*dict.fromkeys(values)])
    return f"{name} other than {listed}" if match.negated else f"{name} {listed}"


# Health checks and groups


def check_words(spec: ContainerSpec) -> Iterator[str]:
    """Yield each health check: what is asked, and how soon it acts."""
    for kind, check in spec.health.all():
        yield f"{kind}: {_asks(check.probe)} every {_d(check.period_ms)}; " + _acts(
            kind, check, spec
        )


def _asks(probe: Probe) -> str:
    match probe:
        case HttpProbe(port=port, path=path, statuses=statuses):
            low, high = OK_STATUSES
            passes = _or([str(each) for each in statuses]) or f"{low} to {high}"
            return f"GET {path} on port {port} must answer {passes}"
        case TcpProbe(port=port):
            return f"port {port} must take a connection"
        case CommandProbe(command=command):
            return f"`{' '.join(command)}` must exit with 0"
        case _:
            assert_never(probe)


def _acts(kind: CheckKind, check: HealthCheck, spec: ContainerSpec) -> str:
    """Say how soon a check acts: its failures in a row, and the last answer."""
    rows = f"{check.failure_threshold} x {_d(check.period_ms)}"
    within = f"{rows} + {_d(check.timeout_ms)} = {_d(notices_within(check))}"
    match kind:
        case CheckKind.STARTUP:
            patience = check.initial_delay_ms + notices_within(check)
            sooner = ", or its start_timeout, whichever comes first"
            also = sooner if spec.start_timeout_ms < patience else ""
            return f"a start that does not pass has failed within {_d(patience)}{also}"
        case CheckKind.READINESS:
            back = check.success_threshold * check.period_ms + check.timeout_ms
            return (
                f"one that hangs is not ready any more within {within}, and ready again"
                f" within {_d(back)}"
            )
        case CheckKind.LIVENESS:
            return (
                f"a hung process is noticed within {within}, then stopped (killed"
                f" {_d(spec.stop_grace_ms)} later), a failure"
            )
        case _:
            assert_never(kind)


def group_words(spec: ContainerSpec, specs: Iterable[ContainerSpec]) -> Iterator[str]:
    """Yield whom the end of a container takes along."""
    group = spec.group
    if group is None:
        return
    others = sorted(
        other.name
        for other in specs
        if other.group is not None
        and other.group.group == group.group
        and other.name != spec.name
        and group.takes(other.group.position)
    )
    how = {
        GroupStrategy.ONE_FOR_ALL: "all others of it",
        GroupStrategy.REST_FOR_ONE: "those after it",
    }[group.strategy]
    named = ", ".join(others) or "nobody"
    yield f"member of group {group.group}; its end takes along {how}: {named}"


def stop_words(found: Schedule, what: str) -> str:
    """Say in one sentence what comes of something that happens again and again."""
    stopped, loops = found.stopped, found.loops
    if stopped is not None:
        ends = "held" if stopped.phase == "crash_looping" else stopped.phase
        times = _times(stopped.number, "time")
        after = f" within {_d(stopped.ended_at)}" if stopped.ended_at else ""
        return f"{what}: {ends} after {times}{after} ({stopped.why})"
    if loops:
        first = loops[0]
        start_at = first.start_at or 0
        return (
            f"{what}: a crash loop after {_times(first.number, 'time')}, at"
            f" {_d(first.ended_at)}; tried again at {_d(start_at)}"
        )
    last = found.restarts[-1]
    return f"{what}: restarted each time, {_d(last.wait_ms or 0)} after the last end"


def _d(duration: Millis) -> str:
    return format_duration(duration)


def _times(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _or(values: list[str]) -> str:
    """List values: a, b or c."""
    *before, last = values or [""]
    return f"{', '.join(before)} or {last}" if before else last
