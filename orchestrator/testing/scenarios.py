"""Given a fleet, when this happens, then that is so: a history one can read and run.

A ``Scenario`` is a value. ``when`` plays what happens at once, in virtual time, and
returns the scenario with it; ``then`` checks, and raises where something is not so;
``obeys`` holds the whole history to laws. ``print(scenario)`` is the program that
tells it again. What no platform could produce is refused, with the line.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import attrs

from orchestrator.core.custom import CustomPolicy, registered
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.moments import Millis
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import Container, Fleet
from orchestrator.testing.acts import Act
from orchestrator.testing.clock import millis_of
from orchestrator.testing.expectations import Expectation
from orchestrator.testing.laws import LAWS, breaches
from orchestrator.testing.sources import STEP, WIDTH, call, imports_of, source_of
from orchestrator.testing.stories import story
from orchestrator.testing.tales import Impossible, Tale, begin

__all__ = (
    "ExpectationFailed",
    "HistoryFailed",
    "ImpossibleHistory",
    "LawBroken",
    "Scenario",
)

FACE: Final = "orchestrator.testing"
NAME: Final = "scenario"


class HistoryFailed(AssertionError):
    """Something is wrong with a history; ``scenario`` is all of it up to there."""

    def __init__(self, what: str, scenario: Scenario) -> None:
        """Say what, and how to see it again."""
        super().__init__(what, scenario)
        self.what = what
        self.scenario = scenario

    def __str__(self) -> str:
        return (
            f"{self.what}\n\nwhat happened:\n{story(self.scenario.tale)}\n"
            f"to run it again:\n\n{self.scenario}"
        )


class ExpectationFailed(HistoryFailed):
    """A ``then`` was not so."""


class ImpossibleHistory(HistoryFailed):
    """No platform could produce what a ``when`` says."""


class LawBroken(HistoryFailed):
    """A history breaks a law; ``law`` is its name, ``about`` what broke it."""

    def __init__(self, law: str, about: str, scenario: Scenario) -> None:
        """Name the law."""
        super().__init__(f"broken: {law}\n{about}", scenario)
        self.law = law
        self.about = about


@attrs.frozen(kw_only=True)
class Scenario:
    """A fleet, what happened to it, and what was checked on the way.

    >>> from orchestrator.testing import comes_up, crashes, phase, starts_in
    >>> web = ContainerSpec(name="web", command=("run",))
    >>> scenario = Scenario.of(web).when(comes_up("web"))
    >>> _ = scenario.when(crashes("web"), after="3s").then(phase("web", "backing_off"))

    """

    tale: Tale
    given: FleetSpec | tuple[ContainerSpec, ...]
    custom: tuple[CustomPolicy, ...] = ()
    lines: tuple[_Line, ...] = ()
    since: int = 0

    @staticmethod
    def of(
        *given: FleetSpec | ContainerSpec,
        policies: Iterable[CustomPolicy] = (),
        answers_looks: bool = True,
    ) -> Scenario:
        """Begin with a fleet, or with the containers of one that has defaults.

        Its operator has just booted, and seen that nothing runs; the first starts are
        commanded. ``answers_looks=False``: a look ends only where ``looks`` says so.
        """
        custom = tuple(policies)
        fleet = _fleet_of(given)
        tale = begin(fleet, registered(custom), answers_looks=answers_looks)
        specs = tuple(one for one in given if isinstance(one, ContainerSpec))
        return Scenario(tale=tale, given=specs or fleet, custom=custom)

    @property
    def fleet(self) -> Fleet:
        """Return the fleet as it is now."""
        return self.tale.fleet

    def container(self, name: str) -> Container:
        """Return a container as it is now."""
        return self.tale.container(name)

    def when(self, *acts: Act, after: str | Millis = 0) -> Scenario:
        """Let some time pass, and what is due in it happen; then let the acts happen.

        ``ImpossibleHistory`` where no platform could do that now.
        """
        line = _Line(verb="when", words=acts, after=after)
        moved = attrs.evolve(
            self, lines=(*self.lines, line), since=len(self.tale.steps)
        )
        tale = self.tale.passed(millis_of(after)) if after else self.tale
        for act in acts:
            try:
                tale = act.play(tale, False)  # noqa: FBT003 - by position, a callback
            except (Impossible, LookupError) as error:
                told = attrs.evolve(moved, tale=tale)
                why = error.args[0]
                what = f"line {len(moved.lines)}: {act.source()}: {why}"
                raise ImpossibleHistory(what, told) from None
        return attrs.evolve(moved, tale=tale)

    def then(self, *expected: Expectation) -> Scenario:
        """Check what must be so now; ``ExpectationFailed`` where it is not."""
        line = _Line(verb="then", words=expected)
        checked = attrs.evolve(self, lines=(*self.lines, line))
        for one in expected:
            wrong = one.test(self.tale, self.since)
            if wrong is not None:
                what = f"line {len(checked.lines)}: {one.source()}: {wrong}"
                raise ExpectationFailed(what, checked)
        return checked

    def obeys(self, *laws: str) -> Scenario:
        """Hold the whole history to laws, by name, or to all of them.

        ``LawBroken`` names the first that is broken.
        """
        unknown = [law for law in laws if law not in LAWS]
        if unknown:
            raise ValueError(f"there is no law {unknown[0]!r}, but {', '.join(LAWS)}")
        for law, about in breaches(self.tale, laws or tuple(LAWS)):
            raise LawBroken(law, about, self.held_to(law))
        return self.held_to(*laws)

    def held_to(self, *laws: str) -> Scenario:
        """Return the scenario with the line that holds it to laws, not checked here."""
        line = _Line(verb="obeys", names=laws)
        return attrs.evolve(self, lines=(*self.lines, line))

    def story(self) -> str:
        """Return what happened as a table: when, what, and what came of it."""
        return story(self.tale)

    def __str__(self) -> str:
        given = self.given if isinstance(self.given, tuple) else (self.given,)
        parts = [source_of(one, 2) for one in given]
        if self.custom:
            parts.append(f"policies={source_of(list(self.custom), 2)}")
        if not self.tale.answers_looks:
            parts.append("answers_looks=False")
        rows = [f"Scenario.{call('of', parts, 1)}"]
        rows += [f".{line.source()}" for line in self.lines]
        needed = imports_of(*given, *self.custom)
        for line in self.lines:
            needed |= imports_of(*line.words)
        body = "".join(f"{STEP}{row}\n" for row in rows)
        return f"{_imports(needed)}\n\n{NAME} = (\n{body})\n"


@attrs.frozen(kw_only=True)
class _Line:
    verb: str
    words: tuple[Act | Expectation, ...] = ()
    names: tuple[str, ...] = ()
    after: str | Millis = 0

    def source(self) -> str:
        parts = [word.source(2) for word in self.words]
        parts += [source_of(name) for name in self.names]
        if self.after:
            parts.append(f"after={source_of(self.after)}")
        return call(self.verb, parts, 1)


def _fleet_of(given: tuple[FleetSpec | ContainerSpec, ...]) -> FleetSpec:
    if len(given) == 1 and isinstance(given[0], FleetSpec):
        return given[0]
    specs = tuple(one for one in given if isinstance(one, ContainerSpec))
    if len(specs) != len(given) or not specs:
        raise TypeError("expected one FleetSpec, or one or more ContainerSpec")
    return FleetSpec(name="demo", containers=specs)


def _imports(needed: set[tuple[str, str]]) -> str:
    """Write the imports of a program, one line a module."""
    by_module: dict[str, list[str]] = {FACE: [Scenario.__name__]}
    for module, name in sorted(needed):
        by_module.setdefault(module, []).append(name)
    return "\n".join(
        _import(module, sorted(set(names)))
        for module, names in sorted(by_module.items())
    )


def _import(module: str, names: list[str]) -> str:
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= WIDTH:
        return line
    rows = "".join(f"{STEP}{name},\n" for name in names)
    return f"from {module} import (\n{rows})"
