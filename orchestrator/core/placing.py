"""Where the platform says that a run is, and whether that is where it may be.

A place is ``REGION/location``, such as ``WEUR/fra01``, or one of both. Which region a
location lies in is told by the region where the platform says it, else by the airport
that its name begins with; one that nobody here knows is never misplaced.

| what the spec asks for | misplaced is what is |
|---|---|
| ``regions`` | in none of them |
| ``jurisdiction`` | outside of its regions |
| ``location_hint`` | in another region: it is a wish, and counts once for a name |
"""

from __future__ import annotations

from typing import Final

import attrs

from orchestrator.core.events import PlaceObserved
from orchestrator.core.evolving import evolve
from orchestrator.core.hosting import (
    REGION_OF_HINT,
    REGIONS,
    REGIONS_OF,
    Placement,
)
from orchestrator.core.phases import live_run
from orchestrator.core.state import Container

__all__ = (
    "REMEDY",
    "Misplaced",
    "is_news",
    "misplaced",
    "region_of",
    "take_place",
    "without_place",
)

REMEDY: Final = (
    "reconcile does not move it: a restart may place it anew, or not; where a hint or a"
    " jurisdiction is meant, its object stays where it was first made, and only another"
    " name is placed again"
)
"""What an owner can do about one that is misplaced."""

_AIRPORTS: Final = {
    "ENAM": "atl bna bos buf clt cmh dfw dtw ewr iad iah ind jax jfk mci mem mia msp"
    " ord phl pit ric rdu stl tpa yul yyz yow",
    "WNAM": "den las lax pdx phx san sea sfo sjc slc smf abq yvr yyc yeg hnl",
    "WEUR": "ams arn bcn bru cdg cph dub dus edi fra gva ham lhr lis lux lys mad man"
    " mrs muc mxp osl fco str txl ber zrh",
    "EEUR": "ath beg bts bud hel ist kbp otp prg rix sof skp tll vie vno waw zag led"
    " dme",
    "APAC": "bkk blr bom ccu cgk del han hkg hyd icn kix kul maa mnl nrt pnh sgn sin"
    " tpe fuk hnd",
    "SAM": "bog bsb cnf eze for gig gru lim scl uio cwb poa",
    "ME": "amm auh bah bey dmm doh dxb jed kwi mct ruh tlv",
    "OC": "adl akl bne chc mel per syd cbr",
    "AFR": "acc cai cpt dar dur ebb jnb kgl lad los mba mru nbo tun",
}

_REGION_OF_AIRPORT: Final = {
    airport: region for region, all_ in _AIRPORTS.items() for airport in all_.split()
}

AIRPORT_LETTERS: Final = 3


@attrs.frozen(kw_only=True)
class Misplaced:
    """A container runs where its spec does not ask for: a condition, derived.

    ``expected`` is in words, ``found`` the place that the platform reports.
    """

    name: str
    expected: str
    found: str


def take_place(container: Container, event: PlaceObserved) -> Container:
    """Take note of where the live run is; of another run nothing is known."""
    return (
        evolve(container, place=event.place) if is_news(container, event) else container
    )


def is_news(container: Container, told: PlaceObserved) -> bool:
    """Say whether a place is that of the live run, and another than was known."""
    return live_run(container.phase) == told.run and container.place != told.place


def without_place(container: Container, before: Container) -> Container:
    """Forget where the run was that has ended, or that another was taken over for."""
    goes_on = live_run(container.phase) is not None and container.run == before.run
    return container if goes_on else evolve(container, place="")


def region_of(place: str) -> str | None:
    """Return the region that a place lies in; None where nobody knows.

    >>> region_of("WEUR/fra01"), region_of("fra01"), region_of("ENAM")
    ('WEUR', 'WEUR', 'ENAM')
    >>> region_of("moon") is None
    True

    """
    told, _, _ = place.partition("/")
    if told.upper() in REGIONS:
        return told.upper()
    location = place.rpartition("/")[2].lower()
    return _REGION_OF_AIRPORT.get(location[:AIRPORT_LETTERS])


def misplaced(container: Container) -> Misplaced | None:
    """Say whether the place of a container is outside of what its spec asks for."""
    if not container.place:
        return None
    region = region_of(container.place)
    expected = None if region is None else _unmet(container.spec.placement, region)
    if expected is None:
        return None
    return Misplaced(name=container.name, expected=expected, found=container.place)


def _unmet(placement: Placement, region: str) -> str | None:
    """Return what a region is outside of, the hardest bound first."""
    law, hint = placement.jurisdiction, placement.location_hint
    if placement.regions and region not in placement.regions:
        return f"in {' or '.join(placement.regions)}"
    if law is not None and region not in REGIONS_OF[law]:
        return f"in jurisdiction {law}: {' or '.join(REGIONS_OF[law])}"
    if hint is not None and region != REGION_OF_HINT[hint]:
        return f"near {hint}, which is a wish"
    return None
