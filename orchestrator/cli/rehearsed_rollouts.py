"""How a rehearsal tells of what was changed, and of the rollouts that came of it."""

from __future__ import annotations

from typing import Any, Final

import attrs

from orchestrator.core.moments import format_duration
from orchestrator.simulation.rehearsals import Rehearsal
from orchestrator.simulation.rollout_tales import RolloutTale

__all__ = ("changes_text", "rollouts_text", "trees_of")

SHOWN_MAX: Final = 40
"""Changes and rollouts that are shown to people, each."""

_HEAD: Final = (
    "service",
    "revision",
    "strategy",
    "ended",
    "took",
    "least available",
    "most there",
)


def changes_text(shown: Rehearsal, clocks: list[str]) -> list[str]:
    """Write what was done to the fleet; *clocks* are the moments, as written."""
    if not shown.changed:
        return []
    lines = [
        f"  {at}  {each.words}{_refused(each.refused)}"
        for at, each in zip(clocks, shown.changed[:SHOWN_MAX], strict=False)
    ]
    return ["changes", *lines, *_more(len(shown.changed))]


def _refused(why: str) -> str:
    return f": REFUSED, {why}" if why else ""


def _more(count: int) -> list[str]:
    return [f"  and {count - SHOWN_MAX} more"] if count > SHOWN_MAX else []


def rollouts_text(shown: Rehearsal) -> list[str]:
    """Write how each rollout ended, and how few were ready meanwhile."""
    if not shown.rollouts:
        return []
    tales = shown.rollouts[:SHOWN_MAX]
    rows = [_HEAD, *(_row(tale) for tale in tales)]
    wide = [max(len(row[place]) for row in rows) for place in range(len(_HEAD))]
    lines: list[str] = []
    for place, row in enumerate(rows):
        cells = (f"{cell:<{wide[n]}}" for n, cell in enumerate(row))
        lines.append(f"  {'  '.join(cells)}".rstrip())
        if place and tales[place - 1].reason:
            lines.append(f"    {tales[place - 1].reason}")
    return ["rollouts", *lines, *_more(len(shown.rollouts))]


def _row(tale: RolloutTale) -> tuple[str, ...]:
    took = "-"
    if tale.ended_at is not None:
        took = format_duration(tale.ended_at - tale.began_at)
    return (
        tale.service,
        f"{tale.previous} to {tale.target}",
        tale.strategy,
        str(tale.status).replace("_", " "),
        took,
        f"{tale.least_available} of {tale.replicas}",
        str(tale.most_members),
    )


def trees_of(shown: Rehearsal) -> dict[str, Any]:
    """Return changes and rollouts as trees for programs."""
    return {
        "changes": [attrs.asdict(each) for each in shown.changed],
        "rollouts": [_tree(tale) for tale in shown.rollouts],
    }


def _tree(tale: RolloutTale) -> dict[str, Any]:
    tree = attrs.asdict(tale)
    tree["status"] = str(tale.status)
    tree["marks"] = [
        {**attrs.asdict(mark), "kind": str(mark.kind)} for mark in tale.marks
    ]
    return tree
