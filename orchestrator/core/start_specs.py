"""Which spec a container shall be started with: given, kept, or from the template."""

from __future__ import annotations

import attrs
from returns.result import Failure, Result, Success

from orchestrator.core.errors import InvalidSpec, Problem, RequestError
from orchestrator.core.events import Declaration
from orchestrator.core.fingerprints import salt_of
from orchestrator.core.needs import wrong_needs
from orchestrator.core.requests import Start
from orchestrator.core.specs import ContainerSpec, named
from orchestrator.core.state import Container, Fleet

__all__ = ("declaration_of", "has_another_strategy", "invalid", "spec_of")


def spec_of(
    fleet: Fleet, request: Start, known: Container | None
) -> Result[ContainerSpec, RequestError]:
    """Return the spec that a start shall use: given, kept, or from the template."""
    try:
        given = _given(fleet, request, known)
        if given is None:
            expected = "a spec, a command, or an [ad_hoc] template in the fleet"
            return Failure(invalid(request.name, expected, "none of them"))
        if given.name != request.name:
            return Failure(invalid("spec.name", repr(request.name), repr(given.name)))
        if has_another_strategy(fleet, given):
            place = f"{request.name}.group.strategy"
            return Failure(invalid(place, "that of its group", "another"))
        if given.placement.spread:
            place = f"{request.name}.placement.spread"
            return Failure(invalid(place, "none: it is one container", "one"))
        asked = attrs.evolve(
            given,
            config=given.config if request.config is None else request.config,
            command=given.command if request.command is None else request.command,
            restart=request.restart_policy or given.restart,
        )
        is_as_it_was = known is not None and asked.depends_on == known.spec.depends_on
        wrong = None if is_as_it_was else wrong_needs(fleet, asked)
        return Success(asked) if wrong is None else Failure(wrong)
    except ValueError as error:
        return Failure(invalid(request.name, "a valid spec", str(error)))


def has_another_strategy(fleet: Fleet, spec: ContainerSpec) -> bool:
    """Say whether others of its group are restarted together in another way."""
    if spec.group is None:
        return False
    for _, name in fleet.groups.get(spec.group.group) or ():
        other = fleet.containers[name].spec.group
        if name != spec.name and other is not None:
            return other.strategy is not spec.group.strategy
    return False


def _given(
    fleet: Fleet, request: Start, known: Container | None
) -> ContainerSpec | None:
    if request.spec is not None:
        return request.spec
    if known is not None:
        return known.spec
    if fleet.settings.ad_hoc is not None:
        return named(fleet.settings.ad_hoc, request.name)
    if request.command is not None:
        return ContainerSpec(name=request.name, command=request.command)
    return None


def declaration_of(
    fleet: Fleet, spec: ContainerSpec, known: Container | None
) -> Declaration | None:
    """Return what a start has to declare: nothing where the spec stays."""
    if known is None:
        return Declaration(spec=spec, salt=salt_of(fleet.name, spec.name))
    if spec == known.spec:
        return None
    return Declaration(spec=spec, salt=known.salt)


def invalid(place: str, expected: str, found: str) -> InvalidSpec:
    """Return a refusal that has one problem."""
    return InvalidSpec(problems=(Problem(place=place, expected=expected, found=found),))
