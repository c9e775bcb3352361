"""What a condition may ask of a history: two tables of facts, by their names.

Facts of the fleet and of the step stand for themselves (``seq``), others are asked
about something (``phase('web-1')``). Each says of which kind it is, which words it may
come to, and whether it never falls.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, get_args

import attrs

from orchestrator.core.commands import Command
from orchestrator.core.events import Event
from orchestrator.core.exits import Exit, Exited, exit_text
from orchestrator.core.histories import counted_failures
from orchestrator.core.moments import Millis
from orchestrator.core.phases import (
    PHASE_NAMES,
    BackingOff,
    CrashLooping,
    Rule,
    Running,
    phase_name,
)
from orchestrator.core.state import Container, Fleet
from orchestrator.core.steps import Step
from orchestrator.replay.conditions.kinds import (
    NONE,
    Asks,
    Fact,
    Kind,
    Situation,
    Value,
)
from orchestrator.replay.conditions.service_facts import SERVICE_QUESTIONS

__all__ = ("ABSENT", "FACTS", "NONE", "NO_CODE", "QUESTIONS", "phases_counted")

ABSENT: Final = "absent"
"""The phase of a container that is not there."""

NO_CODE: Final = -1
"""The exit code where no run has ended with one."""


def _tags(union: Any) -> dict[type, str]:
    """Return the names of classes, as journals write them."""
    return {
        kind: re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower()
        for kind in get_args(union)
    }


_PHASES: Final = tuple(PHASE_NAMES.values())
_COMMANDS: Final = _tags(Command)
_EVENTS: Final = _tags(Event)
_EXITS: Final = _tags(Exit)


def phases_counted(fleet: Fleet) -> Counter[str]:
    """Count the containers of a fleet by their phase."""
    return Counter(phase_name(one.phase) for one in fleet.containers.values())


def _of_fleet(kind: Kind, about: str, of: Callable[[Fleet], Value]) -> Fact:
    return Fact(kind=kind, about=about, read=lambda now, _: of(now.fleet))


def _growing(kind: Kind, about: str, of: Callable[[Fleet], Value]) -> Fact:
    return attrs.evolve(_of_fleet(kind, about, of), grows=True)


def _of_step(
    about: str, of: Callable[[Step], str], words: tuple[str, ...] = ()
) -> Fact:
    return Fact(
        kind=Kind.TEXT,
        about=about,
        read=lambda now, _: NONE if now.step is None else of(now.step),
        words=words or None,
        of_row=True,
    )


def _event_name(step: Step) -> str:
    return getattr(step.event, "name", None) or NONE


FACTS: Final[dict[str, Fact]] = {
    "seq": Fact(
        kind=Kind.NUMBER,
        about="the number of the row",
        read=lambda now, _: now.seq,
        grows=True,
    ),
    "at": _growing(Kind.MOMENT, "when its event came", lambda fleet: fleet.at),
    "event": _of_step(
        "the kind of the event, such as `'container_ended'`",
        lambda step: _EVENTS[type(step.event)],
        tuple(_EVENTS.values()),
    ),
    "event_name": _of_step("the container that the event is about", _event_name),
    "containers": _of_fleet(
        Kind.NUMBER,
        "how many containers there are",
        lambda fleet: len(fleet.containers),
    ),
    "strangers": _of_fleet(
        Kind.NUMBER,
        "how many containers of the platform nobody knows",
        lambda fleet: len(fleet.strangers),
    ),
    "observed": _of_fleet(
        Kind.TRUTH,
        "whether the platform was seen since the operator booted",
        lambda fleet: fleet.observed,
    ),
    "revision": _growing(
        Kind.NUMBER, "the revision of the fleet", lambda fleet: fleet.revision
    ),
    "epoch": _growing(
        Kind.NUMBER, "the epoch of the operator", lambda fleet: fleet.epoch
    ),
}
"""What stands for itself."""


def _asked(
    kind: Kind,
    about: str,
    of: Callable[[Container, Situation], Value],
    nobody: Value,
    words: tuple[str, ...] = (),
) -> Fact:
    """Return a fact of a container; *nobody* is what it is where there is none."""

    def read(now: Situation, asked: tuple[str, ...]) -> Value:
        container = now.fleet.containers.get(asked[0])
        return nobody if container is None else of(container, now)

    return Fact(
        kind=kind,
        about=about,
        read=read,
        takes=(Asks.CONTAINER,),
        words=(*words, str(nobody)) if words else None,
    )


def _counter(about: str, of: Callable[[Container], int]) -> Fact:
    fact = _asked(Kind.NUMBER, about, lambda container, _: of(container), 0)
    return attrs.evolve(fact, grows=True)


def _desired(container: Container, _: Situation) -> str:
    return "running" if container.desired.running else "stopped"


def _is_ready(container: Container, _: Situation) -> bool:
    phase = container.phase
    return isinstance(phase, Running) and phase.ready_at is not None


def _failures(container: Container, now: Situation) -> int:
    policy = container.spec.restart
    return len(counted_failures(container.history, policy, now.fleet.at))


def _last_exit(container: Container, _: Situation) -> str:
    return NONE if container.last is None else exit_text(container.last.exit)


def _exit_kind(container: Container, _: Situation) -> str:
    return NONE if container.last is None else _EXITS[type(container.last.exit)]


def _exit_code(container: Container, _: Situation) -> int:
    last = container.last
    ended = None if last is None else last.exit
    return ended.code if isinstance(ended, Exited) else NO_CODE


def _wait(container: Container, _: Situation) -> Millis:
    match container.phase:
        case (BackingOff() | CrashLooping()) as phase if phase.until is not None:
            return phase.until - phase.since
        case _:
            return 0


def _read_count(now: Situation, asked: tuple[str, ...]) -> int:
    counts = phases_counted(now.fleet) if now.counts is None else now.counts
    return counts.get(asked[0], 0)


def _read_changed(now: Situation, asked: tuple[str, ...]) -> bool:
    return now.step is not None and asked[0] in now.step.touched


def _read_command(now: Situation, asked: tuple[str, ...]) -> bool:
    kind, name = asked[0], asked[1:]
    return now.step is not None and any(
        _COMMANDS[type(one)] == kind and name in ((), (getattr(one, "name", None),))
        for one in now.step.commands
    )


QUESTIONS: Final[dict[str, Fact]] = {
    **SERVICE_QUESTIONS,
    "phase": _asked(
        Kind.TEXT,
        "its phase, such as `'crash_looping'`; `'absent'` where it is not there",
        lambda container, _: phase_name(container.phase),
        ABSENT,
        _PHASES,
    ),
    "ready": _asked(
        Kind.TRUTH, "whether it runs and is ready", _is_ready, nobody=False
    ),
    "desired": _asked(
        Kind.TEXT,
        "what its owner wants: `'running'`, `'stopped'`, or `'absent'`",
        _desired,
        ABSENT,
        ("running", "stopped"),
    ),
    "restarts": _counter(
        "how often it was started again, ever", lambda one: one.history.restarts_total
    ),
    "crashes": _counter(
        "how often it has failed, ever", lambda one: one.history.crashes_total
    ),
    "failures": _asked(
        Kind.NUMBER, "its failures within the window of its policy", _failures, 0
    ),
    "run": _counter("the number of its newest run", lambda one: one.run),
    "rule": _asked(
        Kind.TEXT,
        "the rule that put it into its phase, or `'none'`",
        lambda one, _: str(getattr(one.phase, "rule", NONE)),
        NONE,
        tuple(Rule),
    ),
    "last_exit": _asked(
        Kind.TEXT,
        "how its last run ended, in words such as `'exit 7'`, or `'none'`",
        _last_exit,
        NONE,
    ),
    "exit_kind": _asked(
        Kind.TEXT,
        "the kind of that end, such as `'signaled'`, or `'none'`",
        _exit_kind,
        NONE,
        tuple(_EXITS.values()),
    ),
    "exit_code": _asked(
        Kind.NUMBER,
        "the exit code of its last run; -1 where there is none",
        _exit_code,
        NO_CODE,
    ),
    "in_phase": _asked(
        Kind.DURATION,
        "for how long it has been in its phase",
        lambda one, now: max(0, now.fleet.at - one.phase.since),
        0,
    ),
    "wait": _asked(
        Kind.DURATION, "how long it waits in all for its next start", _wait, 0
    ),
    "changed": Fact(
        kind=Kind.TRUTH,
        about="whether the event has changed it",
        read=_read_changed,
        of_row=True,
        takes=(Asks.CONTAINER,),
    ),
    "count": Fact(
        kind=Kind.NUMBER,
        about="how many containers are in that phase",
        read=_read_count,
        takes=(Asks.PHASE,),
        words=_PHASES,
    ),
    "command": Fact(
        kind=Kind.TRUTH,
        about="whether the event has caused that command, for that container",
        read=_read_command,
        of_row=True,
        takes=(Asks.COMMAND, Asks.CONTAINER),
        may_leave=1,
        words=tuple(_COMMANDS.values()),
    ),
}
"""What is asked about something."""
