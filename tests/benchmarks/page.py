"""The page of figures: what of it is written from what was recorded.

A generated part stands between two marks, ``<!-- figures: NAME -->`` and
``<!-- end of figures -->``; what stands around it is written by hand. ``machine``,
``goals`` and ``missed`` are parts over all areas, any other name is an area.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from tests.benchmarks.areas import AREAS
from tests.benchmarks.figures import markdown, told
from tests.benchmarks.reasons import why

__all__ = ("names_in", "written_anew")

PART: Final = re.compile(
    r"(<!-- figures: (?P<name>[a-z]+) -->\n).*?(<!-- end of figures -->)", re.DOTALL
)
NOTHING: Final = "Nothing has been recorded of this yet."

Recorded = Mapping[str, Mapping[str, Any]]
"""By area, what ``record`` keeps of it."""


def names_in(text: str) -> list[str]:
    r"""Return the names of the generated parts of a page, in order.

    >>> names_in("<!-- figures: replay -->\nold\n<!-- end of figures -->")
    ['replay']

    """
    return [found["name"] for found in PART.finditer(text)]


def written_anew(text: str, areas: Recorded) -> str:
    """Return a page with all its generated parts written from what was recorded."""
    return PART.sub(lambda found: _part(found, areas), text)


def _part(found: re.Match[str], areas: Recorded) -> str:
    name = found["name"]
    match name:
        case "machine":
            body = _machines(areas)
        case "goals":
            body = _goals(areas)
        case "missed":
            body = _missed(areas)
        case _:
            body = _area(areas[name]) if name in areas else NOTHING
    return f"{found[1]}\n{body.strip()}\n\n{found[3]}"


def _area(entry: Mapping[str, Any]) -> str:
    minutes = entry["took_s"] / 60
    took = f"{entry['took_s']:.0f} seconds" if minutes < 2 else f"{minutes:.0f} minutes"
    done = f"Measured on {entry['date']} with `{entry['command']}`, in {took}."
    return f"{markdown(entry)}\n{done}"


def _ordered(areas: Recorded) -> list[tuple[str, Mapping[str, Any]]]:
    return [(each.name, areas[each.name]) for each in AREAS if each.name in areas]


def _machines(areas: Recorded) -> str:
    """Say on which machines the areas were measured: one, if all goes well."""
    where: dict[str, list[str]] = {}
    for name, entry in _ordered(areas):
        machine = entry["machine"]
        versions = ", ".join(f"{each} {it}" for each, it in machine["versions"].items())
        line = (
            f"{machine['cores']} cores ({machine['processor']}),"
            f" {machine['system']}, Python {machine['python']}, {versions}"
        )
        where.setdefault(line, []).append(name)
    return "\n".join(f"* {', '.join(names)}: {line}." for line, names in where.items())


def _goals(areas: Recorded) -> str:
    lines = [
        "| area | speed of | as a part of | wanted | reached | met |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, entry in _ordered(areas):
        for goal in entry["goals"]:
            speed = goal["speed"]
            reached = f"{told(speed['median'])} ({told(speed['least'])}-"
            reached += f"{told(speed['most'])})"
            met = "yes" if goal["met"] else "**no**"
            words = (goal["case"], goal["limit"], told(goal["least"]), reached, met)
            lines.append(f"| {name} | {' | '.join(words)} |")
    return "\n".join(lines)


def _missed(areas: Recorded) -> str:
    """List the goals that were missed, each with what explains it."""
    lines = [
        f"* **{goal['case']}** beside {goal['limit']} ({name}):"
        f" {told(goal['speed']['median'])} in place of {told(goal['least'])}."
        f" {why(name, goal)}".rstrip()
        for name, entry in _ordered(areas)
        for goal in entry["goals"]
        if not goal["met"]
    ]
    return "\n".join(lines) or "All goals are met."
