"""A fleet that is declared in Python: ``fleet.py``, or ``fleet.py:name``.

The file is run as the owner's program that it is, anew each time; what it prints goes
to the error stream. Where it fails, its line is told, and nothing of ours.
"""

from __future__ import annotations

import contextlib
import re
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from orchestrator.cli.failing import Failed
from orchestrator.cli.modules import modules_anew, stay
from orchestrator.codec.fleet_file import FleetFile
from orchestrator.codec.fleet_functions import InvalidFleet, in_folder

__all__ = ("fleet_declared", "is_python", "source_of")

_NAMED: Final = re.compile(r"(?s)(?P<file>.*\.py)(?::(?P<name>[^:/\\]*))?")
_OBJECT: Final = "fleet"
_SHOWN_MAX: Final = 300
"""Letters of what an exception says."""


def is_python(path: Path) -> bool:
    """Say whether a path is of a fleet in Python.

    >>> is_python(Path("fleet.py")), is_python(Path("a/fleet.py:prod"))
    (True, True)
    >>> is_python(Path("fleet.toml"))
    False

    """
    return _NAMED.fullmatch(str(path)) is not None


def source_of(path: Path) -> Path:
    """Return the file that a path means, without the name of an object.

    >>> source_of(Path("a/fleet.py:prod")).name, source_of(Path("fleet.toml")).name
    ('fleet.py', 'fleet.toml')

    """
    found = _NAMED.fullmatch(str(path))
    return path if found is None else Path(found["file"])


def fleet_declared(path: Path) -> FleetFile:
    """Run a file and return the fleet that it declares."""
    found = _NAMED.fullmatch(str(path))
    file = source_of(path)
    name = _OBJECT if found is None or found["name"] is None else found["name"]
    if not all(part.isidentifier() for part in name.split(".")):
        raise Failed(f"{path}: expected FILE.py:NAME, found {name!r} for a name", 2)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise Failed(f"{file}: {error.strerror}", 2) from None
    module = ModuleType(file.stem)
    module.__file__ = str(file.absolute())
    with _told_as_its_own(file):
        with modules_anew(file.absolute()), _running(module, file.absolute().parent):
            program = compile(data, str(file), "exec", dont_inherit=True)
            exec(program, vars(module))  # noqa: S102 - it is the owner's program
        fleet = _named(module, name, file)
    stay(fleet)
    return fleet


@contextlib.contextmanager
def _told_as_its_own(file: Path) -> Iterator[None]:
    """Have whatever the owner's code raises told with its place, for it is nobody's.

    An interrupt of the command stays one.
    """
    try:
        yield
    except Failed:
        raise
    except InvalidFleet as error:
        place = _place(file, error)
        told = (f"{place}: {each.message}" for each in error.error.problems)
        raise Failed("\n".join(told), 2) from None
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) and _is_in_front():
            raise
        raise Failed(f"{_place(file, error)}: {_cause(file, error)}", 2) from None


def _is_in_front() -> bool:
    """Say whether it is the command itself that runs a file, not a thread of it."""
    return threading.current_thread() is threading.main_thread()


@contextlib.contextmanager
def _running(module: ModuleType, folder: Path) -> Iterator[None]:
    """Have the modules beside a file found while it runs, and paths meant from there.

    They stay to be found: what the fleet names, such as its hooks, lies there, too.
    """
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    is_new = module.__name__ not in sys.modules  # else it is a library's, or ours
    if is_new:
        sys.modules[module.__name__] = module
    try:
        with _printing(), in_folder(str(folder)):
            yield
    finally:
        if is_new:
            _ = sys.modules.pop(module.__name__, None)


def _printing() -> contextlib.AbstractContextManager[object]:
    """Have what is printed go to the error stream, unless others print meanwhile."""
    if _is_in_front():
        return contextlib.redirect_stdout(sys.stderr)
    return contextlib.nullcontext()


def _place(file: Path, error: BaseException) -> str:
    """Return the file, and the line of it that led to an error."""
    name = str(file)
    if isinstance(error, SyntaxError) and error.filename == name:
        return f"{name}:{error.lineno}" if error.lineno else name
    lines = [
        line
        for frame, line in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_filename == name
    ]
    return f"{name}:{lines[-1]}" if lines else name


def _cause(file: Path, error: BaseException) -> str:
    """Say an error in one line."""
    is_here = isinstance(error, SyntaxError) and error.filename == str(file)
    kind = type(error).__name__
    try:
        said = error.msg if isinstance(error, SyntaxError) and is_here else error
        words = " ".join(str(said).split())[:_SHOWN_MAX]
    except Exception:  # noqa: BLE001 - its __str__ is the owner's code, too
        return kind
    return f"{kind}: {words}" if words else kind


def _named(module: ModuleType, name: str, file: Path) -> FleetFile:
    """Return the fleet under a name of the module."""
    first, *others = name.split(".")
    found: Any = vars(module).get(first)
    for part in others:
        found = getattr(found, part, None)
    if found is None:
        fleets = [key for key, value in vars(module).items() if _is_fleet(value)]
        hint = f"; there is {file}:{fleets[0]}" if fleets else ""
        expected = f"an object {name!r}, made by orchestrator.fleet"
        raise Failed(f"{file}: expected {expected}, found none{hint}", 2)
    if not _is_fleet(found):
        kind = type(found).__name__
        expected = "what orchestrator.fleet makes"
        raise Failed(f"{file}: {name}: expected {expected}, found a {kind}", 2)
    fleet: FleetFile = found
    return fleet


def _is_fleet(value: object) -> bool:
    return issubclass(type(value), FleetFile)  # without asking its __class__
