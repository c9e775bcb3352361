"""The route that lists containers: which of them, in which order, how many."""

from __future__ import annotations

from typing import Final

from orchestrator.api import parameters
from orchestrator.api.headers import AT_HEADER, SEQ_HEADER, TOTAL_HEADER
from orchestrator.api.moments import NUMBER_MAX
from orchestrator.api.orders import LOOKS, OrderName
from orchestrator.api.plain import BY_MAX, LETTER, PLAIN
from orchestrator.api.reading_routes import JOURNAL
from orchestrator.api.route import Parameter, Route
from orchestrator.core.explain import ContainerInfo

__all__ = ("LISTS",)

SAYING_MAX: Final = 200
"""Letters of what somebody looks for."""

PAGE_MAX: Final = 10_000
"""Containers of a page."""

STATES: Final = Parameter(
    name="look",
    form=tuple[str, ...],
    default=(),
    known=LOOKS,
    about="Only containers that look so: the phases, but that `running` is ready, and"
    " `not_ready` runs without being ready.",
)
SAYING: Final = Parameter(
    name="q",
    default="",
    pattern=f"^{LETTER}{{0,{SAYING_MAX}}}$",
    expected=f"at most {SAYING_MAX} {PLAIN}",
    about="Only containers whose name, reason and last exit hold all these words, in"
    " capitals or not.",
)
REVISION: Final = Parameter(
    name="revision",
    form=int,
    most=NUMBER_MAX,
    about="Only containers of this revision.",
)
SORT: Final = Parameter(
    name="sort",
    form=OrderName,
    default="name",
    about="In which order; `-` before it: falling. What has no such fact comes last,"
    " what is equal in the order of names.",
)
BEHIND: Final = Parameter(
    name="after",
    pattern=f"^{LETTER}{{0,{BY_MAX}}}$",
    expected=f"a name of at most {BY_MAX} {PLAIN}",
    about="Only containers whose names come after this one: the last one of a page, for"
    " the next.",
)
OFFSET: Final = Parameter(
    name="offset",
    form=int,
    default=0,
    most=NUMBER_MAX,
    about="How many to pass over before the page begins.",
)
PAGE: Final = Parameter(
    name="limit",
    form=int,
    least=1,
    most=PAGE_MAX,
    about="How many containers at most; left out: all of them.",
)

LISTS: Final = (
    Route(
        method="GET",
        path="/v1/containers",
        handler="containers",
        summary="All containers, in the order of their names, or a page of them.",
        answer=tuple[ContainerInfo, ...],
        errors=JOURNAL,
        query=(
            parameters.PHASES,
            STATES,
            parameters.PATTERNS,
            SAYING,
            REVISION,
            SORT,
            BEHIND,
            OFFSET,
            PAGE,
            parameters.AT,
        ),
        tells=(SEQ_HEADER, AT_HEADER, TOTAL_HEADER),
        about="`Orchestrator-Total` says how many there are on all pages. Each page"
        " shows its own moment. Who goes on `after` the last name misses no container"
        " that is there all the time, and is told of none twice. A list that is longer"
        " than 256 KiB is sent while it is written.",
    ),
)
"""What lists a fleet, or a part of it."""
