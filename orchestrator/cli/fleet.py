"""``fleet export``: a fleet as TOML or as Python, from a file or from its operator."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any, Final

import attrs
import click
from returns.result import Failure

from orchestrator.cli.client import Client
from orchestrator.cli.failing import Failed
from orchestrator.cli.python_files import is_python, source_of
from orchestrator.cli.reach import Reach, reach_options
from orchestrator.cli.state import Kept, kept
from orchestrator.cli.tools import parsed_file
from orchestrator.codec.fleet_file import FleetFile
from orchestrator.codec.fleet_python import python_text
from orchestrator.codec.fleet_tables import Tree
from orchestrator.codec.fleet_toml import toml_text
from orchestrator.codec.fleet_writing import fleet_tree, left_unsaid
from orchestrator.codec.journal_choice import JournalChoice, JournalKind
from orchestrator.codec.platform_choices import LocalChoice
from orchestrator.codec.wire import read_tree
from orchestrator.core.fleet_specs import FleetSettings, FleetSpec
from orchestrator.core.services import Service, replica_of
from orchestrator.core.specs import ContainerSpec
from orchestrator.runtime.masks import refused_masks

__all__ = ("fleet",)

_NOWHERE: Final = ""
"""The folder of a fleet that is in no file: its paths are absolute."""


@attrs.frozen(kw_only=True)
class _Config:
    """What ``/v1/config`` answers."""

    name: str
    revision: int
    settings: FleetSettings
    containers: tuple[ContainerSpec, ...]
    services: tuple[Service, ...] = ()


@click.group()
def fleet() -> None:
    """Work with the declaration of a fleet."""


@fleet.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option(
    "--to",
    "form",
    type=click.Choice(["toml", "python"]),
    help="The form to write; unsaid, the other one than FILE's, else toml.",
)
@reach_options
def export(file: Path | None, form: str | None, reach: Reach) -> None:
    """Write a fleet as TOML or as Python, to the standard output.

    FILE may be either. Without it the fleet that the operator keeps now is written:
    what looks secret is *** there, as the operator never shows it, and what only a
    file says (such as [api]) is not known. Comments of a file are not carried over.
    """
    if file is None:
        found, told = _kept_now(reach)
        tree, comments = fleet_tree(found, _NOWHERE), told
        form = form or "toml"
    elif reach.state or reach.url or reach.context:
        raise click.UsageError("FILE goes without --state, --url and --context.")
    else:
        found, comments = parsed_file(file), ()
        tree = fleet_tree(found, str(source_of(file).absolute().parent))
        form = form or ("toml" if is_python(file) else "python")
    for note in (*comments, *left_unsaid(found.spec)):
        click.echo(f"note: {note}", err=True)
    head = "".join(f"# {comment}\n" for comment in comments)
    click.echo(head + ("\n" if head else "") + _written(tree, form), nl=False)


def _written(tree: Tree, form: str) -> str:
    if form == "python":
        return python_text(tree)
    text = toml_text(tree)
    if isinstance(text, Failure):
        raise Failed(text.failure().message, 2)
    return text.unwrap()


def _kept_now(reach: Reach) -> tuple[FleetFile, tuple[str, ...]]:
    """Return the declared fleet of a running operator, and what is to be said of it."""
    client = reach.client()
    config = _config(client)
    declared = {
        info["name"] for info in client.get("containers") if info["min_replica_set"]
    }
    folder = reach.folder()
    left = None if folder is None else kept(folder)
    policies = None if left is None or left.policies is None else left.policies[0]
    try:
        spec = _spec(config, declared)
        told = tuple(_told(config, declared, left))
    except ValueError as error:  # such as a dependency on what is ad hoc
        raise Failed(f"no file can say what the operator has now: {error}", 2) from None
    file = FleetFile(
        spec=spec,
        platform=LocalChoice() if left is None else left.platform,
        journal=JournalChoice() if left is None else JournalChoice(kind=left.journal),
        policies=policies,
    )
    return file, told


def _config(client: Client) -> _Config:
    answer: Any = client.get("config")
    read = read_tree(answer, _Config)
    if isinstance(read, Failure):
        raise Failed("the operator is of another release than this command", 6)
    return read.unwrap()


def _spec(config: _Config, declared: set[str]) -> FleetSpec:
    """Return the fleet as it is asked for now: scaled, without what is ad hoc."""
    services = tuple(
        Service(template=each.template, replicas=_sayable(each, config, declared))
        for each in config.services
    )
    replicas = tuple(
        replica_of(service, index)
        for service in services
        for index in range(service.replicas)
    )
    return FleetSpec(
        name=config.name,
        settings=config.settings,
        containers=(*_alone(config, declared), *replicas),
        services=services,
    )


def _sayable(service: Service, config: _Config, declared: set[str]) -> int:
    """Return how many replicas a file can ask for: up to a name that another has.

    A scale goes past such a name, a file counts from 0.
    """
    taken = {spec.name for spec in _alone(config, declared)}
    names = (f"{service.name}-{index}" for index in range(service.replicas))
    free = takewhile(lambda name: name not in taken, names)
    return sum(1 for _ in free)


def _alone(config: _Config, declared: set[str]) -> tuple[ContainerSpec, ...]:
    """Return the declared containers that are no replicas of a service."""
    scaled = {service.name for service in config.services}
    return tuple(
        spec
        for spec in config.containers
        if spec.name in declared
        and (spec.service not in scaled or spec.name == spec.service)
    )


def _told(config: _Config, declared: set[str], left: Kept | None) -> Iterator[str]:
    """Yield what the reader of an exported fleet must know."""
    yield f"fleet {config.name!r} at revision {config.revision}, as its operator has it"
    unknown = ["[journal]", "[api]", "env_vars", "hooks"]
    if left is not None and left.journal is not JournalKind.SQLITE:
        unknown[:1] = ["[journal] but for its kind", "[lease]"]
    if left is None:
        unknown = ["[platform]", *unknown, "policies"]
    yield f"not known to the operator, and not here: {', '.join(unknown)}"
    count = _masks(config, declared)
    if count:
        places = "one place" if count == 1 else f"{count} places"
        yield f"*** stands in {places} for what looks secret: say it there anew"
    for service in config.services:
        if service.replicas != service.declared:
            scaled = f"scaled to {service.replicas}, its file says {service.declared}"
            yield f"{service.name}: {scaled}"
        count = _sayable(service, config, declared)
        if count < service.replicas:
            other = f"{service.name}-{count} is a container of its own"
            yield f"{service.name}: only {count} can be said by a file, for {other}"


def _masks(config: _Config, declared: set[str]) -> int:
    """Count what is not shown, in each entry once."""
    templates = (service.template for service in config.services)
    entries = FleetSpec(
        name=config.name,
        settings=config.settings,
        containers=(*_alone(config, declared), *templates),
    )
    masked = refused_masks(entries)
    return 0 if masked is None else len(masked.problems)
