"""A history for people: when, what happened, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from orchestrator.core.commands import FleetCommand
from orchestrator.core.events import (
    Booted,
    CommandAccepted,
    CommandFailed,
    ContainerEnded,
    ContainerErrored,
    ContainerObserved,
    ContainerReady,
    ContainerStarted,
    Event,
    FleetObserved,
    HealthChanged,
    SpecApplied,
    StartRequested,
    TimeReached,
)
from orchestrator.core.exits import exit_text
from orchestrator.core.moments import format_duration
from orchestrator.core.notices import NoticeDelivered, NoticeFailed
from orchestrator.core.observations import SeenEnded
from orchestrator.core.phases import BackingOff, CrashLooping, phase_name
from orchestrator.core.state import Container
from orchestrator.core.steps import Step
from orchestrator.testing.expectations import command_text
from orchestrator.testing.tales import Tale

__all__ = ("story", "told")

_WORDS: Final[dict[type, Callable[[Any], str]]] = {
    Booted: lambda e: f"an operator boots, epoch {e.epoch}",
    SpecApplied: lambda e: f"the owner applies fleet {e.fleet!r}",
    FleetObserved: lambda e: "a look ends" if e.complete else "a look ends, incomplete",
    StartRequested: lambda e: (
        f"the owner asks for {e.name}" + (", with force" if e.force else "")
    ),
    ContainerStarted: lambda e: f"{e.name}#{e.run} has started",
    ContainerReady: lambda e: f"{e.name}#{e.run} listens",
    ContainerEnded: lambda e: f"{e.name}#{e.run} ends: {exit_text(e.exit)}",
    ContainerErrored: lambda e: f"{e.name}#{e.run} is out of sight: {e.cause}",
    ContainerObserved: lambda e: f"{e.name}#{e.run} is seen: {_seen(e)}",
    HealthChanged: lambda e: (
        f"{e.name}#{e.run}: {e.check} {'passes' if e.passing else 'fails'}"
    ),
    CommandAccepted: lambda e: f"{e.name}#{e.run}: {e.kind} accepted",
    CommandFailed: lambda e: f"{e.name}#{e.run}: {e.kind} failed: {e.error.message}",
    NoticeDelivered: lambda e: f"notice {e.number} arrives",
    NoticeFailed: lambda e: f"notice {e.number} does not arrive: {e.cause}",
    TimeReached: lambda e: "time passes" + (f" for {e.name}" if e.name else ""),
}


def _seen(event: ContainerObserved) -> str:
    sight = event.sight
    if isinstance(sight, SeenEnded):
        return exit_text(sight.exit)
    return type(sight).__name__.removeprefix("Seen").lower()


def told(event: Event) -> str:
    """Say in a few words what has happened.

    >>> told(TimeReached(at=0, name="web"))
    'time passes for web'

    """
    words = _WORDS.get(type(event))
    if words is not None:
        return words(event)
    name = getattr(event, "name", "")
    return f"the owner: {type(event).__name__} {name}".rstrip()


def story(tale: Tale) -> str:
    """Return a tale as lines, without what was looked at and changed nothing."""
    return "".join(
        f"  {format_duration(step.event.at):>10}  {told(step.event):<44}"
        f"{_came_of(step)}".rstrip()
        + "\n"
        for step in tale.steps
        if _says_something(step)
    )


def _says_something(step: Step) -> bool:
    is_quiet = isinstance(step.event, FleetObserved | TimeReached)
    return not is_quiet or bool(step.touched) or bool(step.commands)


def _came_of(step: Step) -> str:
    changed = [
        f"{after.name} {_place(after, step.event.at)}"
        for before, after in step.pairs()
        if after is not None and _differs(before, after)
    ]
    orders = [
        command_text(command)
        for command in step.commands
        if not isinstance(command, FleetCommand)
    ]
    parts = [", ".join(part) for part in (changed, orders) if part]
    return f"-> {'; '.join(parts)}" if parts else ""


def _differs(before: Container | None, after: Container) -> bool:
    if before is None or type(before.phase) is not type(after.phase):
        return True
    return getattr(before.phase, "until", 0) != getattr(after.phase, "until", 0)


def _place(container: Container, at: int) -> str:
    phase = container.phase
    if isinstance(phase, BackingOff | CrashLooping):
        held = phase.until is None
        wait = "" if phase.until is None else format_duration(phase.until - at)
        return f"{phase_name(phase)} {'(held)' if held else f'for {wait}'}"
    return phase_name(phase)
