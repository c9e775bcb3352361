"""Commands that need no operator: validate, completion, version."""

from __future__ import annotations

from importlib.metadata import version as version_of
from pathlib import Path
from platform import python_version

import click
from click.shell_completion import get_completion_class
from returns.result import Failure

from orchestrator.cli.failing import Failed, failed
from orchestrator.cli.plain import counted
from orchestrator.cli.python_files import fleet_declared, is_python
from orchestrator.codec.fleet_file import FleetFile, read_fleet_file
from orchestrator.codec.schema import SCHEMA
from orchestrator.core.state import RULES

__all__ = (
    "completion",
    "parsed_file",
    "read_file",
    "validate",
    "version",
    "version_text",
)


def version_text() -> str:
    """Return the version of the distribution."""
    return version_of("cf-container-orchestrator")


def parsed_file(path: Path) -> FleetFile:
    """Read a fleet file, or run one in Python; what it warns of is the caller's."""
    if is_python(path):
        return fleet_declared(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Failed(f"{path}: {error.strerror}", 2) from None
    folder = str(path.absolute().parent)
    read = read_fleet_file(data, file=str(path), folder=folder)
    if isinstance(read, Failure):
        raise failed(read.failure())
    return read.unwrap()


def read_file(path: Path) -> FleetFile:
    """Read a fleet file; warnings and notes go to the error stream."""
    fleet = parsed_file(path)
    for warning in fleet.warnings:
        click.echo(f"warning: {warning}", err=True)
    for note in fleet.notes:
        click.echo(f"note: {note}", err=True)
    return fleet


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
def validate(file: Path) -> None:
    """Check a fleet file; tell every problem at once."""
    fleet = read_file(file)
    count = counted(len(fleet.spec.containers), "container")
    click.echo(f"{file} is valid: fleet {fleet.spec.name!r}, {count}")


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes a shell complete this command.

    For bash: eval "$(orchestrator completion bash)"

    Names of containers, services and orphans are those of the operator that is meant;
    where it does not answer within two seconds, none are offered.
    """
    kind = get_completion_class(shell)
    root = context.find_root().command
    if kind is None:
        raise Failed(f"no completion for {shell}", 2)
    complete = kind(root, {}, "orchestrator", "_ORCHESTRATOR_COMPLETE")
    click.echo(complete.source())


@click.command()
def version() -> None:
    """Show the version, and the numbers of rules and schema."""
    numbers = f"rules {RULES}, schema {SCHEMA}, Python {python_version()}"
    click.echo(f"orchestrator {version_text()} ({numbers})")
