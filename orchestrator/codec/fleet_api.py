"""``[api]`` of a fleet file, read: what belongs together, and where its files are."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final

from orchestrator.codec.api_choice import ApiChoice
from orchestrator.codec.fleet_problems import Problems
from orchestrator.codec.fleet_tables import Tree

__all__ = ("read_api",)

_FILES: Final = ("tls_cert", "tls_key")


def read_api(tree: Tree, folder: str, problems: Problems) -> ApiChoice:
    """Read the section; relative paths are meant from *folder*, the file's own."""
    _certificate_with_key(tree, problems)
    paths = {key: tree[key] for key in _FILES if isinstance(tree.get(key), str)}
    placed = {
        key: str(PurePosixPath(folder, path)) if path else path
        for key, path in paths.items()
    }
    return problems.read(tree | placed, ApiChoice, "api")


def _certificate_with_key(tree: Tree, problems: Problems) -> None:
    """Tell of a certificate without its key, or the other way round."""
    given = [key for key in _FILES if key in tree]
    if len(given) == 1:
        problems.wrong(
            f"api.{given[0]}", "tls_cert and tls_key together", f"{given[0]} alone"
        )
