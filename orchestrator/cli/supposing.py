"""What is to be supposed otherwise, as it is given to ``replay what-if``.

A policy is a fleet file, whose containers name whose policy it is, or a file with
nothing but a ``[restart]`` table, which is the policy of all.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import attrs
import click
import orjson
from returns.result import Failure

from orchestrator.cli.failing import Failed, failed
from orchestrator.cli.named import OPTION, policies_named, policies_of
from orchestrator.cli.python_files import is_python
from orchestrator.cli.readings import Moment as MomentType
from orchestrator.cli.tools import parsed_file
from orchestrator.codec.fleet_file import FleetFile, read_fleet_file
from orchestrator.codec.problems import invalid
from orchestrator.codec.wire import decode_event
from orchestrator.core.custom import CustomPolicies
from orchestrator.core.errors import InvalidSpec, Problem
from orchestrator.core.events import Event
from orchestrator.core.moments import Moment
from orchestrator.core.policies import RestartPolicy
from orchestrator.core.rollout_policies import RolloutPolicy
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.table import Table
from orchestrator.replay.imagined.hypotheses import FOR_ALL, Hypothesis

__all__ = ("Given", "supposed")

ANY: Final = b'\n[[containers]]\nname = "any"\ncommand = ["run"]\n'
"""What makes a file of a policy one of a fleet; behind the rest, so lines stay."""

HEAD: Final = b'\n[fleet]\nname = "any"\n'

OF_A_RUN: Final = (
    "container_started",
    "container_ready",
    "container_ended",
    "container_errored",
    "container_observed",
    "health_changed",
    "command_failed",
)
"""Events about a run: the one that is live at their moment, where they name none."""


@attrs.frozen(kw_only=True)
class Given:
    """What was given on the command line."""

    policy: Path | None = None
    only: tuple[str, ...] = ()
    spec: Path | None = None
    skip: tuple[int, ...] = ()
    insert: tuple[str, ...] = ()
    policies: str | None = None


def supposed(given: Given) -> tuple[Hypothesis, CustomPolicies]:
    """Return what is supposed, and the custom policies that it may need."""
    known = policies_named(given.policies, Path.cwd(), OPTION)
    restart: Table[str, RestartPolicy] = Table()
    rollouts: Table[str, RolloutPolicy] = Table()
    if given.policy is not None:
        file, is_bare = _policy_file(given.policy)
        known = _joined(known, policies_of(file, given.policy.absolute().parent))
        restart = _policies(file, given, is_bare=is_bare)
        rollouts = _rollouts(file, given)
    specs: Table[str, ContainerSpec] = Table()
    settings = None
    if given.spec is not None:
        fleet = parsed_file(given.spec)
        known = _joined(known, policies_of(fleet, given.spec.absolute().parent))
        templates = (service.template for service in fleet.spec.services)
        specs = Table.of(
            (one.name, one) for one in (*templates, *fleet.spec.containers)
        )
        settings = fleet.spec.settings
    hypothesis = Hypothesis(
        policies=restart,
        rollouts=rollouts,
        specs=specs,
        settings=settings,
        skip=frozenset(given.skip),
        insert=tuple(_events(given.insert)),
    )
    return hypothesis, known


def _joined(some: CustomPolicies, others: CustomPolicies) -> CustomPolicies:
    return Table.of((*some.items(), *others.items()))


# Policies


def _policy_file(path: Path) -> tuple[FleetFile, bool]:
    """Read a file of policies; say whether it is a bare one, of no container."""
    if is_python(path):
        return parsed_file(path), False
    try:
        data = path.read_bytes()
        tree = tomllib.loads(data.decode())
    except OSError as error:
        raise Failed(f"{path}: {error.strerror}", 2) from None
    except (ValueError, RecursionError):
        return parsed_file(path), False  # which says what is wrong with it
    if "containers" in tree:
        return parsed_file(path), False
    if "restart" not in tree:
        expected = "a [restart] table, or [[containers]]"
        problem = Problem(place=str(path), expected=expected, found="neither")
        raise failed(InvalidSpec(problems=(problem,)))
    data += ANY if "fleet" in tree else HEAD + ANY
    folder = str(path.absolute().parent)
    read = read_fleet_file(data, file=str(path), folder=folder)
    if isinstance(read, Failure):
        raise failed(read.failure())
    return read.unwrap(), True


def _policies(
    file: FleetFile, given: Given, *, is_bare: bool
) -> Table[str, RestartPolicy]:
    """Return policies by whose they are: of all, of those named, of the file's."""
    containers = file.spec.containers
    if is_bare:
        names = given.only or (FOR_ALL,)
        return Table.of((name, containers[0].restart) for name in names)
    theirs = {spec.service: spec.restart for spec in reversed(containers)}
    theirs |= {spec.name: spec.restart for spec in containers}
    for name in given.only:
        if name not in theirs:
            expected = f"a container of {given.policy}"
            raise failed(invalid("--for", expected, name))
    wanted = given.only or tuple(theirs)
    return Table.of((name, theirs[name]) for name in wanted)


def _rollouts(file: FleetFile, given: Given) -> Table[str, RolloutPolicy]:
    """Return how the services of a file are rolled out, where it says so."""
    return Table.of(
        (service.name, service.rollout)
        for service in file.spec.services
        if service.rollout is not None
        and (not given.only or service.name in given.only)
    )


# Events


def _events(texts: Iterable[str]) -> Iterable[Event]:
    for number, text in enumerate(texts, 1):
        yield _event(text, f"--insert {number}")


def _event(text: str, place: str) -> Event:
    """Read an event as the journal writes it; its moment may be written in ISO 8601."""
    try:
        tree: Any = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        where = f"{place}, column {error.colno}"
        raise failed(invalid(where, "JSON", error.msg)) from None
    if isinstance(tree, dict):
        if isinstance(tree.get("at"), str):
            tree["at"] = _moment(tree["at"], place)
        if tree.get("type") in OF_A_RUN:
            tree.setdefault("run", 0)
    event = decode_event(orjson.dumps(tree))
    if isinstance(event, Failure):
        raise failed(_at(place, event.failure()))
    return event.unwrap()


def _moment(text: str, place: str) -> Moment:
    try:
        return MomentType().convert(text, None, None)
    except click.BadParameter:
        expected = "milliseconds since 1970, or a time such as 2026-01-31T12:30:00Z"
        raise failed(invalid(f"{place}.at", expected, text)) from None


def _at(place: str, error: InvalidSpec) -> InvalidSpec:
    """Tell problems of an event by its place among what was given."""
    return InvalidSpec(
        problems=tuple(
            attrs.evolve(one, place=f"{place}{one.place.removeprefix('$')}")
            for one in error.problems
        )
    )
