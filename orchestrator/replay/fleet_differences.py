"""What differs between two fleets: containers that came and went, and their fields."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, cast

import attrs

from orchestrator.core.errors import Difference
from orchestrator.core.phases import phase_name
from orchestrator.core.state import Container, Fleet
from orchestrator.replay.trees import Tree, differences

__all__ = ("Changed", "FleetsDiffer", "compare_containers", "compare_fleets")

_OF_THE_FLEET: Final = (
    "name",
    "settings",
    "revision",
    "epoch",
    "rules",
    "fences",
    "observed",
    "run_floor",
    "strangers",
    "forgetting",
    "services",
    "evicting",
    "lineages",
    "loads",
    "rolls",
)
"""What is compared of a fleet, beside its containers. Indexes follow from those, and
what changes with every event (the moment, counters, places in streams) says nothing."""


@attrs.frozen(kw_only=True)
class Changed:
    """A container that is in both fleets and differs: its phases, and all fields."""

    name: str
    was: str
    now: str
    differences: tuple[Difference, ...]


@attrs.frozen(kw_only=True)
class FleetsDiffer:
    """How a fleet differs from another: containers that came and went, fields."""

    came: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    changed: tuple[Changed, ...] = ()
    fields: tuple[Difference, ...] = ()

    @property
    def is_nothing(self) -> bool:
        """Say whether there is no difference."""
        return not (self.came or self.gone or self.changed or self.fields)


def compare_fleets(was: Fleet, now: Fleet, tree: Callable[[Any], Tree]) -> FleetsDiffer:
    """Say how *now* differs from *was*; *tree* gives values as plain JSON."""
    if was == now:
        return FleetsDiffer()
    fields = {name: _whole(getattr(was, name), tree) for name in _OF_THE_FLEET}
    others = {name: _whole(getattr(now, name), tree) for name in _OF_THE_FLEET}
    return FleetsDiffer(
        came=tuple(name for name in now.containers if name not in was.containers),
        gone=tuple(name for name in was.containers if name not in now.containers),
        changed=tuple(_changed(was, now, tree)),
        fields=tuple(differences(fields, others, "")),
    )


def _changed(was: Fleet, now: Fleet, tree: Callable[[Any], Tree]) -> Iterator[Changed]:
    for name, before in was.containers.items():
        after = now.containers.get(name)
        if after is not None and after is not before and after != before:
            yield Changed(
                name=name,
                was=phase_name(before.phase),
                now=phase_name(after.phase),
                differences=compare_containers(before, after, tree),
            )


def compare_containers(
    was: Container | None, now: Container | None, tree: Callable[[Any], Tree]
) -> tuple[Difference, ...]:
    """Return the fields in which a container differs; None: it is not there."""
    before: Tree = {} if was is None else _whole(was, tree)
    after: Tree = {} if now is None else _whole(now, tree)
    return tuple(differences(before, after, ""))


def _whole(value: Any, tree: Callable[[Any], Tree]) -> Tree:
    """Return a value as plain JSON, also what is left out where it is as usual.

    A field at its default has a value, and "nothing" would say that it has none.
    """
    kind: type[Any] = value.__class__
    if kind is tuple:
        return [_whole(inner, tree) for inner in value]
    written: Tree = tree(value)
    if not attrs.has(kind) or not isinstance(written, dict):
        return written
    fields = {
        field.name: _whole(getattr(value, field.name), tree)
        for field in attrs.fields(kind)
    }
    given = cast("dict[str, Tree]", written)
    return {"type": given["type"], **fields} if "type" in given else fields
