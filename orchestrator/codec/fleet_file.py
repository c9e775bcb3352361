"""The fleet file: TOML in, a ``FleetFile`` out, or every problem at once.

What a file says once for many is spelt out here: replicas, defaults of ``[restart]``,
durations as text. A problem is told with its line and path, what was expected and
what was found; what can be read but can hardly be meant is a warning.
"""

from __future__ import annotations

import tomllib
from pathlib import PurePosixPath
from typing import Any, Final, TypeVar, cast

import attrs
from returns.result import Failure, Result, Success

from orchestrator.codec.fleet_checks import check_spec, warnings_of
from orchestrator.codec.fleet_tables import Tree, merged, sized, spelt_out
from orchestrator.codec.platform_choices import (
    CHOICES,
    LocalChoice,
    PlatformChoice,
)
from orchestrator.codec.problems import SHOWN_MAX, shown, suggestion
from orchestrator.codec.toml_lines import Lines, line_of, lines_of
from orchestrator.codec.wire import read_tree
from orchestrator.core.errors import InvalidSpec, Problem
from orchestrator.core.names import is_name
from orchestrator.core.specs import ContainerSpec, FleetSettings, FleetSpec

__all__ = ("FleetFile", "read_fleet_file")

T = TypeVar("T")

SECTIONS: Final = ("fleet", "platform", "restart", "containers", "ad_hoc")
REPLICAS_MAX: Final = 10_000
BYTES_MAX: Final = 16 * 1024 * 1024


@attrs.frozen(kw_only=True)
class FleetFile:
    """A fleet file, read: ``env_vars`` and ``hooks`` name Python objects."""

    spec: FleetSpec
    platform: PlatformChoice
    env_vars: str | None = None
    hooks: str | None = None
    warnings: tuple[str, ...] = ()


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
    reader = _Reader(file=file, folder=folder, lines=lines_of(text))
    read = reader.fleet(tree)
    if reader.problems or read is None:
        return Failure(InvalidSpec(problems=reader.told()))
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


def _line(wrong: tuple[int, Problem]) -> int:
    return wrong[0]


