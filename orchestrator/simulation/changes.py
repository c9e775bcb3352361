"""What is done to a fleet while it is rehearsed: by its owner, or by its load.

A change comes at its moment. Where nobody can take it then, because no operator is
there or nothing can be written, it is made as soon as somebody can; where it is
refused, that is the answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeAlias

import attrs

from orchestrator.core.errors import JournalUnavailable, OperatorClosed
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.loads import LoadObserved
from orchestrator.core.moments import Millis, Moment
from orchestrator.core.requests import Apply, Request
from orchestrator.core.services import Service, replica_of
from orchestrator.core.specs import ContainerSpec
from orchestrator.simulation.characters import Character, Release
from orchestrator.simulation.operators import Refusal
from orchestrator.simulation.runs import Run

__all__ = (
    "Change",
    "Changed",
    "Wanted",
    "ask",
    "asked",
    "made",
    "releases_of",
    "with_template",
)

PATIENCE: Final[Millis] = 1_000
"""How long to wait before a request is made again that nobody could take."""

Wanted: TypeAlias = Request | LoadObserved
"""What may be done: something is asked for, or a load is measured."""


@attrs.frozen(kw_only=True)
class Change:
    """Something is done to the fleet at a moment of the run, in the words of its owner.

    ``character`` says how the containers behave of which an ``Apply`` brings another
    template; None: as they were drawn. The moment in a ``LoadObserved`` does not count.
    """

    at: Moment
    wanted: Wanted
    words: str
    character: Character | None = None


@attrs.frozen(kw_only=True)
class Changed:
    """A change that was made ``at`` a moment, or ``refused`` (``""``: it was not)."""

    at: Moment
    words: str
    refused: str = ""


def made(run: Run, change: Change) -> Changed:
    """Let time pass up to a change, and make it."""
    run.run_until(change.at)
    refused = ask(run, change.wanted)
    return Changed(at=run.now, words=change.words, refused=refused)


def ask(run: Run, wanted: Wanted) -> str:
    """Have something done as soon as it can be; return why not, ``""``: it is done."""
    while True:
        refusal = asked(run, wanted)
        if not isinstance(refusal, JournalUnavailable | OperatorClosed):
            return "" if refusal is None else refusal.message
        run.run_until(run.now + PATIENCE)


def asked(run: Run, wanted: Wanted) -> Refusal | None:
    """Have something done now; return why it is not, None: it is done."""
    if not isinstance(wanted, LoadObserved):
        return run.ask(wanted)
    if run.operator is None:
        return OperatorClosed()
    run.operator.tell(wanted)
    return None


def with_template(
    spec: FleetSpec, template: ContainerSpec, replicas: int | None = None
) -> FleetSpec:
    """Return a fleet in which a service, or a container, has another template.

    It is the one of the template's name. *replicas* None leaves their number.
    """
    service = next((one for one in spec.services if one.name == template.name), None)
    if service is None:
        containers = tuple(
            template if one.name == template.name else one for one in spec.containers
        )
        return attrs.evolve(spec, containers=containers)
    count = service.declared if replicas is None else replicas
    changed = attrs.evolve(service, template=template, replicas=count, declared=count)
    return attrs.evolve(
        spec,
        containers=(*_others(spec, changed), *_replicas(changed)),
        services=tuple(changed if one is service else one for one in spec.services),
    )


def _others(spec: FleetSpec, service: Service) -> list[ContainerSpec]:
    name = service.name
    return [one for one in spec.containers if not one.service == name != one.name]


def _replicas(service: Service) -> list[ContainerSpec]:
    return [replica_of(service, index) for index in range(service.declared)]


# How what is new behaves


def releases_of(before: FleetSpec, changes: Iterable[Change]) -> tuple[Release, ...]:
    """Return how what the changes bring behaves, where they say so."""
    known = {template.name: template for template in _templates(before)}
    return tuple(
        Release(template=template, character=change.character)
        for change in changes
        if change.character is not None and isinstance(change.wanted, Apply)
        for template in _templates(change.wanted.spec)
        if known.get(template.name) != template
    )


def _templates(spec: FleetSpec) -> list[ContainerSpec]:
    """Return what a fleet is made of: a template for each service, then the others."""
    services = [service.template for service in spec.services]
    names = {template.name for template in services}
    return [*services, *(one for one in spec.containers if one.service not in names)]
