"""The reference of restart policies, written from the code that decides."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from orchestrator.core.advice import rule_exits
from orchestrator.core.backoff import Backoff
from orchestrator.core.exit_rules import ExitAction, ExitKind, ExitRule, Kinds, kind_of
from orchestrator.core.exits import Exit, Exited, Outcome, outcome
from orchestrator.core.explain import because
from orchestrator.core.moments import format_duration
from orchestrator.core.origins import Origin
from orchestrator.core.phases import Rule
from orchestrator.core.policies import CrashLimit, RestartPolicy, When, judged
from orchestrator.core.schedule import Fate, Restart, schedule
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.terms import FixedTerms
from tests.docs.generate_fleet_file import fields_of

__all__ = ("policies_page",)

PAGE = """\
# Restart policies

What each field means, how ends count, and which rule decides. It is written from the
code. How to choose is in [Choose a restart policy](../how-to/restart-policies.md);
`orchestrator policy explain FILE` says it of a fleet file.

## In which order it decides

1. The owner's wish: what shall be stopped is not started again.
2. The exit rules, in their order: the first that matches decides.
3. Ends that are neither success nor failure, alike under every `when`.
4. A custom policy, in place of all that follows.
5. `when`.
6. The budgets: `max_restarts`, then `start_budget` for a start that failed, or the
   crash window for a run that failed.
7. The backoff.

## Fields

{fields}

## Ends

What an end counts as where no rule says otherwise, and what the first one leads to.

{ends}

A failure of a run counts in the crash window. A start that failed does not:
`start_budget` counts it. What counts as *neither* is retried after the waits of the
backoff, which grow with each in a row, and no crash is counted.

## Exit rules

{rules}

Ends that count as *neither* stay so under every action. What we end ourselves, on
request or with its group, is no business of a rule.

## The first restarts

Of a container that fails at once, each time, under the defaults, without jitter.
Declared in the file:

{declared}

Started by request:

{ad_hoc}

## Which rule decided

`orchestrator explain` names it, as `policy explain` and the journal do.

{sentences}
"""

UNITS = {
    "crash": "",
    "backoff": "",
    "when": "",
    "on_lost": "",
    "on_loop": "",
    "factor": "times",
    "jitter": "part of the wait",
    "allowed_crashes": "failures",
    "max_restarts": "failures in a row",
    "start_budget": "starts in a row",
    "success_codes": "exit codes",
    "exit_rules": "",
    "custom": "",
}
"""Units of what is no duration; those are in milliseconds."""

SPEC = ContainerSpec(name="web", command=("run",))


def policies_page() -> str:
    """Return the page."""
    return PAGE.format(
        fields="\n".join(_fields()),
        ends="\n".join(_ends()),
        rules="\n".join(_rules()),
        declared="\n".join(_first(Origin.MIN_REPLICA_SET)),
        ad_hoc="\n".join(_first(Origin.AD_HOC)),
        sentences="\n".join(_sentences()),
    )


def _fields() -> Iterator[str]:
    yield "| field | type | default | unit | |"
    yield "|---|---|---|---|---|"
    for prefix, kind in (
        ("", RestartPolicy),
        ("crash.", CrashLimit),
        ("backoff.", Backoff),
    ):
        for key, (type_, default, about) in fields_of(kind).items():
            unit = "ms" if key.endswith("_ms") else UNITS[key]
            yield f"| `{prefix}{key}` | {type_} | {default} | {unit} | {about} |"


def _one_of_each() -> dict[str, Exit]:
    """Return an exit of each kind, code 0 apart from the others."""
    found: dict[str, Exit] = {}
    for end in rule_exits():
        kind = str(kind_of(end))
        is_clean = isinstance(end, Exited) and end.code == 0
        found.setdefault(f"{kind}, code 0" if is_clean else kind, end)
    assert {name.partition(",")[0] for name in found} == {str(k) for k in ExitKind}
    return found


def _ends() -> Iterator[str]:
    heads = [f"`{when}`" for when in When]
    yield f"| kind | | counts as | {' | '.join(heads)} |"
    yield f"|---|---|---|{'---|' * len(heads)}"
    for name, end in _one_of_each().items():
        about = (type(end).__doc__ or "").partition("\n")[0].rstrip(".")
        follows = [_follows(RestartPolicy(when=when), end) for when in When]
        kind, _, more = name.partition(", ")
        label = f"`{kind}`{f', {more}' if more else ''}"
        counts = {Outcome.CLEAN: "success"}.get(outcome(end), str(outcome(end)))
        yield f"| {label} | {about} | {counts} | {' | '.join(follows)} |"


def _follows(policy: RestartPolicy, end: Exit) -> str:
    """Ask the rule book what the first such end leads to."""
    spec = attrs.evolve(SPEC, restart=policy)
    (first, *_) = schedule(spec, FixedTerms(), Fate(exit=end, restarts=1)).restarts
    if first.start_at is None:
        return f"*{first.phase}*"
    wait = format_duration(first.wait_ms or 0)
    return f"again after {wait}" if first.wait_ms else "again at once"


def _rules() -> Iterator[str]:
    yield "| action | a failure counts as | a success counts as | what follows |"
    yield "|---|---|---|---|"
    for action in ExitAction:
        rule = ExitRule(match=Kinds(values=(ExitKind.EXITED,)), action=action)
        policy = RestartPolicy(when=When.NEVER, exit_rules=(rule,))
        counts: list[Any] = [judged(policy, Exited(code=c)).outcome for c in (1, 0)]
        shown = ["success" if each is Outcome.CLEAN else str(each) for each in counts]
        follows = _follows(policy, Exited(code=1))
        more = ", within the budgets" if action is ExitAction.RESTART else ""
        yield f"| `{action}` | {' | '.join(shown)} | {follows}{more} |"


def _first(origin: Origin) -> Iterator[str]:
    yield "| failure | at | in the window | what follows | why |"
    yield "|---|---|---|---|---|"
    for each in schedule(SPEC, FixedTerms(), Fate(restarts=6), origin=origin).restarts:
        at = format_duration(each.ended_at)
        yield (
            f"| {each.number} | {at} | {each.counted} of"
            f" {CrashLimit().allowed_crashes} | {_next(each)} | {each.why} |"
        )


def _next(restart: Restart) -> str:
    if restart.wait_ms is None:
        return f"*{restart.phase}*"
    return f"*{restart.phase}* for {format_duration(restart.wait_ms)}"


def _sentences() -> Iterator[str]:
    yield "| rule | it means |"
    yield "|---|---|"
    for rule in Rule:
        yield f"| `{rule}` | {because(rule)} |"