@attrs.define(kw_only=True)
class _Reader:
    """Reads one file; collects what is wrong with it."""

    file: str
    folder: str
    lines: Lines
    problems: list[tuple[int, Problem]] = attrs.field(factory=list[tuple[int, Problem]])

    def told(self) -> tuple[Problem, ...]:
        """Return what is wrong, in the order of the lines."""
        return tuple(problem for _, problem in sorted(self.problems, key=_line))

    def wrong(self, path: str, expected: str, found: str, hint: str = "") -> None:
        line = line_of(self.lines, path)
        place = self.file if line is None else f"{self.file}:{line}"
        problem = Problem(
            place=f"{place}: {path}", expected=expected, found=found, hint=hint
        )
        self.problems.append((line or 0, problem))

    def fleet(self, tree: Tree) -> FleetFile | None:
        self._only(tree, SECTIONS, "")
        head = self._table(tree, "fleet")
        env_vars = self._reference(head, "env_vars")
        hooks = self._reference(head, "hooks")
        name = head.pop("name", None)
        platform = self._platform(self._table(tree, "platform"))
        defaults = self._restart_defaults(tree)
        template = None
        if "ad_hoc" in tree:
            given = {"name": "ad-hoc", **self._table(tree, "ad_hoc")}
            self._not_given(tree["ad_hoc"], ("name", "replicas"), "ad_hoc")
            template = self._spec(given, "ad_hoc", defaults, platform)
        settings = self._read(
            spelt_out(head, "fleet", self.wrong), FleetSettings, "fleet"
        )
        containers = self._containers(tree, defaults, platform)
        if not isinstance(name, str) or not is_name(name):
            found = "nothing" if name is None else shown(name)
            expected = "a name of a-z, 0-9, '.', '_' and '-'"
            self.wrong("fleet.name", expected, found)
            return None
        settings = attrs.evolve(settings, ad_hoc=template)
        spec = FleetSpec(name=name, settings=settings, containers=containers)
        return FleetFile(
            spec=spec,
            platform=platform,
            env_vars=env_vars,
            hooks=hooks,
            warnings=warnings_of(spec, platform),
        )

    # Sections

    def _table(self, tree: Tree, key: str) -> Tree:
        found = tree.get(key, {})
        if not isinstance(found, dict):
            self.wrong(key, "a table", shown(found))
            return {}
        return dict(cast("Tree", found))

    def _only(self, tree: Tree, known: tuple[str, ...], path: str) -> None:
        for key in sorted(set(tree) - set(known)):
            where = f"{path}.{key}".lstrip(".")
            self.wrong(where, "a known key", shown(key), suggestion(key, list(known)))

    def _not_given(self, tree: Any, keys: tuple[str, ...], path: str) -> None:
        for key in keys:
            if isinstance(tree, dict) and key in tree:
                value = shown(cast("Tree", tree)[key])
                self.wrong(f"{path}.{key}", "no such key here", value)

    def _reference(self, head: Tree, key: str) -> str | None:
        """Take a name of a Python object, ``module:attribute``."""
        given = head.pop(key, None)
        if given is None:
            return None
        module, _, name = str(given).partition(":")
        parts = (*module.split("."), *name.split("."))
        if isinstance(given, str) and all(part.isidentifier() for part in parts):
            return given
        self.wrong(f"fleet.{key}", '"module:name"', shown(given))
        return None

    def _platform(self, tree: Tree) -> PlatformChoice:
        kind = tree.pop("kind", LocalChoice.kind)
        if not isinstance(kind, str) or kind not in CHOICES:
            hint = suggestion(kind, list(CHOICES)) if isinstance(kind, str) else ""
            expected = f"one of {', '.join(CHOICES)}"
            self.wrong("platform.kind", expected, shown(kind), hint)
            return LocalChoice()
        tree = spelt_out(tree, "platform", self.wrong)
        choice: PlatformChoice = self._read(tree, CHOICES[kind], "platform")
        return choice

    def _restart_defaults(self, tree: Tree) -> Tree:
        """Return what holds for every container; what is wrong in it is told once."""
        defaults = spelt_out(self._table(tree, "restart"), "restart", self.wrong)
        given = {"name": "any", "command": ["any"], "restart": defaults}
        before = len(self.problems)
        _ = self._read(given, ContainerSpec, "")
        return defaults if len(self.problems) == before else {}

    def _containers(
        self, tree: Tree, defaults: Tree, platform: PlatformChoice
    ) -> tuple[ContainerSpec, ...]:
        found = tree.get("containers", [])
        if not isinstance(found, list):
            self.wrong("containers", "an array of tables", shown(found))
            return ()
        specs: dict[str, ContainerSpec] = {}
        for index, given in enumerate(cast("list[object]", found)):
            path = f"containers[{index}]"
            if not isinstance(given, dict):
                self.wrong(path, "a table", shown(given))
                continue
            for spec in self._replicas(cast("Tree", given), path, defaults, platform):
                if spec.name in specs:
                    self.wrong(f"{path}.name", "a name of its own", repr(spec.name))
                specs[spec.name] = spec
        return tuple(specs.values())

    def _replicas(
        self, given: Tree, path: str, defaults: Tree, platform: PlatformChoice
    ) -> list[ContainerSpec]:
        given = dict(given)
        replicas = given.pop("replicas", None)
        spec = self._spec(given, path, defaults, platform)
        if replicas is None:
            return [spec] if spec.name == given.get("name") else []
        if type(replicas) is not int or not 0 <= replicas <= REPLICAS_MAX:
            expected = f"a number from 0 to {REPLICAS_MAX}"
            self.wrong(f"{path}.replicas", expected, shown(replicas))
            return []
        if spec.name != given.get("name"):
            return []
        try:
            return [
                attrs.evolve(
                    spec, name=f"{spec.name}-{index}", service=spec.name, replica=index
                )
                for index in range(replicas)
            ]
        except ValueError:
            longest = 63 - len(str(REPLICAS_MAX))
            self.wrong(f"{path}.name", f"at most {longest} letters", repr(spec.name))
            return []

    # One container

    def _spec(
        self, given: Tree, path: str, defaults: Tree, platform: PlatformChoice
    ) -> ContainerSpec:
        self._not_given(given, ("service", "replica"), path)
        tree = sized(spelt_out(given, path, self.wrong), path, self.wrong)
        tree.pop("service", None)
        tree.pop("replica", None)
        own = tree.get("restart", {})
        if isinstance(own, dict):
            tree["restart"] = merged(defaults, cast("Tree", own))
        self._only(tree, _KEYS, path)
        tree = {key: value for key, value in tree.items() if key in _KEYS}
        spec = self._read(tree, ContainerSpec, path)
        if bool(given.get("ports")) is bool(spec.ports):
            for key, expected, found, hint in check_spec(spec, platform, path):
                self.wrong(key, expected, found, hint)
        if isinstance(platform, LocalChoice):
            working_dir = PurePosixPath(self.folder, spec.working_dir or ".")
            spec = attrs.evolve(spec, working_dir=str(working_dir))
        return spec

    def _read(self, tree: Tree, kind: type[T], path: str) -> T:
        """Read a table as a value of the core; its problems are told from *path*.

        Where a field is wrong the rest is read without it, for what else is wrong;
        nobody uses what comes of it.
        """
        read = read_tree(tree, kind)
        if not isinstance(read, Failure):
            return read.unwrap()
        fields: set[str] = set()
        for problem in read.failure().problems:
            inner = problem.place.removeprefix("$.")
            where = f"{path}.{inner}".strip(".$")
            self.wrong(where, problem.expected, problem.found, problem.hint)
            fields.add(inner.partition(".")[0].partition("[")[0])
        stand_ins = _STAND_INS if kind is ContainerSpec else {}
        assert fields <= {*tree, *stand_ins}  # noqa: S101 - or it would never end
        kept = {key: value for key, value in tree.items() if key not in fields}
        tree = kept | {key: stand_ins[key] for key in stand_ins if key in fields}
        return self._read(tree, kind, path)


_KEYS: Final = (
    *(
        field.name
        for field in attrs.fields(ContainerSpec)
        if field.name not in {"service", "replica"}
    ),
    "replicas",
)
_STAND_INS: Final[Tree] = {"name": "any", "command": ["any"]}
"""What must be there for the rest to be read."""
