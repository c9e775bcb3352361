"""Which state folder a command means, and what ``up`` leaves there for the others."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import platformdirs
from returns.result import Failure

from orchestrator.api.places import JOURNAL
from orchestrator.cli.failing import Failed
from orchestrator.codec.journal_choice import JournalKind
from orchestrator.codec.platform_choices import CHOICES, PlatformChoice
from orchestrator.codec.wire import read_tree, tree_of

__all__ = (
    "Kept",
    "fleets",
    "has_journal",
    "keep",
    "kept",
    "state_option",
    "states",
    "the_state",
)

F = TypeVar("F", bound=Callable[..., Any])

KEPT: Final = "fleet.json"


def states() -> Path:
    """Return the folder of all state folders of this user (XDG on Linux)."""
    return platformdirs.user_state_path("orchestrator", appauthor=False)


def state_option(function: F) -> F:
    """Add ``--state`` to a command."""
    return click.option(
        "--state",
        type=click.Path(file_okay=False, path_type=Path),
        envvar="ORCHESTRATOR_STATE",
        help="The state folder; needed where this user has more than one fleet.",
    )(function)


def fleets() -> list[str]:
    """List the fleets that have a state folder at the usual place."""
    try:
        return sorted(path.parent.name for path in states().glob(f"*/{KEPT}"))
    except OSError:
        return []


def the_state(given: Path | None) -> Path:
    """Return the state folder that is meant, or say why none can be."""
    if given is not None:
        return given
    known = fleets()
    if len(known) == 1:
        return states() / known[0]
    if not known:
        raise Failed("no fleet is known here: `orchestrator up FILE` starts one", 5)
    listed = ", ".join(known)
    folder = states() / known[0]
    raise Failed(f"which fleet ({listed})? say --state {folder}", 2)


class Kept:
    """What ``up`` leaves in a state folder: the fleet's name and its platform.

    ``policies``: the Python name of its custom policies, and the folder of its file.
    ``journal``: where its journal is. ``secrets``: the file that its secrets are in.
    """

    def __init__(
        self,
        name: str,
        platform: PlatformChoice,
        policies: tuple[str, str] | None = None,
        *,
        journal: JournalKind = JournalKind.SQLITE,
        secrets: str | None = None,
    ) -> None:
        """Hold them."""
        self.name = name
        self.platform = platform
        self.policies = policies
        self.journal = journal
        self.secrets = secrets


def keep(state: Path, what: Kept) -> None:
    """Leave word for commands that come when no operator runs, for its owner alone."""
    platform = {"kind": what.platform.kind, **tree_of(what.platform)}
    tree: dict[str, Any] = {"name": what.name, "platform": platform}
    if what.policies is not None:
        tree["policies"] = list(what.policies)
    if what.journal is not JournalKind.SQLITE:
        tree["journal"] = what.journal.value
    if what.secrets is not None:
        tree["secrets"] = what.secrets
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = state / f".{KEPT}"
    partial.unlink(missing_ok=True)  # its mode may be another
    number = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(number, "w", encoding="utf-8") as file:
        json.dump(tree, file)
    partial.replace(state / KEPT)


def kept(state: Path) -> Kept:
    """Read what was left, or say that nothing was."""
    try:
        tree = json.loads((state / KEPT).read_bytes())
        platform = tree["platform"]
        kind = CHOICES[platform.pop("kind")]
        name = str(tree["name"])
        named = tree.get("policies")
        policies = None if named is None else (str(named[0]), str(named[1]))
        journal = JournalKind(tree.get("journal", JournalKind.SQLITE))
        secrets = tree.get("secrets")
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        raise Failed(f"{state} is not the state folder of a fleet", 5) from None
    choice = read_tree(platform, kind)
    if isinstance(choice, Failure):
        raise Failed(f"{state} was left by another release of this command", 5)
    return Kept(
        name,
        choice.unwrap(),
        policies,
        journal=journal,
        secrets=None if secrets is None else str(secrets),
    )


def has_journal(state: Path) -> bool:
    """Say whether a state folder has a journal, or its fleet has one elsewhere."""
    if (state / JOURNAL).exists():
        return True
    try:
        return kept(state).journal is not JournalKind.SQLITE
    except Failed:
        return False
