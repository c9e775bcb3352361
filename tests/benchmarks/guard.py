"""``guard``: areas are measured again, and their ratios compared with the recorded.

Ratios say the same on another machine, nearly; times do not, and are not looked at.
A ratio that is worse by more than its tolerance may be the machine's doing: its area is
measured once more, and only what is worse twice is said, with both figures.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from tests.benchmarks.figures import Asked, told
from tests.benchmarks.record import PLACES, Places, read
from tests.benchmarks.runs import Ran, run_area, runs_of

__all__ = ("Worse", "guarded", "worse")


@attrs.frozen(kw_only=True)
class Worse:
    """A ratio that was, and what it is now; None where nobody measures it any more."""

    name: str
    was: float
    now: float | None
    tolerance: float

    @property
    def message(self) -> str:
        """Say both figures."""
        if self.now is None:
            return f"{self.name}: was {told(self.was)}, is not measured any more"
        return (
            f"{self.name}: was {told(self.was)}, is {told(self.now)}"
            f" ({1 - self.now / self.was:.0%} less; {self.tolerance:.0%} is allowed)"
        )


def worse(entry: Mapping[str, Any], ratios: Mapping[str, Any]) -> tuple[Worse, ...]:
    """Return the ratios of an area that are worse than was recorded of it."""
    found: list[Worse] = []
    for name, speed in entry["ratios"].items():
        was, allowed = speed["median"], entry["tolerances"][name]
        now = ratios[name]["median"] if name in ratios else None
        if now is None or now < was * (1 - allowed):
            found.append(Worse(name=name, was=was, now=now, tolerance=allowed))
    return tuple(found)


def guarded(names: Sequence[str], asked: Asked, places: Places = PLACES) -> int:
    """Measure areas as they were recorded, and compare; 1 if anything is worse.

    Sizes that are asked for now count; of the others those of the recording.
    """
    areas = read(places)
    missing = [name for name in names if name not in areas]
    failed = False
    for name in (each for each in names if each in areas):
        (ran,) = runs_of([name], _as_recorded(asked, areas[name]))
        failed = _is_worse(ran, areas[name], asked) or failed
    for name in missing:
        print(f"{name}: nothing was recorded to compare with", file=sys.stderr)
    return 1 if failed else 0


def _as_recorded(asked: Asked, entry: Mapping[str, Any]) -> Asked:
    sizes = ("containers", "events", "minutes")
    given = {name: getattr(asked, name) for name in sizes}
    then: dict[str, Any] = {name: entry["asked"].get(name) for name in sizes}
    chosen = {name: then[name] if it is None else it for name, it in given.items()}
    return attrs.evolve(asked, **chosen)


def _is_worse(ran: Ran, entry: Mapping[str, Any], asked: Asked) -> bool:
    if ran.found is None:
        print(f"{ran.name}: {ran.wrong}")
        return True
    found = worse(entry, ran.found["ratios"])
    if not found:
        print(f"{ran.name}: {len(entry['ratios'])} ratios are as good as they were")
        return False
    again = run_area(ran.name, _as_recorded(asked, entry))
    if again.found is None:
        print(f"{ran.name}: {again.wrong}")
        return True
    twice = {each.name for each in worse(entry, again.found["ratios"])}
    told_of = [each for each in found if each.name in twice]
    for each in told_of:
        print(f"{ran.name}: {each.message}")
    if not told_of:
        print(f"{ran.name}: worse once, and as good as it was the second time")
    return bool(told_of)
