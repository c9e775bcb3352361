"""Modules that a fleet in Python imports: found beside it, and read anew with it.

What its hooks, ``env_vars`` and policies name is in use, and stays as it is.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Final

from orchestrator.codec.fleet_file import FleetFile

__all__ = ("modules_anew", "stay")

_OURS: Final = __name__.partition(".")[0]

_LIBRARIES: Final = tuple(
    Path(sysconfig.get_path(name))
    for name in ("stdlib", "platstdlib", "purelib", "platlib")
)
"""Where what is installed lies, be it below the folder of a fleet."""

_imported: dict[Path, set[str]] = {}
"""By the path of a fleet: what its runs have imported."""

_staying: set[str] = set()
"""What fleets have named, with the packages that it is in."""


def stay(fleet: FleetFile) -> None:
    """Have the modules that a fleet names be left as they are from now on."""
    for reference in (fleet.env_vars, fleet.hooks, fleet.policies):
        parts = (reference or "").partition(":")[0].split(".")
        _staying.update(".".join(parts[: at + 1]) for at in range(len(parts)))


@contextlib.contextmanager
def modules_anew(file: Path) -> Iterator[None]:
    """Have a block, a run of *file*, import anew what the runs before it have.

    Only modules in Python that lie below its folder are; a run that fails leaves
    those that there were.
    """
    imported = _imported.setdefault(file, set())
    importlib.invalidate_caches()
    before = {name: sys.modules[name] for name in imported if _is_free(name, file)}
    for name, module in before.items():
        _put_away(name, module)
    known = set(sys.modules)
    try:
        yield
    except BaseException:
        sys.modules.update(before)
        for name, module in before.items():
            _bind(name, module)
        raise
    finally:
        imported.update(set(sys.modules) - known)


def _is_free(name: str, file: Path) -> bool:
    """Say whether a module can be read anew."""
    module = sys.modules.get(name)
    place = getattr(module, "__file__", None)
    stays = name in _staying or name.partition(".")[0] == _OURS
    if stays or not isinstance(place, str):
        return False
    path = Path(place).absolute()
    is_installed = any(path.is_relative_to(library) for library in _LIBRARIES)
    is_below = path.is_relative_to(file.parent)
    return path.suffix == ".py" and is_below and not is_installed


def _put_away(name: str, module: ModuleType) -> None:
    """Forget a module, also as what its package calls by its name."""
    del sys.modules[name]
    package, _, own = name.rpartition(".")
    known = getattr(sys.modules.get(package), "__dict__", {})
    if known.get(own) is module:
        del known[own]


def _bind(name: str, module: ModuleType) -> None:
    package, _, own = name.rpartition(".")
    if package in sys.modules:
        setattr(sys.modules[package], own, module)
