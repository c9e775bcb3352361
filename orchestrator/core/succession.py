"""What a new fleet file means for services that have, or get, several revisions.

| the declared template | what comes of it |
|---|---|
| is the one of before | nothing, but that missing replicas come |
| differs in how its runs are handled alone | all replicas, in place |
| differs, and the service has a rollout policy | a rollout, unless all are so already |
| differs, and it has none | all replicas at once |

A service that was never rolled out, and is not now, is none of these: its replicas are
declared as every container is. A declared replica is found by its name, else by its
index: it may have been made beside the one before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum, auto
from typing import Final

import attrs

from orchestrator.core.commands import Command
from orchestrator.core.drafts import FleetDraft, place
from orchestrator.core.evolving import evolve
from orchestrator.core.generations import (
    adapted,
    first_lineage,
    is_same_process,
    spec_for,
    template_of,
    with_handling,
    with_needs,
    with_revision,
)
from orchestrator.core.lineages import Lineage, Revision
from orchestrator.core.owner_events import SpecApplied
from orchestrator.core.rollout_turns import begin, drop_lineage, supersede
from orchestrator.core.service_events import Declaration
from orchestrator.core.services import Service
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.standings import is_member
from orchestrator.core.state import Container, Desired
from orchestrator.core.under_way import names_of
from orchestrator.core.wishes import leave

__all__ = ("Line", "lines_of", "succeed")

_ONE_OF_TWO: Final = "its service needs one of its index alone"


class _Way(Enum):
    KEEP = auto()
    HANDLE = auto()
    ROLL = auto()
    AT_ONCE = auto()


@attrs.frozen(kw_only=True)
class Line:
    """A service with revisions, its replicas by their index, and what they become."""

    service: Service
    lineage: Lineage
    way: _Way
    target: Revision | None
    present: dict[int, list[Container]] = attrs.field(eq=False)

    def names(self, spec: ContainerSpec) -> tuple[str, ...]:
        """Return the containers that a declared replica is already."""
        return tuple(each.name for each in self.present.get(spec.replica, ()))

    def declared(self, declaration: Declaration) -> Iterator[tuple[Declaration, int]]:
        """Yield what a declared replica is declared as, and of which revision."""
        template, index = self.service.template, declaration.spec.replica
        at_once = self.target if self.way is _Way.AT_ONCE else None
        change = _CHANGES[self.way]
        for known in self.present.get(index, ())[: None if at_once is None else 1]:
            if at_once is not None:
                spec, number = spec_for(template, index, known.name), at_once.number
            else:
                spec, number = change(known.spec, template), known.generation
            yield Declaration(spec=spec, salt=known.salt), number
        if index not in self.present:
            serving = template_of(self.service, self.lineage)
            number = self.lineage.serving if at_once is None else at_once.number
            made_of = change(serving, template) if at_once is None else template
            spec = spec_for(made_of, index)
            yield Declaration(spec=spec, salt=declaration.salt), number


def _as_it_is(spec: ContainerSpec, _: ContainerSpec) -> ContainerSpec:
    return spec


_CHANGES: Final[dict[_Way, Callable[[ContainerSpec, ContainerSpec], ContainerSpec]]] = {
    _Way.KEEP: _as_it_is,
    _Way.HANDLE: with_handling,
    _Way.ROLL: with_needs,
    _Way.AT_ONCE: with_handling,
}
"""What a file changes at once of replicas that keep their revision."""


def lines_of(draft: FleetDraft, event: SpecApplied) -> dict[str, Line]:
    """Return the services of a file that have revisions, or get them, by name."""
    rolled = {
        service.name: service
        for service in event.services
        if service.name in draft.lineages
        or (service.rollout is not None and _differs(draft, service))
    }
    if not rolled:
        return {}
    present: dict[str, dict[int, list[Container]]] = {name: {} for name in rolled}
    for container in draft.containers.values():
        name = container.spec.service
        if name in rolled and is_member(container, name) and not container.leaving:
            row = present[name].setdefault(container.spec.replica, [])
            row.append(container)
    lines = (
        _line(draft, service, present[name], event) for name, service in rolled.items()
    )
    return {line.service.name: line for line in lines if line is not None}


def _differs(draft: FleetDraft, service: Service) -> bool:
    known = draft.services.get(service.name)
    return known is not None and not is_same_process(known.template, service.template)


def _line(
    draft: FleetDraft,
    service: Service,
    present: dict[int, list[Container]],
    event: SpecApplied,
) -> Line | None:
    known, lineage = draft.services.get(service.name), draft.lineages.get(service.name)
    if lineage is None:
        if known is None or not present:
            return None
        lineage = first_lineage(known.template, event.at)
    target = _target(lineage, service, event)
    is_same = known is not None and known.template == service.template
    way = _Way.KEEP if is_same else _Way.HANDLE
    if _differs(draft, service):
        is_rolled = service.rollout is not None and bool(present)
        way = _Way.ROLL if is_rolled else _Way.AT_ONCE
    if way is _Way.ROLL and _is_there(draft, target, present):
        way = _Way.HANDLE
    return Line(
        service=service,
        lineage=lineage,
        way=way,
        target=target if way in {_Way.ROLL, _Way.AT_ONCE} else None,
        present=present,
    )


def _target(lineage: Lineage, service: Service, event: SpecApplied) -> Revision:
    """Return the revision that a declared template is: the serving or a new one."""
    template = service.template
    serving = lineage.revision(lineage.serving)
    if serving is not None and is_same_process(serving.template, template):
        return evolve(serving, template=template)
    return Revision(
        number=lineage.count + 1,
        template=template,
        at=event.at,
        by=event.by,
        why=event.why,
    )


def _is_there(
    draft: FleetDraft, target: Revision, present: dict[int, list[Container]]
) -> bool:
    """Say whether all replicas are what a rollout would make of them."""
    rows = present.values()
    is_new = all(each.generation == target.number for row in rows for each in row)
    return is_new and target.template.service not in draft.rolling


def succeed(
    draft: FleetDraft, lines: dict[str, Line], asked: Desired
) -> tuple[Command, ...]:
    """Have the services come to their new revisions; forget those that have gone."""
    commands: tuple[Command, ...] = ()
    for name in [name for name in draft.lineages if name not in draft.services]:
        drop_lineage(draft, name)
    rolled = [name for name, line in lines.items() if line.way is _Way.ROLL]
    present = {name: names_of(draft, name) for name in rolled}
    for name, line in lines.items():
        lineage = draft.lineages.get(name) or line.lineage
        lineage = adapted(lineage, line.service.template, _CHANGES[line.way])
        draft.lineages = draft.lineages.put(name, lineage)
        if line.target is None:
            continue
        if name in present:
            names = present[name]
            commands += begin(draft, line.target, asked, names, anew=False)
            continue
        supersede(draft, name, "all replicas were changed at once")
        commands += _without_twins(draft, line, asked)
        lineage = with_revision(draft.lineages[name], line.target)
        at_once = evolve(lineage, serving=line.target.number)
        draft.lineages = draft.lineages.put(name, at_once)
    return commands


def _without_twins(
    draft: FleetDraft, line: Line, asked: Desired
) -> tuple[Command, ...]:
    """Have go who runs beside another one of its index: that one has become new."""
    commands: tuple[Command, ...] = ()
    away = evolve(asked, running=False, why=_ONE_OF_TWO)
    for row in line.present.values():
        for known in row[1:]:
            twin = draft.containers.get(known.name)
            if twin is None or twin.leaving or not is_member(twin, line.service.name):
                continue  # its index has left the file
            left, orders = leave(twin, away)
            left = evolve(left, changed_at=asked.at)
            commands += orders + place(draft, twin, left)
    return commands
