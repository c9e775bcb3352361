"""The fleet file: TOML in, a ``FleetFile`` out, or every problem at once.

What a file says once for many is spelt out here: replicas, defaults of ``[restart]``,
durations as text. A problem is told with its line and path, what was expected and
what was found; what can be read but can hardly be meant is a warning.
"""

from __future__ import annotations

import tomllib
from typing import Final

import attrs
from returns.result import Failure, Result, Success

from orchestrator.codec.api_choice import ApiChoice
from orchestrator.codec.fleet_api import read_api
from orchestrator.codec.fleet_checks import notes_of, warnings_of
from orchestrator.codec.fleet_journal import read_journal, read_lease
from orchestrator.codec.fleet_notify import (
    notify_notes,
    notify_warnings,
    read_notify,
)
from orchestrator.codec.fleet_problems import Problems
from orchestrator.codec.fleet_specs import SpecReader
from orchestrator.codec.fleet_tables import Tree, spelt_out
from orchestrator.codec.journal_choice import JournalChoice, LeaseChoice
from orchestrator.codec.platform_choices import (
    CHOICES,
    LocalChoice,
    PlatformChoice,
)
from orchestrator.codec.problems import SHOWN_MAX, shown, suggestion
from orchestrator.codec.toml_lines import lines_of
from orchestrator.core.errors import InvalidSpec, Problem
from orchestrator.core.fleet_specs import FleetSettings, FleetSpec
from orchestrator.core.names import is_name

__all__ = ("SECTIONS", "FleetFile", "read_fleet_file", "read_fleet_tree")

SECTIONS: Final = (
    "fleet",
    "platform",
    "journal",
    "lease",
    "api",
    "notify",
    "restart",
    "rollout",
    "containers",
    "groups",
    "ad_hoc",
)
BYTES_MAX: Final = 16 * 1024 * 1024


@attrs.frozen(kw_only=True)
class FleetFile:
    """A fleet file, read: ``env_vars``, ``hooks``, ``policies`` name Python objects.

    ``lease``: None where the file has none, so that no other operator waits to lead.
    ``warnings`` tell what can hardly be meant, ``notes`` what is good to know.
    """

    spec: FleetSpec
    platform: PlatformChoice
    journal: JournalChoice = JournalChoice()
    lease: LeaseChoice | None = None
    api: ApiChoice = ApiChoice()
    env_vars: str | None = None
    hooks: str | None = None
    policies: str | None = None
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read_fleet_file(
    data: bytes, *, file: str, folder: str
) -> Result[FleetFile, InvalidSpec]:
    r"""Read a fleet file; *folder* is what relative working folders are relative to.

    >>> text = b'[fleet]\nname="demo"\n[[containers]]\nname="web"'
    >>> answer = read_fleet_file(text, file="fleet.toml", folder="/srv")
    >>> print(answer.failure().message)
    fleet.toml:3: containers[0].command: expected a command or an image, found neither

    """
    parsed = _parsed(data, file)
    if isinstance(parsed, Failure):
        return Failure(parsed.failure())
    text, tree = parsed.unwrap()
    return read_fleet_tree(tree, folder, Problems(file=file, lines=lines_of(text)))


def read_fleet_tree(
    tree: Tree, folder: str, problems: Problems
) -> Result[FleetFile, InvalidSpec]:
    """Read what is parsed already; what was wrong before is in *problems*."""
    read = _fleet(tree, folder, problems)
    if problems.found or read is None:
        return Failure(InvalidSpec(problems=problems.told()))
    return Success(read)


def _parsed(data: bytes, file: str) -> Result[tuple[str, Tree], InvalidSpec]:
    if len(data) > BYTES_MAX:
        return _refused(file, f"at most {BYTES_MAX} bytes", f"{len(data)}")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return _refused(f"{file}:{line}", "UTF-8", f"byte 0x{data[error.start]:02x}")
    try:
        return Success((text, tomllib.loads(text)))
    except RecursionError:
        return _refused(file, "TOML", "arrays or tables within hundreds of others")
    except ValueError as error:  # not only TOMLDecodeError: a number too long, too
        message, _, place = str(error).partition(" (at ")
        number = place.removeprefix("line ").partition(",")[0]
        where = f"{file}:{number}" if number.isdigit() else file
        return _refused(where, "TOML", f"an error: {message.lower()}")


def _refused(
    place: str, expected: str, found: str
) -> Result[tuple[str, Tree], InvalidSpec]:
    problem = Problem(place=place, expected=expected, found=found[: 2 * SHOWN_MAX])
    return Failure(InvalidSpec(problems=(problem,)))


def _fleet(tree: Tree, folder: str, problems: Problems) -> FleetFile | None:
    _ = problems.only(tree, SECTIONS, "")
    head = problems.table(tree, "fleet")
    named = {key: _reference(head, key, problems) for key in _REFERENCES}
    name = head.pop("name", None)
    platform = _platform(problems.table(tree, "platform"), problems)
    journal = read_journal(problems.table(tree, "journal"), platform, problems)
    lease = read_lease(tree, journal, problems)
    api = read_api(problems.table(tree, "api"), folder, problems)
    notify = read_notify(tree, head, problems)
    reader = SpecReader(
        problems=problems,
        folder=folder,
        platform=platform,
        has_policies=named["policies"] is not None,
    )
    reader.take_defaults(tree)
    template = reader.template(tree)
    settings = problems.read(
        spelt_out(head, "fleet", problems.wrong), FleetSettings, "fleet"
    )
    containers = reader.containers(tree)
    if not isinstance(name, str) or not is_name(name):
        found = "nothing" if name is None else shown(name)
        expected = "a name of a-z, 0-9, '.', '_' and '-'"
        problems.wrong("fleet.name", expected, found)
        return None
    if problems.found:
        return None
    settings = attrs.evolve(settings, ad_hoc=template, notify=notify)
    services = tuple(reader.services.values())
    spec = FleetSpec(
        name=name, settings=settings, containers=containers, services=services
    )
    return FleetFile(
        spec=spec,
        platform=platform,
        journal=journal,
        lease=lease,
        api=api,
        warnings=(*warnings_of(spec, platform), *notify_warnings(notify)),
        notes=(*notes_of(spec, platform), *notify_notes(notify)),
        **named,
    )


_REFERENCES: Final = ("env_vars", "hooks", "policies")
"""What is Python, and said by its name."""


def _reference(head: Tree, key: str, problems: Problems) -> str | None:
    """Take a name of a Python object, ``module:attribute``."""
    given = head.pop(key, None)
    if given is None:
        return None
    module, _, name = str(given).partition(":")
    parts = (*module.split("."), *name.split("."))
    if isinstance(given, str) and all(part.isidentifier() for part in parts):
        return given
    problems.wrong(f"fleet.{key}", '"module:name"', shown(given))
    return None


def _platform(tree: Tree, problems: Problems) -> PlatformChoice:
    kind = tree.pop("kind", LocalChoice.kind)
    if not isinstance(kind, str) or kind not in CHOICES:
        hint = suggestion(kind, list(CHOICES)) if isinstance(kind, str) else ""
        expected = f"one of {', '.join(CHOICES)}"
        problems.wrong("platform.kind", expected, shown(kind), hint)
        return LocalChoice()
    tree = spelt_out(tree, "platform", problems.wrong)
    choice: PlatformChoice = problems.read(tree, CHOICES[kind], "platform")
    return choice
