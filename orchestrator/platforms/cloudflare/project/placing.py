"""Where containers may be held at Cloudflare: which bounds go together.

From the documentation of Containers, ``containers/concepts/placement``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.core.errors import Problem
from orchestrator.core.hosting import REGIONS_OF, Placement

__all__ = ("placement_problems", "placement_warnings")

SCARCE: Final = frozenset({"ME", "OC", "AFR"})


def placement_problems(name: str, placement: Placement) -> Iterator[Problem]:
    """Yield the regions that lie outside the jurisdiction."""
    jurisdiction = placement.jurisdiction
    if jurisdiction is None:
        return
    within = REGIONS_OF[jurisdiction]
    outside = [region for region in placement.regions if region not in within]
    if outside:
        yield Problem(
            place=f"{name}.placement.regions",
            expected=f"regions of jurisdiction {jurisdiction!r} ({', '.join(within)})",
            found=", ".join(outside),
        )


def placement_warnings(name: str, regions: tuple[str, ...]) -> list[str]:
    """Say which regions have too little room to be the only ones."""
    if not regions or not SCARCE.issuperset(regions):
        return []
    warning = (
        f"{name}: {', '.join(regions)} alone has little room, and Cloudflare refuses it"
        " to accounts that have not asked; name another region, too"
    )
    return [warning]
