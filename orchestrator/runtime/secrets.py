"""Secrets: looked up at each start, never stored, never shown.

They come from the operator's own environment, or from a file that only its owner may
read. A file is read anew at each start, so that a changed secret takes effect with
the next one.
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from returns.result import Failure, Result, Success

from orchestrator.core.errors import InvalidSpec, Problem

__all__ = ("EnvironmentSecrets", "FileSecrets", "Secrets", "read_secrets")

LOG: Final = logging.getLogger("orchestrator.secrets")

OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class Secrets(Mapping[str, str]):
    """A mapping whose text never shows a value."""

    def _values(self) -> Mapping[str, str]:
        raise NotImplementedError

    def __getitem__(self, key: str) -> str:
        return self._values()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values())

    def __len__(self) -> int:
        return len(self._values())

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"


class EnvironmentSecrets(Secrets):
    """The operator's own environment."""

    def _values(self) -> Mapping[str, str]:
        return os.environ


class FileSecrets(Secrets):
    """A file of ``KEY=value`` lines, of mode 0600, read at each look-up."""

    def __init__(self, path: Path) -> None:
        """Look into *path*; what is in it is not kept."""
        self.path = path

    def _values(self) -> Mapping[str, str]:
        read = read_secrets(self.path)
        if isinstance(read, Failure):
            LOG.warning("%s", read.failure().message)  # it never holds a value
            return {}
        return read.unwrap()


def read_secrets(path: Path) -> Result[dict[str, str], InvalidSpec]:
    """Read a secrets file; an error names the line and never what is in it."""
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "other bytes than UTF-8"
        return _wrong(str(path), "a readable secrets file", (why or "none").lower())
    if mode & OTHERS:
        return _wrong(str(path), "mode 0600", f"{stat.S_IMODE(mode):04o}")
    secrets: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        key, is_pair, value = line.partition("=")
        if not is_pair or not key.strip():
            return _wrong(f"{path}:{number}", "KEY=value", "another line")
        secrets[key.strip()] = value
    return Success(secrets)


def _wrong(
    place: str, expected: str, found: str
) -> Result[dict[str, str], InvalidSpec]:
    problem = Problem(place=place, expected=expected, found=found)
    return Failure(InvalidSpec(problems=(problem,)))
