"""``gateway``: the Worker between the operator and Cloudflare, made and checked."""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import attrs
import click
from returns.result import Failure
from rich import box
from rich.table import Table
from rich.text import Text

from orchestrator.cli.failing import Failed
from orchestrator.cli.gateway_files import look, write
from orchestrator.cli.gateway_hosting import hosted_of, hosting_options
from orchestrator.cli.gateway_operator import operator
from orchestrator.cli.gateway_options import fleet_option, secrets_option
from orchestrator.cli.gateway_told import tell
from orchestrator.cli.journal_kinds import secrets_of
from orchestrator.cli.python_files import source_of
from orchestrator.cli.shown import now_ms, output_option, show_table
from orchestrator.cli.tools import read_file, version_text
from orchestrator.cli.trees import TREES, show_tree
from orchestrator.codec.fleet_file import FleetFile
from orchestrator.codec.platform_choices import CloudflareChoice
from orchestrator.core.errors import InvalidSpec, PlatformError, Problem
from orchestrator.platforms.cloudflare.project.checks import (
    ask,
    check_answer,
    check_file,
)
from orchestrator.platforms.cloudflare.project.files import (
    gateway_sources,
    gateway_version,
    project_of,
)
from orchestrator.platforms.cloudflare.project.findings import Cause, Finding, Level
from orchestrator.platforms.cloudflare.project.hosting_checks import check_hosting
from orchestrator.platforms.cloudflare.project.images import ImageKind, image_kind
from orchestrator.platforms.cloudflare.project.manifest import (
    MANIFEST_FILE,
    manifest_file,
)
from orchestrator.platforms.cloudflare.project.plan import Plan, plan_of
from orchestrator.runtime.secrets import EnvironmentSecrets

__all__ = ("gateway",)

EXITS: Final = {Cause.FILE: 2, Cause.REACH: 5, Cause.RIGHTS: 7, Cause.MISMATCH: 6}
"""The exit code of a problem, by where it lies."""

_COLOURS: Final = {Level.OK: "green", Level.WARNING: "yellow", Level.PROBLEM: "red"}


@click.group()
def gateway() -> None:
    """Make or check the Worker that starts containers at Cloudflare."""


gateway.add_command(operator)


@gateway.command("init")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@fleet_option
@click.option("--force", is_flag=True, help="Write over what was changed by hand.")
@click.option(
    "--delete-gone",
    is_flag=True,
    help="Delete the classes of services that the fleet file has no more, with all"
    " that their objects remember.",
)
@hosting_options
def init(
    folder: Path, fleet_path: Path, *, force: bool, delete_gone: bool, **said: Any
) -> None:
    """Write the gateway's project for a fleet into DIR, or bring it up to date.

    Run it again when the fleet file has changed, then deploy.
    """
    file, choice = _cloudflare_fleet(fleet_path)
    found = look(folder, choice.account_id, force=force)
    manifest = found.manifest
    if manifest is not None and manifest.fleet != file.spec.name and not force:
        told = f"{folder} is the gateway of fleet {manifest.fleet!r}"
        raise Failed(f"{told}, not of {file.spec.name!r}: choose another folder", 6)
    hosted = hosted_of(fleet_path, file, found.earlier.hosting, said)
    planned = plan_of(
        file.spec,
        choice,
        folder=_from(folder, fleet_path),
        earlier=found.earlier,
        delete_gone=delete_gone,
        hosting=hosted.hosting,
    )
    if isinstance(planned, Failure):
        raise _wrong(fleet_path, planned.failure())
    plan = planned.unwrap()
    _dockerfiles_are_there(fleet_path, plan)
    files = project_of(
        plan,
        gateway_sources(),
        token_secret=choice.token_secret,
        beside=hosted.beside,
    )
    files[MANIFEST_FILE] = manifest_file(plan, files)
    tell(folder, plan, write(found, files, force=force))


