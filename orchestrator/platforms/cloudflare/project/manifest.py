"""What ``gateway init`` has written: to be told from what somebody changed since.

It is a file of the project, to be kept with it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

import attrs
from returns.result import Failure, Result, Success

from orchestrator.codec.wire import read_tree, tree_of
from orchestrator.core.errors import InvalidSpec, Problem
from orchestrator.core.fields import Json
from orchestrator.core.table import Table
from orchestrator.platforms.cloudflare.project.application import Application
from orchestrator.platforms.cloudflare.project.hosting import Hosting
from orchestrator.platforms.cloudflare.project.plan import Plan

__all__ = ("MANIFEST_FILE", "Manifest", "digest_of", "manifest_file", "read_manifest")

MANIFEST_FILE: Final = "gateway.manifest.json"
FORMAT: Final = 1


@attrs.frozen(kw_only=True)
class Manifest:
    """One run: for which fleet, what it planned, and a digest of each file."""

    format: int
    fleet: str
    worker: str
    applications: tuple[Application, ...]
    migrations: tuple[Table[str, Json], ...]
    files: Table[str, str]
    hosting: Hosting | None = None


def digest_of(data: bytes) -> str:
    """Name the content of a file."""
    return hashlib.sha256(data).hexdigest()


def manifest_file(plan: Plan, written: Mapping[str, bytes]) -> bytes:
    """Write the manifest of a plan and the files that it gave."""
    manifest = Manifest(
        format=FORMAT,
        fleet=plan.fleet,
        worker=plan.worker,
        applications=plan.applications,
        migrations=plan.migrations,
        files=Table.of((path, digest_of(data)) for path, data in written.items()),
        hosting=plan.hosting,
    )
    tree = tree_of(manifest)
    if plan.hosting is None:  # so that an earlier release can read it
        del tree["hosting"]
    return json.dumps(tree, indent=2).encode() + b"\n"


def read_manifest(data: bytes) -> Result[Manifest, InvalidSpec]:
    """Read a manifest of this format."""
    try:
        tree: Any = json.loads(data)
    except (ValueError, RecursionError):
        return Failure(_wrong("JSON", "something else"))
    found = tree.get("format") if isinstance(tree, dict) else None
    if found != FORMAT:
        return Failure(_wrong(f"a manifest of format {FORMAT}", repr(found)))
    read = read_tree(tree, Manifest)
    if isinstance(read, Failure):
        return Failure(read.failure())
    return Success(read.unwrap())


def _wrong(expected: str, found: str) -> InvalidSpec:
    problem = Problem(place="$", expected=expected, found=found)
    return InvalidSpec(problems=(problem,))
