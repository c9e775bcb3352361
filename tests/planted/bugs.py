"""One-line bugs for the core: where, what it says there, what it would say instead.

``was`` stands exactly once in its module; lines before the one that changes are there
to make it so. ``seen_by`` is the module of tests that must see it.
"""

from __future__ import annotations

import attrs

WALKS = "planted/test_walks.py"
POLICY = "core/test_restart_policy.py"


@attrs.frozen
class Bug:
    """A change of the core, and what would be wrong with it."""

    why: str
    module: str
    was: str
    becomes: str
    seen_by: str = POLICY


BUGS = (
    Bug(
        "a failure stays in the window a millisecond longer",
        "histories",
        "for moment in history.failures if moment > oldest]",
        "for moment in history.failures if moment >= oldest]",
        "core/test_histories.py",
    ),
    Bug(
        "one crash fewer is allowed than is said",
        "decide",
        "if len(counted) > policy.crash.allowed_crashes:",
        "if len(counted) >= policy.crash.allowed_crashes:",
    ),
    Bug(
        "one failed start fewer is allowed than is said",
        "decide",
        "if history.start_failures > policy.start_budget:",
        "if history.start_failures >= policy.start_budget:",
    ),
    Bug(
        "it gives up one restart early",
        "decide",
        "history.failed_in_a_row > most:",
        "history.failed_in_a_row >= most:",
    ),
    Bug(
        "half the uptime resets the history",
        "histories",
        "at - ready_at >= policy.backoff.reset_after_ms",
        "at - ready_at >= policy.backoff.reset_after_ms // 2",
    ),
    Bug(
        "a clean exit counts as a failure",
        "exits",
        "        case Exited(code=0):",
        "        case Exited(code=256):",
        WALKS,
    ),
    Bug(
        "a requested stop counts as a failure",
        "exits",
        "Exited() | Signaled() | OutOfMemory() | StartFailed() | Unhealthy() | Lost()",
        "Exited() | Signaled() | OutOfMemory() | StartFailed() | Unhealthy() | Lost()"
        " | Stopped()",
        WALKS,
    ),
    Bug(
        "the jitter goes twice as far as its share",
        "backoff",
        "% (2 * spread + 1) - spread",
        "% (4 * spread + 1) - 2 * spread",
    ),
    Bug(
        "waits grow beyond the longest",
        "backoff",
        "return int(min(float(backoff.max_ms), backoff.initial_ms * growth))",
        "return int(backoff.initial_ms * growth)",
        "core/test_backoff.py",
    ),
    Bug(
        "the first wait is the second",
        "backoff",
        "backoff.factor, max(attempt, 1) - 1",
        "backoff.factor, max(attempt, 1)",
    ),
    Bug(
        "whoever asks early starts before the time",
        "timing",
        "if at < waits.until:",
        "if at < waits.since:",
        WALKS,
    ),
    Bug(
        "the end of another run is taken for the live one's",
        "lifecycle",
        '"""Conclude the live run."""\n    if container.phase.run != event.run:',
        '"""Conclude the live run."""\n    if container.phase.run is None:',
        WALKS,
    ),
    Bug(
        "a second end of the same run is counted again",
        "lifecycle",
        '"""Conclude the live run."""\n    if container.phase.run != event.run:',
        '"""Conclude the live run."""\n    if container.run != event.run:',
        WALKS,
    ),
    Bug(
        "what cannot be seen is stopped",
        "sights",
        "return lose_sight(container, event.at), ()",
        "return order_stop(container, event.at, Lost())",
        WALKS,
    ),
    Bug(
        "a stop is given twice at once",
        "moves",
        "grace_ms=spec.stop_grace_ms,\n    )\n"
        "    return in_phase(container, stopping, at), (command,)",
        "grace_ms=spec.stop_grace_ms,\n    )\n"
        "    return in_phase(container, stopping, at), (command, command)",
        WALKS,
    ),
    Bug(
        "what we end ourselves has ended as it says, not as we say",
        "endings",
        "verdict = phase.verdict if isinstance(phase, Stopping) else exit_",
        "verdict = exit_",
    ),
    Bug(
        "a run number is used again",
        "moves",
        "run = max(container.run, floor) + 1",
        "run = max(container.run, floor, 1)",
        WALKS,
    ),
    Bug(
        "rest_for_one takes those before",
        "groups",
        "or other > self.position",
        "or other < self.position",
        "core/test_companions.py",
    ),
    Bug(
        "a member that comes back lets nobody go",
        "companions",
        "return was_down and not _is_down(after",
        "return False and not _is_down(after",
        "core/test_companions.py",
    ),
    Bug(
        "the end of a member that was stopped takes the others along",
        "companions",
        "return given_up or outcome(container.last.exit) is not Outcome.NEITHER",
        "return given_up or outcome(container.last.exit) is not Outcome.CLEAN",
        "core/test_companions.py",
    ),
    Bug(
        "an ill run counts as clean",
        "exits",
        "        case Exited(code=0):",
        "        case Exited(code=0) | Unhealthy():",
    ),
    Bug(
        "a readiness check that fails ends the run",
        "checkups",
        "return _readiness(container, phase, event), ()",
        "return _unhealthy(container, event.at)",
        WALKS,
    ),
    Bug(
        "the second illness in a row is only asked to stop",
        "checkups",
        "is_first = not container.history.unhealthy",
        "is_first = True",
        "core/test_checkups.py",
    ),
    Bug(
        "an answer that nobody could get counts as failed",
        "tallies",
        "            return tally\n",
        "            return count(check, tally, Answer.FAILED)\n",
        "core/test_health.py",
    ),
    Bug(
        "the last rule that matches decides",
        "exit_rules",
        "    for rule in rules:",
        "    for rule in reversed(rules):",
    ),
    Bug(
        "a failure is restarted sooner than the fleet allows",
        "decide",
        "wait = max(terms.settings.min_restart_delay_ms, _wait(container,"
        " history.attempts))",
        "wait = _wait(container, history.attempts)",
    ),
    Bug(
        "one that runs keeps its start slot",
        "stands",
        "return NOWHERE if container.desired.running else _DIVERGED",
        "return STARTING",
        WALKS,
    ),
    Bug(
        "one start too many is in flight",
        "grants",
        "if len(draft.starting) >= draft.settings.max_concurrent_starts:",
        "if len(draft.starting) > draft.settings.max_concurrent_starts:",
        WALKS,
    ),
    Bug(
        "the minute of the start rate has thirty seconds",
        "grants",
        "return draft.recent_starts[-limit] + MINUTE <= at",
        "return draft.recent_starts[-limit] + MINUTE // 2 <= at",
    ),
    Bug(
        "it starts before the platform was seen",
        "grants",
        "while draft.observed and _has_slot(draft, at):",
        "while _has_slot(draft, at):",
        WALKS,
    ),
    Bug(
        "a cooldown ends as soon as the wait",
        "decide",
        "until = max(oldest + container.spec.restart.crash.window_ms, again)",
        "until = again",
    ),
    Bug(
        "a custom policy undercuts the fleet's least delay",
        "decide",
        "return RestartAt(at=max(soon, at), rule=rule)",
        "return RestartAt(at=at, rule=rule)",
        "core/test_custom.py",
    ),
    Bug(
        "a plain request starts what is held",
        "admit",
        "return None if request.force else _is_held(known)",
        "return None",
    ),
    Bug(
        "a lack of capacity counts as an attempt",
        "histories",
        "return evolve(history, obstacles=history.obstacles + 1)",
        "return evolve(history, attempts=history.attempts + 1)",
        WALKS,
    ),
)
