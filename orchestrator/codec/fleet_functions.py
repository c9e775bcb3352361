"""A fleet, declared in Python: what a fleet file says, with the same keys.

``fleet`` builds the tree that a file would hold and has it read by the reader of fleet
files. So both ways mean the same, and what is wrong is told in the same words; in
place of a line there is the path in Python.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final, Unpack, cast

from returns.result import Failure

from orchestrator.codec.fleet_entries import ContainerEntry, plain
from orchestrator.codec.fleet_file import SECTIONS, FleetFile, read_fleet_tree
from orchestrator.codec.fleet_keys import ContainerKeys, FleetKeys
from orchestrator.codec.fleet_problems import Problems
from orchestrator.codec.fleet_tables import Tree
from orchestrator.core.errors import InvalidSpec

__all__ = ("InvalidFleet", "container", "fleet", "in_folder")

_FOLDER: ContextVar[str | None] = ContextVar("_FOLDER", default=None)
"""Where the file lies that is being read; None: nobody reads one."""

_ENTRY: Final = re.compile(r"containers\[([0-9]+)\]")


class InvalidFleet(ValueError):
    """A fleet says something impossible; ``error`` has all its problems."""

    def __init__(self, error: InvalidSpec) -> None:
        """Say every problem, one a line."""
        super().__init__(error.message)
        self.error = error


def container(name: str, **keys: Unpack[ContainerKeys]) -> ContainerEntry:
    """Declare a container, as an entry of ``[[containers]]`` does.

    It is read when the fleet is; a key that is wrong is told then.

    >>> container("web", command=["serve"], replicas=2, stop_grace="5s")
    container('web')

    """
    given = {"name": name, **_said(keys)}
    return ContainerEntry(tree=cast("Tree", plain(given)))


def fleet(name: str, **keys: Unpack[FleetKeys]) -> FleetFile:
    """Declare a fleet, as a fleet file does; raise ``InvalidFleet`` with every problem.

    ``folder`` is what relative paths are relative to: unsaid, the folder of the file
    that a command reads, or the working directory of the program.

    >>> demo = fleet("demo", containers=[container("web", command=["serve"])])
    >>> demo.spec.containers[0].name
    'web'
    >>> fleet("demo", prune="kep")
    Traceback (most recent call last):
        ...
    orchestrator.codec.fleet_functions.InvalidFleet: fleet.prune: expected one of \
stop, keep, forget, found 'kep'; did you mean "keep"?

    """
    given = _said(keys)
    folder = _folder(given.pop("folder", None))
    if "containers" in given:
        given["containers"] = _listed(given["containers"])
    tree = cast("Tree", plain(given))
    problems = Problems(file="", lines={}, spoken=_spoken(tree))
    tree = problems.only(tree, _KNOWN, "fleet")
    head = {key: tree[key] for key in tree if key not in SECTIONS}
    sections = {key: tree[key] for key in tree if key in SECTIONS}
    whole = {"fleet": {"name": plain(name), **head}, **sections}
    read = read_fleet_tree(whole, folder, problems)
    if isinstance(read, Failure):
        raise InvalidFleet(read.failure())
    return read.unwrap()


@contextmanager
def in_folder(folder: str) -> Generator[None]:
    """Have fleets that are declared meanwhile lie in a folder, unless they say where.

    >>> with in_folder("/srv"):
    ...     demo = fleet("demo", containers=[container("web", command=["serve"])])
    >>> demo.spec.containers[0].working_dir
    '/srv'

    """
    token = _FOLDER.set(folder)
    try:
        yield
    finally:
        _FOLDER.reset(token)


_KNOWN: Final = tuple(key for key in FleetKeys.__annotations__ if key != "folder")


def _said(keys: Any) -> dict[str, Any]:
    """Return what is given: None says nothing."""
    given = cast("dict[str, Any]", keys)
    return {key: given[key] for key in given if given[key] is not None}


def _folder(given: Any) -> str:
    if given is not None:
        return str(Path(given).absolute())
    return _FOLDER.get() or str(Path.cwd())


def _listed(containers: object) -> object:
    """Return what an iterable of containers holds; anything else as it is."""
    kind = type(containers)
    if issubclass(kind, str | Mapping) or not issubclass(kind, Iterable):
        return containers
    return list(cast("Iterable[object]", containers))


def _spoken(tree: Tree) -> Callable[[str], str]:
    """Return what says a path in Python: a container by its name."""

    def spoken(path: str) -> str:
        found = _ENTRY.match(path)
        if found is None:
            return path
        entry = tree["containers"][int(found[1])]
        name = cast("Tree", entry).get("name") if isinstance(entry, dict) else None
        if not isinstance(name, str):
            return path
        return f"container({name!r}){path.removeprefix(found[0])}"

    return spoken
