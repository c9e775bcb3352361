"""Which moments of a run are worth telling, in which words, and how much."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, assert_never

import attrs

from orchestrator.core.events import Booted, HealthChanged, SpecApplied
from orchestrator.core.exits import exit_text
from orchestrator.core.lineages import Rollout, RolloutStatus
from orchestrator.core.moments import Moment, format_duration
from orchestrator.core.phases import (
    Asleep,
    BackingOff,
    Completed,
    CrashLooping,
    Failed,
    Pending,
    Phase,
    Running,
    Starting,
    Stopped,
    Stopping,
    Unknown,
)
from orchestrator.core.state import Container, Fleet
from orchestrator.core.steps import Step

__all__ = ("Telling", "moments_of")

DESTROYED: Final = "has been destroyed"


@attrs.frozen(kw_only=True)
class Telling:
    """Something to tell; the heaviest are kept. *about* "" is the fleet."""

    about: str
    what: str
    weight: int


def moments_of(step: Step) -> Iterator[Telling]:
    """Yield what is worth telling of a step."""
    event = step.event
    if isinstance(event, Booted):
        what = f"operator takes over: epoch {event.epoch}"
        yield Telling(about="", what=what, weight=60)
    if isinstance(event, SpecApplied):
        what = f"declared: {len(event.declarations)} containers"
        yield Telling(about="", what=what, weight=90)
    if isinstance(event, HealthChanged):
        verdict = "passes again" if event.passing else "fails"
        what = f"{event.check} check {verdict}: run {event.run}"
        weight = 30 if event.passing else 55
        yield Telling(about=event.name, what=what, weight=weight)
    for before, after in step.pairs():
        if after is not None:
            was = None if before is None else before.phase
            yield from _of_container(was, after, step.after.at)
    if step.before.lineages is not step.after.lineages:
        yield from _of_rollouts(step)


def _of_rollouts(step: Step) -> Iterator[Telling]:
    """Yield where rollouts have come to, and why."""
    services = {**_services(step.before), **_services(step.after)}
    for service in services:
        was = _rollouts(step.before, service)
        for key, rollout in _rollouts(step.after, service).items():
            known = was.get(key)
            if known is None or known.status is not rollout.status:
                why = f": {rollout.reason}" if rollout.reason else ""
                what = f"rollout of revision {rollout.target} {_said(rollout.status)}"
                yield Telling(about=service, what=f"{what}{why}", weight=86)


def _services(fleet: Fleet) -> dict[str, None]:
    return dict.fromkeys(fleet.rolling)


def _rollouts(fleet: Fleet, service: str) -> dict[tuple[int, Moment], Rollout]:
    """Return the rollouts of a service that are known, by what tells them apart."""
    lineage = fleet.lineages.get(service)
    if lineage is None:
        return {}
    now = () if lineage.rollout is None else (lineage.rollout,)
    return {(each.target, each.began_at): each for each in (*lineage.past, *now)}


def _said(status: RolloutStatus) -> str:
    return str(status).replace("_", " ")


def _of_container(was: Phase | None, now: Container, at: Moment) -> Iterator[Telling]:
    if type(was) is type(now.phase) and not _is_news(was, now.phase):
        return
    told = _told(was, now, at)
    if told is not None:
        yield Telling(about=now.name, what=told[0], weight=told[1])


def _is_news(was: Phase | None, phase: Phase) -> bool:
    """Say whether something is worth telling although the phase is the same."""
    match phase, was:
        case Running(ready_at=ready_at), Running(ready_at=before):
            return (ready_at is None) != (before is None)
        case Stopping(destroys=destroys), Stopping(destroys=before):
            return destroys > before
        case Pending(waits_for=service), Pending(waits_for=before):
            return service not in ("", before)
        case _:
            return False


def _told(was: Phase | None, now: Container, at: Moment) -> tuple[str, int] | None:
    """Return what to say of a container that has come into its phase."""
    end = "" if now.last is None else f": {exit_text(now.last.exit)}"
    match now.phase:
        case Running(ready_at=None) if isinstance(was, Running):
            return "not ready any more", 45
        case Running(ready_at=None):
            return None
        case Running(run=run):
            return f"ready: run {run}", 25
        case Completed():
            return f"completed{end}", 50
        case Failed(rule=rule):
            return f"failed for good{end} ({_words(rule)})", 85
        case CrashLooping(until=None, rule=rule):
            return f"held{end} ({_words(rule)})", 80
        case CrashLooping(until=until, rule=rule):
            wait = format_duration((until or at) - at)
            return f"crash-looping{end} ({_words(rule)}), again in {wait}", 80
        case BackingOff(until=until, rule=rule):
            wait = format_duration(until - at)
            return f"ended{end} ({_words(rule)}), again in {wait}", 40
        case Unknown():
            return "out of sight", 50
        case Asleep():
            return "asleep", 45
        case Stopping(destroys=destroys) if destroys:
            return f"{DESTROYED}: {exit_text(now.phase.verdict)}", 65
        case Stopping(verdict=verdict):
            return f"is stopped: {exit_text(verdict)}", 35
        case Pending(waits_for=service) if service:
            return f"waits for {service}", 45
        case Stopped() | Pending() | Starting():
            return None
        case _:
            assert_never(now.phase)


def _words(rule: str) -> str:
    return rule.replace("_", " ")
