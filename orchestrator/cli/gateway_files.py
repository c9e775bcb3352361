"""The folder of a gateway's project: what is there, what may be written over.

Nothing that somebody changed is lost without a word: it is refused, or kept under
another name where writing over it is asked for.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs
from returns.result import Failure

from orchestrator.cli.failing import Failed
from orchestrator.core.errors import InvalidSpec
from orchestrator.platforms.cloudflare.project.files import WRANGLER_FILE
from orchestrator.platforms.cloudflare.project.manifest import (
    MANIFEST_FILE,
    Manifest,
    digest_of,
    read_manifest,
)
from orchestrator.platforms.cloudflare.project.plan import Earlier
from orchestrator.platforms.cloudflare.project.wrangler_file import read_wrangler_file

__all__ = ("Change", "Folder", "look", "write")

USAGE: Final = 2
REFUSED: Final = 6
RIVALS: Final = ("wrangler.json", "wrangler.toml")
"""Wrangler would read one of them instead, or the other one by mistake."""
OURS: Final = ("src/gateway/", "operator/")
"""What an earlier run wrote there, and this one does not, is removed."""


@attrs.frozen(kw_only=True)
class Folder:
    """What is in a project's folder; ``manifest`` where it was written by us."""

    path: Path
    manifest: Manifest | None
    earlier: Earlier


@attrs.frozen(kw_only=True)
class Change:
    """What becomes of one file: written, removed or kept as it is."""

    path: str
    what: str


def look(path: Path, account_id: str | None, *, force: bool) -> Folder:
    """Read what an earlier run has left in a folder."""
    if path.exists() and not path.is_dir():
        raise Failed(f"{path}: expected a folder, found a file", USAGE)
    for rival in RIVALS:
        if (path / rival).exists():
            told = f"{path / rival} is another project's: move it away"
            raise Failed(f"{told}, or choose another folder", REFUSED)
    manifest = _manifest(path / MANIFEST_FILE)
    found = _read(path / WRANGLER_FILE)
    if found is not None and manifest is None and not force:
        raise Failed(
            f"{path / WRANGLER_FILE} was not written by this command: choose another"
            " folder, or say --force (what is there is then kept beside)",
            REFUSED,
        )
    return Folder(
        path=path,
        manifest=manifest,
        earlier=_earlier(path, manifest, found, account_id),
    )


def _manifest(path: Path) -> Manifest | None:
    data = _read(path)
    if data is None:
        return None
    read = read_manifest(data)
    if isinstance(read, Failure):
        told = _placed(path, read.failure())
        raise Failed(f"{told}\nrestore it, or choose another folder", USAGE)
    return read.unwrap()


def _earlier(
    path: Path, manifest: Manifest | None, found: bytes | None, account_id: str | None
) -> Earlier:
    """Join the manifest and the configuration, which knows best what was deployed."""
    earlier = Earlier()
    if manifest is not None:
        earlier = Earlier(
            worker=manifest.worker,
            applications=manifest.applications,
            migrations=manifest.migrations,
            hosting=manifest.hosting,
        )
    if found is None:
        return earlier
    read = read_wrangler_file(found.decode(errors="replace"), account_id)
    if isinstance(read, Failure):
        told = _placed(path / WRANGLER_FILE, read.failure())
        todo = "repair it, or move it away: its migrations must not be lost"
        raise Failed(f"{told}\n{todo}", USAGE)
    migrations, extras = read.unwrap()
    return attrs.evolve(
        earlier, migrations=migrations or earlier.migrations, extras=extras
    )


def _placed(path: Path, error: InvalidSpec) -> str:
    lines: list[str] = []
    for problem in error.problems:
        inner = problem.place.removeprefix("$").lstrip(".")
        place = f"{path}: {inner}" if inner else str(path)
        lines.append(attrs.evolve(problem, place=place).message)
    return "\n".join(lines)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise Failed(f"{path}: {error.strerror}", USAGE) from None


def write(folder: Folder, files: dict[str, bytes], *, force: bool) -> list[Change]:
    """Write the files of a project, the manifest last; say what became of each."""
    changed = list(_changed_by_hand(folder, files))
    if changed and not force:
        listed = "\n".join(f"  {path}" for path in changed)
        raise Failed(
            f"{folder.path}: changed by hand, or not written by this command:\n{listed}"
            "\nsay --force to write over them; what is there is then kept beside",
            REFUSED,
        )
    try:
        return list(_written(folder, files, changed))
    except OSError as error:
        place = error.filename or folder.path
        raise Failed(f"{place}: {error.strerror}", USAGE) from None


def _changed_by_hand(folder: Folder, files: dict[str, bytes]) -> Iterator[str]:
    """Yield the files that are neither as they were written nor as they will be."""
    known = None if folder.manifest is None else folder.manifest.files
    for path, data in files.items():
        found = None if path == MANIFEST_FILE else _read(folder.path / path)
        if found is None or found == data:
            continue
        if known is None or known.get(path) != digest_of(found):
            yield path


def _written(
    folder: Folder, files: dict[str, bytes], changed: list[str]
) -> Iterator[Change]:
    for path, data in files.items():
        target = folder.path / path
        if path in changed:
            kept = _beside(target)
            target.replace(kept)
            yield Change(path=path, what=f"written; what was there is {kept.name}")
        elif _read(target) == data:
            continue
        else:
            yield Change(path=path, what="written")
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f"{target.name}.partial")
        partial.write_bytes(data)
        os.replace(partial, target)  # noqa: PTH105 - either the old one or the new one
    yield from _outgrown(folder, files)


def _beside(target: Path) -> Path:
    """Return a free name for what is to be kept."""
    number = 1
    while (kept := target.with_name(f"{target.name}.before-{number}")).exists():
        number += 1
    return kept


def _outgrown(folder: Folder, files: dict[str, bytes]) -> Iterator[Change]:
    """Remove what an earlier run wrote, unless somebody changed it."""
    if folder.manifest is None:
        return
    for path, digest in folder.manifest.files.items():
        folder_of, _, name = path.rpartition("/")
        if path in files or f"{folder_of}/" not in OURS or not name:
            continue
        found = _read(folder.path / path)
        if found is None:
            continue
        if digest_of(found) == digest:
            (folder.path / path).unlink()
            yield Change(path=path, what="removed, as nothing needs it any more")
        else:
            yield Change(path=path, what="kept, as it was changed; nothing needs it")
