"""Rollouts as they are shown: a sentence, a few facts, a table of replicas."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from rich import box
from rich.table import Table
from rich.text import Text

from orchestrator.cli.plain import cleaned
from orchestrator.cli.shown import age, now_ms, until
from orchestrator.core.moments import format_duration

__all__ = ("STATUSES", "facts_of", "hint_of", "line_of", "plain_table", "progress_of")

Info = dict[str, Any]

STATUSES: Final = {
    "awaiting_promotion": "is waiting to be promoted",
    "done": "is done",
    "held": "is held",
    "paused": "is paused",
    "preparing": "is being prepared by the platform",
    "progressing": "is progressing",
    "reverted": "was reverted",
    "reverting": "is reverting",
    "soaking": "is soaking",
    "superseded": "was superseded",
}
"""A test holds it total."""


def line_of(info: Info) -> str:
    """Say in one line where a rollout is, and why.

    >>> line_of({"service": "web", "status": "held", "revision": 3, "reason": "no good",
    ...          "until": None, "back_to": None})
    'web: the rollout to revision 3 is held: no good'

    """
    status = str(info["status"])
    words = STATUSES.get(status, f"is {status.replace('_', ' ')}")
    if status in {"reverting", "reverted"} and info["back_to"] is not None:
        words = f"{words} to revision {info['back_to']}"
    if status == "soaking" and info["until"] is not None:
        words = f"{words} for {until(info['until'])} more"
    reason = f": {info['reason']}" if info["reason"] else ""
    return (
        f"{info['service']}: the rollout to revision {info['revision']} {words}{reason}"
    )


def progress_of(info: Info) -> str:
    """Count the replicas of a rollout.

    >>> progress_of({"counted": 1, "replicas": 3, "moved": 2, "old": 1, "failures": 0,
    ...              "old_available": 1, "budget": 3, "status": "progressing"})
    '1 of 3 are new and counted, 1 more moved, 1 old (1 available); 0 of 3 failures'

    """
    is_back = info["status"] in {"reverting", "reverted"}
    return (
        f"{info['counted']} of {info['replicas']} are"
        f" {'back' if is_back else 'new'} and counted,"
        f" {info['moved'] - info['counted']} more moved,"
        f" {info['old']} old ({info['old_available']} available);"
        f" {info['failures']} of {info['budget']} failures"
    )


def facts_of(info: Info) -> Info:
    """Return the facts of a rollout, for a reader."""
    now = now_ms()
    facts: Info = {
        "strategy": info["strategy"],
        "revision": f"{info['revision']}, from {info['previous']}",
        "step": f"{info['step'] + 1}, {info['goal']} of {info['replicas']} to be new",
        "replicas": progress_of(info),
        "began": f"{age(info['began_at'], now)} ago, by {info['by']}",
    }
    if info["why"]:
        facts["asked_why"] = info["why"]
    if info["ended_at"] is None:
        facts["since"] = f"{age(info['since'], now)} ago"
        facts["next_deadline"] = _in(info["deadline"], now)
    else:
        del facts["step"]
        took = info["ended_at"] - info["began_at"]
        facts["took"] = format_duration(max(0, took))
    return facts


def _in(moment: int | None, now: int) -> str:
    return "-" if moment is None else f"in {until(moment, now)}"


def hint_of(info: Info) -> str | None:
    """Say what its owner can do where a rollout waits for him."""
    service = info["service"]
    match info["status"]:
        case "paused":
            return f"`orchestrator rollout resume {service}` has it go on"
        case "awaiting_promotion":
            return f"`orchestrator rollout promote {service}` has it go on"
        case "held" | "reverted":
            return f"`orchestrator rollout start {service}` tries it again"
        case _:
            return None


def plain_table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> Table:
    """Return a table; what somebody wrote is no markup, and moves no cursor."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for head in heads:
        is_long = head in {"REASON", "WHY", "CHANGES"}
        table.add_column(head, no_wrap=not is_long, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cleaned(cell)) for cell in row))
    return table