def _cloudflare_fleet(path: Path) -> tuple[FleetFile, CloudflareChoice]:
    """Read a fleet file that is for Cloudflare."""
    file = read_file(path)
    choice = file.platform
    if not isinstance(choice, CloudflareChoice):
        raise Failed(
            f'{path}: platform.kind: expected "cloudflare", found "{choice.kind}";'
            " only that platform has a gateway",
            2,
        )
    return file, choice


def _from(folder: Path, fleet_path: Path) -> str:
    """Say where the fleet file is, seen from the project's folder."""
    there = os.path.relpath(fleet_path.resolve().parent, folder.resolve())
    return Path(there).as_posix()


def _wrong(path: Path, error: InvalidSpec) -> Failed:
    return Failed("\n".join(f"{path}: {one.message}" for one in error.problems), 2)


def _dockerfiles_are_there(path: Path, plan: Plan) -> None:
    """Refuse a Dockerfile that wrangler would not find, or would take for a name."""
    problems: list[Problem] = []
    for application in plan.applications:
        images = (application.image or "", *application.images.values())
        for image in () if application.retired else images:
            if image_kind(image) is not ImageKind.DOCKERFILE:
                continue
            target = path.resolve().parent / image
            if not target.is_file():
                found = "a folder" if target.is_dir() else "no such file"
                place = f"{application.name}.image"
                expected = f"a Dockerfile at {target}"
                problems.append(Problem(place=place, expected=expected, found=found))
    if problems:
        raise _wrong(path, InvalidSpec(problems=tuple(problems)))


# Check


@gateway.command("check")
@fleet_option
@secrets_option
@output_option("table", "json", "yaml")
def check(fleet_path: Path, secrets_path: Path | None, output: str) -> int:
    """Check that the gateway can run the fleet; say what to do where it cannot.

    The exit code is 0 also where there are warnings.
    """
    file, choice = _cloudflare_fleet(fleet_path)
    secrets = secrets_of(secrets_path) or EnvironmentSecrets()
    findings = check_file(file.spec, choice, secrets)
    if all(one.level is not Level.PROBLEM for one in findings):
        asked = asyncio.run(ask(_Gateway(choice, secrets), now_ms))
        version = gateway_version(gateway_sources())
        findings += check_answer(file.spec, choice, asked, version=version)
        findings += _hosting(fleet_path, file, asked.answer)
    _show(findings, output)
    problems = [one for one in findings if one.level is Level.PROBLEM]
    return EXITS[problems[0].cause] if problems else 0


def _hosting(path: Path, file: FleetFile, answer: object) -> list[Finding]:
    """Look at what a gateway tells of an operator that it hosts."""
    if not isinstance(answer, Mapping):
        return []
    digest = hashlib.sha256(source_of(path).read_bytes()).hexdigest()
    told = check_hosting(
        answer.get("operator"), file.spec.name, file=digest, release=version_text()
    )
    return list(told)


@attrs.frozen
class _Gateway:
    """The gateway that a fleet file names."""

    choice: CloudflareChoice
    secrets: Mapping[str, str]

    async def about(self) -> Mapping[str, Any] | PlatformError:
        return await about_of(self.choice, self.secrets)


async def about_of(
    choice: CloudflareChoice, secrets: Mapping[str, str]
) -> Mapping[str, Any] | PlatformError:
    """Ask the gateway what it is; the client is loaded only now."""
    client: Any = importlib.import_module("orchestrator.platforms.cloudflare.gateway")
    answer: Mapping[str, Any] | PlatformError = await client.ask_about(choice, secrets)
    return answer


def _show(findings: list[Finding], output: str) -> None:
    if output in TREES:
        trees = [
            {"level": one.level, "what": one.what, "found": one.found, "todo": one.todo}
            for one in findings
        ]
        show_tree(trees, output)
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for head in ("LEVEL", "WHAT", "FOUND", "WHAT TO DO"):
        table.add_column(head, overflow="fold")
    for one in findings:
        level = Text(one.level, style=_COLOURS[one.level])
        table.add_row(level, Text(one.what), Text(one.found), Text(one.todo or "-"))
    show_table(table)
