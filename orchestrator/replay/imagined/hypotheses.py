"""What would have been otherwise: another policy, another spec, a cause more or less.

A ``Hypothesis`` rewrites what was declared and says which rows never happened and
what happened besides; how the world would have answered is said elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

import attrs

from orchestrator.core.errors import InvalidSpec, Problem
from orchestrator.core.events import (
    CommandFailed,
    ContainerEnded,
    ContainerErrored,
    ContainerObserved,
    ContainerReady,
    ContainerStarted,
    Declaration,
    Event,
    HealthChanged,
    OwnerEvent,
    SpecApplied,
    StartRequested,
)
from orchestrator.core.fleet_specs import FleetSettings
from orchestrator.core.lineages import Lineage
from orchestrator.core.moments import Moment
from orchestrator.core.policies import RestartPolicy
from orchestrator.core.rollout_policies import RolloutPolicy
from orchestrator.core.service_events import AdoptRequested, ScaleRequested
from orchestrator.core.services import Service
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import Container, Fleet
from orchestrator.core.table import Table

__all__ = (
    "CAUSES",
    "FOR_ALL",
    "Hypothesis",
    "Recorded",
    "problems_of",
    "rewritten",
    "under",
)

FOR_ALL: Final = ""
"""In place of a name: the policy of every container that has none of its own."""

Cause: TypeAlias = (
    OwnerEvent
    | ContainerStarted
    | ContainerReady
    | ContainerEnded
    | ContainerErrored
    | ContainerObserved
    | HealthChanged
    | CommandFailed
)
"""What came from outside, and might not have."""

CAUSES: Final = "a request, news of a run, or a command that failed"
"""What may be skipped and inserted, in words."""

LISTED_MOST: Final = 8
"""Names that a problem lists."""


@attrs.frozen(kw_only=True)
class Recorded:
    """What a record is, as far as a hypothesis has to fit it.

    Its rows and its moments, the first and the last; the names of its containers and
    their services; the events of the rows that are to be skipped.
    """

    first: int
    last: int
    begins: Moment
    ends: Moment
    names: Table[str, None]
    skipped: Table[int, Event]


@attrs.frozen(kw_only=True)
class Hypothesis:
    """What is supposed to have been otherwise; nothing, where nothing is given.

    ``policies``: restart policies by the name of a container or of its service, or
    ``FOR_ALL``. ``rollouts``: how services are rolled out, by their names. ``specs``
    and ``settings`` take the place of those that were applied; the template of a
    service is the spec of its name. ``skip``: numbers of rows that never happened.
    ``insert``: what happened besides, each at its moment; news of run 0 are about the
    run that is live then.
    ``follows`` False: no container follows the record, all are played from the begin.
    """

    policies: Table[str, RestartPolicy] = Table()
    rollouts: Table[str, RolloutPolicy] = Table()
    specs: Table[str, ContainerSpec] = Table()
    settings: FleetSettings | None = None
    skip: frozenset[int] = frozenset()
    insert: tuple[Event, ...] = ()
    follows: bool = True

    def spec_for(self, spec: ContainerSpec) -> ContainerSpec:
        """Return the spec that takes the place of one that was declared."""
        spec = self.specs.get(spec.name) or spec
        for name in (spec.name, spec.service, FOR_ALL):
            policy = self.policies.get(name)
            if policy is not None:
                return attrs.evolve(spec, restart=policy)
        return spec


def rewritten(event: Event, hypothesis: Hypothesis) -> Event:
    """Return an event with the specs that it would have declared."""
    match event:
        case SpecApplied():
            return attrs.evolve(
                event,
                settings=hypothesis.settings or event.settings,
                declarations=tuple(
                    _declared(one, hypothesis) for one in event.declarations
                ),
                services=tuple(_served(one, hypothesis) for one in event.services),
            )
        case ScaleRequested(declarations=declarations):
            supposed = tuple(_declared(one, hypothesis) for one in declarations)
            return attrs.evolve(event, declarations=supposed)
        case AdoptRequested(declaration=declaration):
            return attrs.evolve(event, declaration=_declared(declaration, hypothesis))
        case StartRequested(declaration=Declaration() as declaration):
            return attrs.evolve(event, declaration=_declared(declaration, hypothesis))
        case _:
            return event


def _declared(declaration: Declaration, hypothesis: Hypothesis) -> Declaration:
    return attrs.evolve(declaration, spec=hypothesis.spec_for(declaration.spec))


def _served(service: Service, hypothesis: Hypothesis) -> Service:
    template = hypothesis.spec_for(service.template)
    rollout = hypothesis.rollouts.get(service.name) or service.rollout
    return attrs.evolve(service, template=template, rollout=rollout)


def under(fleet: Fleet, hypothesis: Hypothesis) -> Fleet:
    """Return a fleet that a record begins behind, with the specs it would have had.

    A container stays in the group that it was in then. A rollout under way goes on by
    the policy that it began with; the revisions it may go back to are as supposed.
    """
    containers: Table[str, Container] = fleet.containers
    for name, container in fleet.containers.items():
        spec = hypothesis.spec_for(container.spec)
        spec = attrs.evolve(spec, group=container.spec.group)
        if spec != container.spec:
            containers = containers.put(name, attrs.evolve(container, spec=spec))
    settings = hypothesis.settings or fleet.settings
    services = Table.of(
        (name, _served(service, hypothesis)) for name, service in fleet.services.items()
    )
    lineages = Table.of(
        (name, _descended(lineage, hypothesis))
        for name, lineage in fleet.lineages.items()
    )
    return attrs.evolve(
        fleet,
        containers=containers,
        settings=settings,
        services=services,
        lineages=lineages,
    )


def _descended(lineage: Lineage, hypothesis: Hypothesis) -> Lineage:
    revisions = tuple(
        attrs.evolve(one, template=hypothesis.spec_for(one.template))
        for one in lineage.revisions
    )
    return attrs.evolve(lineage, revisions=revisions)


def problems_of(hypothesis: Hypothesis, record: Recorded) -> InvalidSpec | None:
    """Say what of a hypothesis cannot be asked of a record; None: all can."""
    found = [*_skips(hypothesis, record), *_inserts(hypothesis, record)]
    asked = (*hypothesis.policies, *hypothesis.rollouts, *hypothesis.specs)
    named = [name for name in asked if name]
    if named and not any(name in record.names for name in named):
        theirs = f"a container of the record: {_listed(record.names)}"
        found.append(_wrong("the hypothesis", theirs, _listed(named)))
    return InvalidSpec(problems=tuple(found)) if found else None


def _skips(hypothesis: Hypothesis, record: Recorded) -> Iterator[Problem]:
    for seq in sorted(hypothesis.skip):
        event = record.skipped.get(seq)
        if event is None:
            rows = f"a row of the record, {record.first} to {record.last}"
            yield _wrong("skip", rows, str(seq))
        elif not isinstance(event, Cause):
            yield _wrong(f"skip {seq}", CAUSES, _kind(event))


def _inserts(hypothesis: Hypothesis, record: Recorded) -> Iterator[Problem]:
    for place, event in enumerate(hypothesis.insert, 1):
        where = f"insert {place}"
        name: str | None = getattr(event, "name", None)
        declared = getattr(event, "declaration", None)
        if not isinstance(event, Cause):
            yield _wrong(where, CAUSES, _kind(event))
        elif not record.begins <= event.at <= record.ends:
            span = f"a moment of the record, {record.begins} to {record.ends}"
            yield _wrong(f"{where}.at", span, str(event.at))
        elif name is not None and name not in record.names and declared is None:
            theirs = f"a container of the record: {_listed(record.names)}"
            yield _wrong(f"{where}.name", theirs, repr(name))


def _wrong(place: str, expected: str, found: str) -> Problem:
    return Problem(place=place, expected=expected, found=found)


def _kind(event: Event) -> str:
    """Return the kind of an event as the journal writes it.

    >>> from orchestrator.core.events import TimeReached
    >>> _kind(TimeReached(at=0))
    'time_reached'

    """
    name = type(event).__name__
    small = (f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
    return "".join(small).removeprefix("_")


def _listed(names: Iterable[str]) -> str:
    shown = list(names)
    more = f" and {len(shown) - LISTED_MOST} more" if len(shown) > LISTED_MOST else ""
    return f"{', '.join(shown[:LISTED_MOST]) or 'none'}{more}"
