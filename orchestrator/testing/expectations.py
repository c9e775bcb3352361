"""What must be true in a scenario: words for ``Scenario.then``.

| word | what it says |
|---|---|
| ``phase`` | where a container is, by the name that its JSON has |
| ``rule`` | the rule that put it there |
| ``starts_in`` | how long until it starts again |
| ``counts`` | how many failures count now, since the last reset |
| ``is_ready`` | whether it is up and ready |
| ``runs`` | how many runs it has had |
| ``commands`` | exactly what was commanded since the last ``when`` |
| ``refused``, ``admitted`` | what the owner's newest request was answered |
| ``that`` | anything else, of the fleet |
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from orchestrator.core.commands import ContainerCommand
from orchestrator.core.events import COMMAND_KINDS
from orchestrator.core.moments import Millis, format_duration
from orchestrator.core.phases import BackingOff, CrashLooping, Running, phase_name
from orchestrator.core.state import Fleet
from orchestrator.testing.clock import millis_of
from orchestrator.testing.sources import Spoken
from orchestrator.testing.tales import Tale

__all__ = (
    "Expectation",
    "admitted",
    "command_text",
    "commands",
    "counts",
    "is_ready",
    "phase",
    "refused",
    "rule",
    "runs",
    "starts_in",
    "that",
)


@attrs.frozen(kw_only=True)
class Expectation(Spoken):
    """What must be true; ``test`` is given the tale and where the last ``when`` began.

    It returns what was expected and what was found, or None where all is well.
    """

    test: Callable[[Tale, int], str | None] = attrs.field(repr=False, eq=False)


def command_text(command: ContainerCommand) -> str:
    """Write a command as ``commands`` expects it.

    >>> from orchestrator.core.commands import StartContainer
    >>> command_text(StartContainer(name="web", run=2, revision=1))
    'start web#2'

    """
    return f"{COMMAND_KINDS[type(command)]} {command.name}#{command.run}"


def _equal(
    verb: str, name: str, expected: object, find: Callable[[Tale], object]
) -> Expectation:
    def test(tale: Tale, _: int) -> str | None:
        found = find(tale)
        return None if found == expected else f"expected {expected!r}, found {found!r}"

    return Expectation(verb=verb, args=(name, expected), test=test)


def phase(name: str, expected: str) -> Expectation:
    """Expect a phase by its stable name, such as ``"backing_off"``."""
    return _equal(
        "phase",
        name,
        expected,
        lambda tale: phase_name(tale.container(name).phase),
    )


def rule(name: str, expected: str) -> Expectation:
    """Expect the rule that decided the phase, such as ``"failure_backoff"``."""
    return _equal(
        "rule",
        name,
        str(expected),
        lambda tale: str(getattr(tale.container(name).phase, "rule", "")),
    )


def counts(name: str, failures: int) -> Expectation:
    """Expect how many failures count since the last reset."""
    return _equal(
        "counts", name, failures, lambda tale: tale.container(name).history.attempts
    )


def runs(name: str, expected: int) -> Expectation:
    """Expect the number of the newest run."""
    return _equal("runs", name, expected, lambda tale: tale.container(name).run)


def is_ready(name: str, *, ready: bool = True) -> Expectation:
    """Expect that a container is up and ready, or that it is not."""

    def test(tale: Tale, _: int) -> str | None:
        phase = tale.container(name).phase
        found = isinstance(phase, Running) and phase.ready_at is not None
        return None if found is ready else f"expected {ready}, found {found}"

    options = () if ready else (("ready", ready),)
    return Expectation(verb="is_ready", args=(name,), options=options, test=test)


def starts_in(name: str, wait: str | Millis) -> Expectation:
    """Expect the time until the next start; ``"never"`` where it is held."""
    expected = wait if wait == "never" else format_duration(millis_of(wait))

    def find(tale: Tale) -> str:
        match tale.container(name).phase:
            case BackingOff(until=until) | CrashLooping(until=int(until)):
                return format_duration(until - tale.now)
            case _:
                return "never"

    return _equal("starts_in", name, expected, find)


def commands(*expected: str) -> Expectation:
    """Expect exactly these commands since the last ``when``, in this order.

    Each is ``"start web#2"``, or ``"start web"`` where the run does not matter; looks
    at the platform are not among them.
    """

    def test(tale: Tale, since: int) -> str | None:
        found = tuple(map(command_text, tale.commands_since(since)))
        fits = len(found) == len(expected) and all(
            one in (text, text.partition("#")[0])
            for one, text in zip(expected, found, strict=True)
        )
        return None if fits else f"expected {expected!r}, found {found!r}"

    return Expectation(verb="commands", args=expected, test=test)


def refused(code: str) -> Expectation:
    """Expect the code of the error with which the newest request was refused."""

    def test(tale: Tale, _: int) -> str | None:
        found = None if tale.refusal is None else tale.refusal.code
        return None if found == code else f"expected {code!r}, found {found!r}"

    return Expectation(verb="refused", args=(code,), test=test)


def admitted() -> Expectation:
    """Expect that the newest request was admitted."""

    def test(tale: Tale, _: int) -> str | None:
        return None if tale.refusal is None else f"refused: {tale.refusal.message}"

    return Expectation(verb="admitted", test=test)


def that(sentence: str, holds: Callable[[Fleet], bool]) -> Expectation:
    """Expect anything of the fleet; the sentence says what.

    A printed scenario names the function, so let it have a name.
    """

    def test(tale: Tale, _: int) -> str | None:
        return None if holds(tale.fleet) else f"does not hold: {sentence}"

    return Expectation(verb="that", args=(sentence, holds), test=test)
