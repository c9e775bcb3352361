"""What ``gateway init`` is told of an operator that Cloudflare hosts, and remembers.

What is not said this time is as it was: a project that hosts its operator goes on to
do so, with the fleet file as it is now.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import attrs
import click
from returns.result import Failure

from orchestrator.cli.failing import Failed
from orchestrator.cli.python_files import is_python, source_of
from orchestrator.cli.tools import version_text
from orchestrator.codec.fleet_file import FleetFile
from orchestrator.core.errors import InvalidSpec, Problem
from orchestrator.core.hosting import INSTANCE_TYPES
from orchestrator.platforms.cloudflare.project.hosting import (
    FLEET_FILE,
    Asked,
    Hosting,
    hosting_of,
)
from orchestrator.platforms.cloudflare.project.own_wheel import own_wheel, wheel_name

__all__ = ("NOT_HOSTED", "Hosted", "hosted_of", "hosting_options")

F = TypeVar("F", bound=Callable[..., Any])

USAGE = 2


@attrs.frozen(kw_only=True)
class Hosted:
    """The operator of a project, and the files that its image holds."""

    hosting: Hosting | None = None
    beside: Mapping[str, bytes] = attrs.field(factory=dict[str, bytes])


NOT_HOSTED = Hosted()


def hosting_options(function: F) -> F:
    """Add the options of a hosted operator to ``gateway init``."""
    host = click.option(
        "--host-operator/--no-host-operator",
        "host_operator",
        default=None,
        help="Have Cloudflare run the operator, too; as before, where it is not said.",
    )
    size = click.option(
        "--operator-size",
        type=click.Choice(tuple(INSTANCE_TYPES)),
        help="How large a hosted operator is; basic, unless it was said before.",
    )
    more = click.option(
        "--operator-secret",
        "operator_secrets",
        metavar="NAME",
        multiple=True,
        help="A secret of the Worker for a hosted operator, beside those that the fleet"
        " file names; once each.",
    )
    return host(size(more(function)))


def hosted_of(
    path: Path,
    file: FleetFile,
    before: Hosting | None,
    said: Mapping[str, Any],
) -> Hosted:
    """Return the operator that a project hosts, after what was *said*; or fail.

    *before* is the one that it had.
    """
    wish = said["host_operator"]
    is_hosted = before is not None and not before.retired if wish is None else wish
    if not is_hosted and (said["operator_size"] or said["operator_secrets"]):
        raise click.UsageError("--operator-... go with --host-operator.")
    if is_hosted:
        return _planned(path, file, _asked(before, said))
    if before is None:
        return NOT_HOSTED
    # Nothing of it begins any more: what it was is enough to have it stopped. Its image
    # is still built at each deploy, so all that its Dockerfile names must be there.
    release = version_text()
    retired = attrs.evolve(before, release=release, modules=(), retired=True)
    beside = {FLEET_FILE: _read(source_of(path)), wheel_name(release): own_wheel()}
    return Hosted(hosting=retired, beside=beside)


def _planned(path: Path, file: FleetFile, asked: Asked) -> Hosted:
    if is_python(path):
        raise Failed(
            f"{path}: a hosted operator needs its fleet file in TOML; the Python that"
            " it names goes with it",
            USAGE,
        )
    data = _read(path)
    release = version_text()
    hosting = hosting_of(file, data, asked, release=release)
    if isinstance(hosting, Failure):
        raise _wrong(path, hosting.failure())
    beside = {FLEET_FILE: data, wheel_name(release): own_wheel()}
    for module in hosting.unwrap().modules:
        beside[module] = _module(path, module)
    return Hosted(hosting=hosting.unwrap(), beside=beside)


def _asked(before: Hosting | None, said: Mapping[str, Any]) -> Asked:
    known = Asked() if before is None else before.asked
    more = tuple(said["operator_secrets"])
    return Asked(
        size=said["operator_size"] or known.size,
        more_secrets=more or known.more_secrets,
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Failed(f"{path}: {error.strerror}", USAGE) from None


def _module(path: Path, module: str) -> bytes:
    """Read a module that the fleet file names, which must be a file beside it."""
    found = path.resolve().parent / module
    if not found.is_file():
        problem = Problem(
            place=f"{module.removesuffix('.py')}",
            expected=f"a module in the file {found}, as its image holds no other",
            found="no such file",
        )
        raise _wrong(path, InvalidSpec(problems=(problem,)))
    return _read(found)


def _wrong(path: Path, error: InvalidSpec) -> Failed:
    return Failed("\n".join(f"{path}: {one.message}" for one in error.problems), USAGE)
