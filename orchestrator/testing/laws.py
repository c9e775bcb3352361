"""Every law by its name: the core's invariants, and those of whole histories.

``breaches`` holds a tale to laws. The core's invariants are checked at each step; a
law of a history looks at all of it: budgets, waits, replay, purity.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeAlias

from orchestrator.core.invariants import INVARIANTS
from orchestrator.testing import custom_laws, restart_laws
from orchestrator.testing.tales import Tale

__all__ = ("HISTORY_LAWS", "LAWS", "Law", "breaches")

Law: TypeAlias = Callable[[Tale], Iterator[str]]
"""What in a tale breaks the law, in words."""

HISTORY_LAWS: Final[dict[str, Law]] = {
    "restarts stay within the budget of the window": restart_laws.window_budget_is_kept,
    "failed starts stay within their budget": restart_laws.start_budget_is_kept,
    "max_restarts is the last word": restart_laws.max_restarts_ends_it,
    "a start comes when the policy said": restart_laws.no_launch_before_its_time,
    "waits follow the backoff, within its jitter": (
        restart_laws.waits_follow_the_backoff
    ),
    "waits never shrink until reset": restart_laws.waits_never_shrink,
    "a failure counts once, and is forgiven for a reason": restart_laws.counts_agree,
    "only failures count": restart_laws.innocent_ends_never_count,
    "when is obeyed": restart_laws.when_is_obeyed,
    "exit rules are the last word": restart_laws.exit_rules_decide,
    "ends that are nobody's failure are restarted": restart_laws.innocent_ends_restart,
    "terminal states are stable": restart_laws.terminal_phases_stay,
    "rules that match nothing change nothing": custom_laws.other_rules_change_nothing,
    "a custom policy always answers a decision": custom_laws.answers_are_decisions,
    "a custom policy answers the same in the same situation": (
        custom_laws.same_situation_same_answer
    ),
    "the same history decides the same": custom_laws.same_history_same_decisions,
    "the journal replays to the live fleet": custom_laws.replay_is_the_same,
}
"""The laws of whole histories."""


def _at_each_step(name: str) -> Law:
    check = INVARIANTS[name]

    def law(tale: Tale) -> Iterator[str]:
        for step in tale.steps:
            for about in check(step):
                yield f"{about}, at {type(step.event).__name__} of {step.event.at}"

    return law


LAWS: Final[dict[str, Law]] = {
    **HISTORY_LAWS,
    **{name: _at_each_step(name) for name in INVARIANTS},
}
"""All laws: those of whole histories, then the core's invariants."""


def breaches(tale: Tale, names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield each breach of the laws: its name, and what broke it."""
    for name in names:
        for about in LAWS[name](tale):
            yield name, about
