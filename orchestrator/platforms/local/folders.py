"""Where everything of a local platform is.

```
ROOT/id                     names this platform, for ever
ROOT/epoch                  the newest operator's
ROOT/news                   a pipe: shims hint at what has changed
ROOT/containers/NAME/
    ports.json              the loopback ports, kept over restarts
    output.log  output.log.1
    runs/N/                 the newest run: order.json and the marks of its shim
```
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import attrs

__all__ = ("Folders", "read_json", "write_json")


def write_json(path: Path, tree: object) -> None:
    """Write a file whole, or raise ``OSError`` and leave the old one."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(json.dumps(tree), encoding="utf-8")
    partial.replace(path)


def read_json(path: Path) -> dict[str, Any] | None:
    """Read an object; None where there is none, or a power cut has spoilt it."""
    try:
        tree = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return tree if isinstance(tree, dict) else None


@attrs.frozen
class Folders:
    """The paths below one root."""

    root: Path

    @property
    def hints(self) -> Path:
        """The pipe into which shims write."""
        return self.root / "news"

    @property
    def containers(self) -> Path:
        """The folder that holds one folder a container."""
        return self.root / "containers"

    def container(self, name: str) -> Path:
        """Return the folder of one container."""
        return self.containers / name

    def log(self, name: str) -> Path:
        """Return the log of one container."""
        return self.container(name) / "output.log"

    def ports(self, name: str) -> Path:
        """Return where the ports of one container are kept."""
        return self.container(name) / "ports.json"

    def run(self, name: str, run: int) -> Path:
        """Return the folder of one run."""
        return self.container(name) / "runs" / str(run)

    def names(self) -> tuple[str, ...]:
        """List the containers that left anything here."""
        try:
            return tuple(sorted(os.listdir(self.containers)))
        except FileNotFoundError:
            return ()

    def newest_run(self, name: str) -> int | None:
        """Return the highest run of a container, None where it has none."""
        try:
            entries = os.listdir(self.container(name) / "runs")
        except (FileNotFoundError, NotADirectoryError):
            return None
        return max((int(entry) for entry in entries if entry.isdigit()), default=None)
