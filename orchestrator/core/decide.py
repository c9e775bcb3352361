"""The restart policy at work: what follows the end of a run.

``decide`` is the only place that answers this, whoever asks: a lifecycle event, a
reconcile, a start after the operator's own crash. It reads the record alone, so the
same record has the same answer now and later. The order:

1. the owner's desired state;
2. the exit rules;
3. ends that are neither success nor failure: the run was not over by itself, so every
   ``when`` treats them alike;
4. a custom policy, in place of all that follows;
5. ``when``;
6. the budgets: failures in a row, failed starts in a row, failures in the window;
7. the backoff.

``core.histories`` is its other half: what the end of a run adds to the history.
"""

from __future__ import annotations

from typing import Final, assert_never

from orchestrator.core.backoff import backoff_wait
from orchestrator.core.custom import Situation, ask
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
from orchestrator.core.errors import CrashLoopDetected, RateLimited
from orchestrator.core.evolving import maker
from orchestrator.core.exit_rules import ExitAction, Judgement
from orchestrator.core.exits import (
    GroupEnded,
    Obstacle,
    Outcome,
    RolledOut,
    Slept,
    StartFailed,
    Stopped,
)
from orchestrator.core.histories import counted_failures
from orchestrator.core.moments import Moment
from orchestrator.core.origins import Origin
from orchestrator.core.phases import CrashLooping, Rule
from orchestrator.core.policies import CustomPolicyRef, OnLoop, When, judged
from orchestrator.core.state import Container, History, LastRun
from orchestrator.core.terms import Terms

__all__ = ("crash_loop", "decide", "decided")

_restart_at: Final = maker(RestartAt)


def decide(container: Container, last: LastRun, terms: Terms) -> Decision:
    """Answer what follows the end of *last*, which the history already counts."""
    judgement = judged(container.spec.restart, last.exit)
    history = container.history
    return decided(container, last, judgement, history=history, terms=terms)


def decided(
    container: Container,
    last: LastRun,
    judgement: Judgement,
    *,
    history: History,
    terms: Terms,
) -> Decision:
    """Answer what follows an end that was judged, with the *history* after it.

    That of the container is the one before it.
    """
    if not container.desired.running:
        return Rest(rule=Rule.OWNER_WANTS_IT_STOPPED)
    action = judgement.action
    if action is None or action is ExitAction.RESTART:
        return _after_run(container, last, judgement, history, terms)
    match action:
        case ExitAction.COMPLETE:
            return Complete(rule=Rule.EXIT_RULE_COMPLETE)
        case ExitAction.FAIL:
            return GiveUp(rule=Rule.EXIT_RULE_FAIL)
        case ExitAction.IGNORE if isinstance(last.exit, Obstacle):
            return _after_neither(container, last, history, terms)
        case ExitAction.IGNORE:
            at = _not_too_often(container, last, terms)
            return RestartAt(at=at, rule=Rule.EXIT_RULE_IGNORE)
        case _:
            assert_never(action)


def _after_run(
    container: Container,
    last: LastRun,
    judgement: Judgement,
    history: History,
    terms: Terms,
) -> Decision:
    custom, outcome = container.spec.restart.custom, judgement.outcome
    if outcome is Outcome.NEITHER:
        return _after_neither(container, last, history, terms, judgement.action)
    if custom is not None:
        return _after_custom(container, last, custom, history, terms)
    if outcome is Outcome.FAILURE:
        by_rule = judgement.action is ExitAction.RESTART
        return _after_failure(container, last, history, terms, by_rule=by_rule)
    return _after_success(container, last, terms)


def _after_neither(
    container: Container,
    last: LastRun,
    history: History,
    terms: Terms,
    action: ExitAction | None = None,
) -> Decision:
    soon = last.ended_at + terms.settings.min_restart_delay_ms
    match last.exit:
        case Stopped():
            return RestartAt(at=last.ended_at, rule=Rule.RESTART_REQUESTED)
        case GroupEnded(restart_at=None):
            return Hold(rule=Rule.GROUP_HELD)
        case GroupEnded(restart_at=int(at)):
            return RestartAt(at=max(soon, at), rule=Rule.GROUP_RESTART)
        case RolledOut():
            return RestartAt(at=soon, rule=Rule.ROLLED_OUT)
        case Slept() if container.spec.keep_alive:
            return RestartAt(at=soon, rule=Rule.KEPT_ALIVE)
        case Slept() if action is ExitAction.RESTART:
            return RestartAt(at=soon, rule=Rule.EXIT_RULE_RESTART)
        case Slept():
            return Sleep(rule=Rule.ASLEEP_UNTIL_ASKED)
        case RateLimited(retry_after_ms=int(retry_after_ms)):
            wait = max(_wait(container, history.obstacles), retry_after_ms)
        case _:
            wait = _wait(container, history.obstacles)
    return RestartAt(at=max(soon, last.ended_at + wait), rule=Rule.OBSTACLE_BACKOFF)


