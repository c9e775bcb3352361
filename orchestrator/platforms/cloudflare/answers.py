"""What the gateway says, as values of the core: events, exits, sightings.

What an end counts as is said in ``ends``.
"""

from __future__ import annotations

from typing import Final, cast

import attrs
from returns.result import Failure, Result, Success

from orchestrator.core.errors import (
    PlatformError,
    Unreachable,
)
from orchestrator.core.events import (
    ContainerEnded,
    ContainerErrored,
    ContainerReady,
    ContainerStarted,
    LifecycleEvent,
)
from orchestrator.core.moments import MOMENT_MAX, Moment
from orchestrator.core.names import is_name
from orchestrator.core.observations import (
    Observation,
    SeenEnded,
    SeenRunning,
    SeenUnreachable,
    Sight,
    Sighting,
)
from orchestrator.core.table import Table
from orchestrator.platforms.cloudflare.ends import exit_of
from orchestrator.platforms.cloudflare.http import Tree
from orchestrator.platforms.port import PlatformDetail

__all__ = (
    "EventPage",
    "addresses_of",
    "details_read",
    "event_page",
    "observation_of",
)

EVENT_TYPES: Final = ("started", "ready", "ended", "errored")


class _Misread(Exception):
    """An answer is not what was expected; says where."""


@attrs.frozen(kw_only=True)
class EventPage:
    """News of the gateway: in order, and after which cursor to go on."""

    cursor: str
    lost: bool
    events: tuple[LifecycleEvent, ...]


def event_page(fleet: str, tree: Tree) -> Result[EventPage, PlatformError]:
    """Read a page of the feed."""
    try:
        found = tuple(
            event
            for item in _list(tree, "events")
            if (event := _event(fleet, item)) is not None
        )
        cursor = _text(tree, "cursor")
        return Success(
            EventPage(cursor=cursor, lost=tree.get("lost") is True, events=found)
        )
    except _Misread as misread:
        return Failure(_not_understood(misread))


def observation_of(fleet: str, tree: Tree) -> Result[Observation, PlatformError]:
    """Read the list of containers as a look; the operator restamps it."""
    try:
        sightings = tuple(
            seen
            for view in _list(tree, "containers")
            if (seen := _sighting(fleet, view)) is not None
        )
    except _Misread as misread:
        return Failure(_not_understood(misread))
    complete = tree.get("complete") is True
    return Success(Observation(began=0, complete=complete, sightings=sightings))


def _not_understood(misread: _Misread) -> Unreachable:
    return Unreachable(cause=f"the gateway's answer is not understood: {misread}")


def _event(fleet: str, tree: Tree) -> LifecycleEvent | None:
    """Read one event; a kind from a newer gateway says nothing to this release."""
    if tree.get("type") not in EVENT_TYPES:
        return None
    name, run, at = _name(tree), _number(tree, "run"), _moment(tree, "at")
    cursor = _text(tree, "cursor")
    match tree.get("type"):
        case "started":
            return ContainerStarted(
                at=at, name=name, run=run, source_at=at, cursor=cursor
            )
        case "ready":
            return ContainerReady(
                at=at,
                name=name,
                run=run,
                addresses=addresses_of(fleet, tree),
                source_at=at,
                cursor=cursor,
            )
        case "ended":
            end = exit_of(tree.get("end"), was_up=tree.get("started") is True)
            return ContainerEnded(
                at=at, name=name, run=run, exit=end, source_at=at, cursor=cursor
            )
        case _:
            cause = str(tree.get("cause", ""))
            return ContainerErrored(
                at=at, name=name, run=run, cause=cause, source_at=at, cursor=cursor
            )


def details_read(tree: Tree) -> Result[tuple[PlatformDetail, ...], PlatformError]:
    """Read the list of containers as what Cloudflare itself says of them."""
    try:
        return Success(tuple(map(_detail, _list(tree, "containers"))))
    except _Misread as misread:
        return Failure(_not_understood(misread))


def _detail(view: Tree) -> PlatformDetail:
    told = next(
        (
            found
            for key in ("problem", "end")
            if isinstance(found := view.get(key), dict)
        ),
        {},
    )
    facts = ("id", "application", "incarnation")
    return PlatformDetail(
        name=_name(view),
        run=_number(view, "run"),
        state=str(view.get("phase")),
        kind=str(told.get("kind", "")),
        raw=str(told.get("raw", "")),
        facts=Table.of((key, str(view[key])) for key in facts if view.get(key)),
    )


def _sighting(fleet: str, view: Tree) -> Sighting | None:
    """Read what is seen of one container; what was never begun is not seen."""
    name, run = _name(view), _number(view, "run")
    sight: Sight
    match view.get("phase"):
        case "starting" | "running":
            ready = view.get("ready_at") is not None
            sight = SeenRunning(ready=ready, addresses=addresses_of(fleet, view))
        case "ended":
            was_up = view.get("started_at") is not None
            sight = SeenEnded(exit=exit_of(view.get("end"), was_up=was_up))
        case "unreachable":
            sight = SeenUnreachable()
        case _:
            return None
    print_ = view.get("fingerprint")
    return Sighting(
        name=name,
        run=run,
        sight=sight,
        fingerprint=print_ if isinstance(print_, str) else "",
    )


def addresses_of(fleet: str, view: Tree) -> Table[str, str]:
    """Return where a Worker reaches each port: the object by its name, and the port.

    >>> view = {"name": "web-0", "application": "web", "ports": {"http": 8080}}
    >>> dict(addresses_of("demo", view).items())
    {'http': 'web:demo/web-0:8080'}

    """
    ports, application = view.get("ports"), view.get("application")
    if not isinstance(ports, dict):
        return Table()
    place = f"{application}:{fleet}/{view.get('name')}"
    return Table.of(
        (str(name), f"{place}:{port}") for name, port in cast("Tree", ports).items()
    )


def _list(tree: Tree, key: str) -> list[Tree]:
    found = tree.get(key)
    items = cast("list[object]", found) if isinstance(found, list) else None
    if items is None or not all(isinstance(item, dict) for item in items):
        msg = f"{key}: expected an array of objects"
        raise _Misread(msg)
    return cast("list[Tree]", items)


def _name(tree: Tree) -> str:
    found = tree.get("name")
    if not isinstance(found, str) or not is_name(found):
        msg = "name: expected the name of a container"
        raise _Misread(msg)
    return found


def _text(tree: Tree, key: str) -> str:
    found = tree.get(key)
    if not isinstance(found, str):
        msg = f"{key}: expected a text"
        raise _Misread(msg)
    return found


def _number(tree: Tree, key: str) -> int:
    found = tree.get(key)
    if type(found) is not int or found < 0:
        msg = f"{key}: expected a number"
        raise _Misread(msg)
    return found


def _moment(tree: Tree, key: str) -> Moment:
    return min(_number(tree, key), MOMENT_MAX)
