"""The trace as the reference library is told it, and what must become of it there.

It knows three events: a container has started, has stopped, or had an error. So an end
is told as one of the last two, and what is neither (an acknowledgement, a check, a
timer) as one more `started`, the least that it does with an event. What the owner wants
is no event there but a field, written beside it; who ends a run that is sick, and who
starts what has cooled down, is not its matter: it is told of the end, and of the start.

Compared is what it can know: whether each container runs, rests, is to start, or is
held as crash-looping.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from orchestrator.core.events import (
    ContainerEnded,
    ContainerStarted,
    CrashHistoryCleared,
    Event,
)
from orchestrator.core.exits import Exit, Exited, OutOfMemory, Signaled, Stopped
from orchestrator.core.phases import (
    BackingOff,
    Completed,
    CrashLooping,
    Pending,
    Phase,
    Running,
    Starting,
    Stopping,
    phase_name,
)
from orchestrator.core.phases import Stopped as Resting
from orchestrator.core.reduce import step_of
from orchestrator.core.state import Container, Fleet

__all__ = ("declarations", "phases_there", "told")

Told = dict[str, Any]


def declarations(fleet: Fleet) -> list[Told]:
    """Return each container with its restart policy, in the library's words."""
    return [
        {
            "name": one.name,
            "policy": {
                "when": str(one.spec.restart.when),
                "crash": {
                    "windowMs": one.spec.restart.crash.window_ms,
                    "allowedCrashes": one.spec.restart.crash.allowed_crashes,
                },
            },
        }
        for one in fleet.containers.values()
    ]


def told(fleet: Fleet, life: Iterable[Event]) -> tuple[list[Told], dict[str, str]]:
    """Return one entry for each event, and the phases that must come of them."""
    wanted = dict.fromkeys(fleet.containers, True)
    found = []
    for event in life:
        step = step_of(fleet, event)
        name = getattr(event, "name", None)
        if name is None:
            found.append({"at": event.at})
        else:
            was, now = fleet.containers[name], step.after.containers[name]
            entry = _entry(event, was, now)
            if wanted[name] != _wanted(now):
                wanted[name] = entry["wanted"] = _wanted(now)
            found.append(entry)
        fleet = step.after
    return found, phases_there(fleet)


def _entry(event: Event, was: Container, now: Container) -> Told:
    entry: Told = {"at": event.at, "name": now.name, "type": "started"}
    match event:
        case ContainerEnded():
            assert now.last is not None
            entry |= _end(now.last.exit)
        case ContainerStarted():
            entry["runs"] = True
        case CrashHistoryCleared():
            entry["forgets"] = True
        case _:
            pass
    if _is_to_start(now) and not isinstance(event, ContainerEnded):
        entry["begins"] = not _is_to_start(was)
    return entry


def _end(ended: Exit) -> Told:
    match ended:
        case Exited(code=code):
            return {"type": "stopped", "exitCode": code, "reason": "exit"}
        case Signaled(signal=signal):
            return {
                "type": "stopped",
                "exitCode": 128 + signal,
                "reason": "runtime_signal",
            }
        case OutOfMemory():
            return {"type": "stopped", "exitCode": 137, "reason": "exit"}
        case Stopped():
            return {"type": "stopped", "exitCode": 0, "reason": "exit"}
        case _:
            return {"type": "error", "error": "ended by its keeper"}


def _wanted(now: Container) -> bool:
    """Say what the library's desired state is: stopped, too, until a restart's end."""
    stops = isinstance(now.phase, Stopping) and isinstance(now.phase.verdict, Stopped)
    return now.desired.running and not stops


def _is_to_start(now: Container) -> bool:
    return isinstance(now.phase, Pending | Starting)


NAMES: Final[dict[type[Phase], str]] = {
    Pending: "to start",
    Starting: "to start",
    BackingOff: "to start",
    Running: "runs",
    Stopping: "runs",
    Resting: "rests",
    Completed: "rests",
    CrashLooping: "is held",
}


def phases_there(fleet: Fleet) -> dict[str, str]:
    """Return what each container must be found in."""
    return {
        name: NAMES.get(type(one.phase), phase_name(one.phase))
        for name, one in fleet.containers.items()
    }
