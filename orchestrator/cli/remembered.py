"""Contexts: operators that a user has given a name, and the one that is in use.

They are kept in one file of this user, mode 0600. It names files of tokens, and holds
none.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

import attrs
import platformdirs
from attrs.validators import instance_of
from returns.result import Failure

from orchestrator.cli.failing import Failed
from orchestrator.codec.wire import read_tree, tree_of
from orchestrator.core.fields import holds
from orchestrator.core.names import is_name

__all__ = ("LOCAL", "Context", "Remembered", "contexts_path", "remember", "remembered")

LOCAL: Final = "local"
"""The name that stands for the state folders of this machine."""


@attrs.frozen(kw_only=True)
class Context:
    """An operator: its URL, the file of the token, the authority to trust there."""

    name: str
    url: str
    token_file: str | None = None
    ca: str | None = None
    allow_http: bool = attrs.field(default=False, validator=instance_of(bool))

    @property
    def token_path(self) -> Path | None:
        """Return where the token is."""
        return Path(self.token_file) if self.token_file else None

    @property
    def ca_path(self) -> Path | None:
        """Return where the authority is."""
        return Path(self.ca) if self.ca else None


def _are_apart(value: Any) -> bool:
    names = [context.name for context in value]
    return len(set(names)) == len(names) and all(
        is_name(name) and name != LOCAL for name in names
    )


@attrs.frozen(kw_only=True)
class Remembered:
    """All contexts; ``current`` is the one in use, None: this machine."""

    current: str | None = None
    contexts: tuple[Context, ...] = attrs.field(
        default=(), validator=holds(_are_apart, "contexts of different names")
    )

    def named(self, name: str) -> Context:
        """Return the context of a name, or fail."""
        for context in self.contexts:
            if context.name == name:
                return context
        known = ", ".join(context.name for context in self.contexts) or "none"
        raise Failed(f"there is no context {name!r}; known: {known}", 11)

    def in_use(self) -> Context | None:
        """Return the context in use."""
        return None if self.current is None else self.named(self.current)


def contexts_path() -> Path:
    """Return where contexts are kept (XDG on Linux)."""
    folder = platformdirs.user_config_path("orchestrator", appauthor=False)
    return folder / "contexts.json"


def remembered() -> Remembered:
    """Read all contexts; none where nothing was kept."""
    path = contexts_path()
    try:
        tree: Any = json.loads(path.read_bytes())
    except FileNotFoundError:
        return Remembered()
    except OSError as error:
        raise Failed(f"{path}: {error.strerror}", 2) from None
    except ValueError:
        raise Failed(
            f"{path}: expected JSON, as `orchestrator context` writes", 2
        ) from None
    read = read_tree(tree, Remembered)
    if isinstance(read, Failure):
        raise Failed(f"{path}: {read.failure().message}", 2)
    return read.unwrap()


def remember(what: Remembered) -> None:
    """Keep all contexts."""
    path = contexts_path()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = path.with_name(f".{path.name}")
    partial.unlink(missing_ok=True)
    number = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(number, "w", encoding="utf-8") as file:
        json.dump(tree_of(what), file, indent=2)
    partial.replace(path)
