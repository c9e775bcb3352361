"""Why a container is in its phase, in one sentence for each rule that has a say."""

from __future__ import annotations

from typing import Final

from orchestrator.core.phases import Rule

__all__ = ("because",)

_BECAUSE: Final[dict[Rule, str]] = {
    Rule.DECLARED: "it was declared",
    Rule.REQUESTED: "a start was requested",
    Rule.FORCED: "a start was forced",
    Rule.NEW_REVISION: "its spec has changed",
    Rule.HISTORY_CLEARED: "its crash history was cleared",
    Rule.OWNER_WANTS_IT_STOPPED: "its owner wants it stopped",
    Rule.RESTART_REQUESTED: "we ended its last run to start another",
    Rule.ROLLED_OUT: "its last run was rolled out",
    Rule.KEPT_ALIVE: "it is kept alive although it was idle",
    Rule.ASLEEP_UNTIL_ASKED: "it was idle; it starts when asked for",
    Rule.OBSTACLE_BACKOFF: "its start was prevented; no crash is counted",
    Rule.ALWAYS_AFTER_CLEAN_EXIT: "its policy is always, also after a clean exit",
    Rule.CLEAN_EXIT: "it ended well; its policy restarts failures only",
    Rule.NEVER_RESTART: "it failed; its policy never restarts",
    Rule.FAILURE_BACKOFF: "it failed",
    Rule.CRASH_LOOP_COOLDOWN: "it fails too often and cools down",
    Rule.CRASH_LOOP_HOLD: "it fails too often; start it with force, or reset it",
    Rule.START_LOOP_COOLDOWN: "its starts fail again and again, and it cools down",
    Rule.START_LOOP_HOLD: (
        "its starts fail again and again; start it with force, or reset it"
    ),
    Rule.MAX_RESTARTS: "it has failed more often than max_restarts allows",
    Rule.EXIT_RULE_RESTART: "an exit rule restarts it",
    Rule.EXIT_RULE_COMPLETE: "an exit rule says that it is done",
    Rule.EXIT_RULE_FAIL: "an exit rule gives it up",
    Rule.EXIT_RULE_IGNORE: "an exit rule restarts it, and counts nothing",
    Rule.GROUP_RESTART: "it is restarted together with its group",
    Rule.GROUP_HELD: "its group is down; start the member that failed, or it alone",
    Rule.CUSTOM_POLICY: "a policy of the embedding program said so",
    Rule.CUSTOM_POLICY_FAILED: "its custom policy raised, or gave no decision",
    Rule.CUSTOM_POLICY_MISSING: "its custom policy is not registered",
    Rule.STALE_RUN: "the platform knows a newer run",
    Rule.NEEDED: "a container that depends on it is to start",
}
"""One sentence a rule; a test holds it total."""


def because(rule: Rule) -> str:
    """Return the sentence of a rule.

    >>> because(Rule.FAILURE_BACKOFF)
    'it failed'

    """
    return _BECAUSE[rule]