def _after_success(container: Container, last: LastRun, terms: Terms) -> Decision:
    if container.spec.restart.when is not When.ALWAYS:
        return Complete(rule=Rule.CLEAN_EXIT)
    at = _not_too_often(container, last, terms)
    return RestartAt(at=at, rule=Rule.ALWAYS_AFTER_CLEAN_EXIT)


def _not_too_often(container: Container, last: LastRun, terms: Terms) -> Moment:
    """Return when a run that counts for nothing may be followed by the next."""
    began = last.ended_at if last.started_at is None else last.started_at
    return max(
        last.ended_at + terms.settings.min_restart_delay_ms,
        began + container.spec.restart.min_interval_ms,
    )


def _after_failure(
    container: Container,
    last: LastRun,
    history: History,
    terms: Terms,
    *,
    by_rule: bool,
) -> Decision:
    policy = container.spec.restart
    if policy.when is When.NEVER and not by_rule:
        return GiveUp(rule=Rule.NEVER_RESTART)
    most = policy.max_restarts
    if most is not None and history.failed_in_a_row > most:
        return GiveUp(rule=Rule.MAX_RESTARTS)
    wait = max(terms.settings.min_restart_delay_ms, _wait(container, history.attempts))
    again = last.ended_at + wait
    if isinstance(last.exit, StartFailed):
        if history.start_failures > policy.start_budget:
            return _after_start_loop(container, last.ended_at, again)
    else:
        counted = counted_failures(history, policy, last.ended_at)
        if len(counted) > policy.crash.allowed_crashes:
            return _after_crash_loop(container, counted[0], again)
    rule = Rule.EXIT_RULE_RESTART if by_rule else Rule.FAILURE_BACKOFF
    return _restart_at(at=again, rule=rule)


def _after_start_loop(container: Container, at: Moment, again: Moment) -> Decision:
    """Hold, or try once a window: nothing that is counted would leave by itself."""
    if _on_loop(container) is OnLoop.HOLD:
        return Hold(rule=Rule.START_LOOP_HOLD)
    until = max(at + container.spec.restart.crash.window_ms, again)
    return CoolDown(until=until, rule=Rule.START_LOOP_COOLDOWN)


def _after_crash_loop(container: Container, oldest: Moment, again: Moment) -> Decision:
    """Hold, or try again when the oldest counted failure leaves the window."""
    if _on_loop(container) is OnLoop.HOLD:
        return Hold(rule=Rule.CRASH_LOOP_HOLD)
    until = max(oldest + container.spec.restart.crash.window_ms, again)
    return CoolDown(until=until, rule=Rule.CRASH_LOOP_COOLDOWN)


def _after_custom(
    container: Container,
    last: LastRun,
    custom: CustomPolicyRef,
    history: History,
    terms: Terms,
) -> Decision:
    """Ask the program's own policy; the fleet's least delay holds for it, too."""
    policy = container.spec.restart
    situation = Situation(
        name=container.name,
        exit=last.exit,
        outcome=judged(policy, last.exit).outcome,
        ended_at=last.ended_at,
        started_at=last.started_at,
        ready_at=last.ready_at,
        failures=counted_failures(history, policy, last.ended_at),
        attempts=history.attempts,
        start_failures=history.start_failures,
        restarts_total=history.restarts_total,
        wait_ms=_wait(container, history.attempts),
        policy=policy,
        params=custom.params,
    )
    soon = last.ended_at + terms.settings.min_restart_delay_ms
    match ask(terms.policies, custom, situation):
        case RestartAt(at=at, rule=rule):
            return RestartAt(at=max(soon, at), rule=rule)
        case CoolDown(until=until, rule=rule):
            return CoolDown(until=max(soon, until), rule=rule)
        case answer:
            return answer


def _wait(container: Container, attempt: int) -> int:
    backoff = container.spec.restart.backoff
    return backoff_wait(backoff, attempt, container.salt, container.revision)


def _on_loop(container: Container) -> OnLoop:
    """Say what a crash loop leads to; unsaid, the declared heal and the others wait."""
    said = container.spec.restart.crash.on_loop
    if said is not None:
        return said
    declared = container.origin is Origin.MIN_REPLICA_SET
    return OnLoop.COOLDOWN if declared else OnLoop.HOLD


def crash_loop(container: Container, phase: CrashLooping) -> CrashLoopDetected:
    """Tell the crash loop that a container is in, as it was when it entered it."""
    policy, history = container.spec.restart, container.history
    count = len(counted_failures(history, policy, phase.since))
    if phase.rule in (Rule.START_LOOP_COOLDOWN, Rule.START_LOOP_HOLD):
        count = history.start_failures
    return CrashLoopDetected(
        name=container.name,
        crash_count=count,
        window_ms=policy.crash.window_ms,
        next_start_at=phase.until,
    )
