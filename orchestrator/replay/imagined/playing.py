"""A record played again under a hypothesis, in virtual time, beside the record itself.

Note [Following and parting]. As long as a container would have gone as it went, the
rows of the record are its fate: it *follows* them, so that a hypothesis that changes
nothing gives the very record, whatever had gone wrong in it. With the first step after
which it is in another phase, or has another run, it *parts* from the record, for good:
from there on it is played (``replay.imagined.recalled``).

Note [What ran]. A run that would have begun of another spec than it did follows the
record all the same, where nothing is known of that spec; where the record has runs of
it, the container parts, and goes as these.

Note [Whose timer]. A timer is left to the record where the record waits for the same
moment, which says how late it went off; else it goes off when it is due.

Note [While nobody was there]. Between the last row before a boot and the boot no
operator was there, as far as anybody knows. What is due then comes after the boot.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, assert_never

import attrs

from orchestrator.core.commands import (
    DestroyContainer,
    ForgetContainer,
    ObserveFleet,
    StartContainer,
    StopContainer,
)
from orchestrator.core.custom import NO_POLICIES, CustomPolicies
from orchestrator.core.events import (
    Booted,
    Event,
    FleetObserved,
    OwnerEvent,
    TimeReached,
)
from orchestrator.core.moments import Moment, earliest
from orchestrator.core.phases import live_run
from orchestrator.core.reduce import step_of
from orchestrator.core.state import Fleet
from orchestrator.core.steps import Step
from orchestrator.core.uptimes import begun
from orchestrator.core.wake import wake_at_fleet
from orchestrator.replay.history import Entry
from orchestrator.replay.imagined.assumptions import Notes, Supposed
from orchestrator.replay.imagined.beats import Beat, Parted
from orchestrator.replay.imagined.causes import Causes
from orchestrator.replay.imagined.clockwork import Timers
from orchestrator.replay.imagined.hypotheses import Hypothesis, rewritten
from orchestrator.replay.imagined.recalled import Behind, Recalled
from orchestrator.replay.imagined.sameness import (
    about_live_run,
    accepted_instead,
    commands_for,
    due_of,
    fitting,
    goes_alike,
    is_news,
    listens,
    named_in,
)

__all__ = ("STEPS_MAX", "Play")

STEPS_MAX: Final = 5_000_000
"""Steps that a hypothesis may take besides the rows of the record."""


@attrs.define(kw_only=True, eq=False)
class Play:
    """Plays a record under a hypothesis; ``beats`` is what happens, one by one.

    ``record`` is the fleet as it was, ``world`` as it would have been, ``parted`` who
    does not follow the record any more. ``is_endless``: it was given up, as it took
    more steps than were left to it besides the rows.
    """

    hypothesis: Hypothesis
    causes: Causes
    record: Fleet
    world: Fleet
    policies: CustomPolicies = NO_POLICIES
    notes: Notes = attrs.field(factory=Notes)
    parted: dict[str, Parted] = attrs.field(factory=dict[str, Parted])
    is_endless: bool = False
    steps_left: int = STEPS_MAX
    _recalled: Recalled = attrs.field(init=False)
    _inserted: list[Event] = attrs.field(init=False)
    _timers: Timers = attrs.field(factory=Timers)
    _look_at: Moment | None = None
    _looks: int = 0
    _is_insert: bool = False
    _fleet_follows: bool = True
    _seq: int = 0

    def __attrs_post_init__(self) -> None:
        """Take up what the record remembers, and what is inserted."""
        self._recalled = Recalled(causes=self.causes, notes=self.notes)
        inserted = sorted(self.hypothesis.insert, key=lambda event: event.at)
        self._inserted = inserted[::-1]

    def beats(self, entries: Iterable[Entry]) -> Iterator[Beat]:
        """Yield what happens, in the order of time."""
        self._arm((*self.record.containers, *self.world.containers))
        for entry in entries:
            if not isinstance(entry.event, Booted):
                yield from self._between(entry.event.at)
            yield self._row(entry)
            if self.is_endless:
                return
        yield from self._between(self.record.at + 1)

    # A row of the record

    def _row(self, entry: Entry) -> Beat:
        self._seq = entry.seq
        told = self._told(entry)
        recorded = step_of(self.record, entry.event, self.policies)
        before = self.world
        imagined = None if told is None else step_of(before, told, self.policies)
        self.record = recorded.after
        if isinstance(entry.event, Booted):
            self._look_at = None
        if imagined is not None:
            self.world = imagined.after
        self._part(before, recorded, imagined)
        if imagined is not None:
            self._carry_out(imagined, recorded)
        touched = (*recorded.touched, *(imagined.touched if imagined else ()))
        if isinstance(entry.event, Booted):  # what may be replaced may be another
            touched = (*self.record.containers, *self.world.containers)
        self._arm(touched)
        return Beat(entry=entry, recorded=recorded, imagined=imagined)

    def _told(self, entry: Entry) -> Event | None:
        """Return what a row tells in the hypothesis; None: nothing."""
        event = entry.event
        if entry.seq in self.hypothesis.skip:
            return accepted_instead(event) if self._follows(event) else None
        match event:
            case Booted() | FleetObserved() | TimeReached(name=None):
                return event if self._fleet_hears(event) else None
            case _ if isinstance(event, OwnerEvent):
                return rewritten(event, self.hypothesis)
            case _:
                follows = self._follows(event)
                return fitting(event, self.record, self.world) if follows else None

    def _fleet_hears(self, event: Booted | FleetObserved | TimeReached) -> bool:
        match event:
            case Booted():
                return True
            case FleetObserved():
                is_asked = self.world.observing or not self.record.observing
                is_asked = is_asked and self._look_at is None
                return is_asked and self.hypothesis.follows
            case TimeReached():
                return self._fleet_follows
            case _:
                assert_never(event)

    def _follows(self, event: Event) -> bool:
        """Say whether whom an event is about follows the record."""
        name: str = getattr(event, "name", None) or ""
        return self.hypothesis.follows and name not in self.parted

    # What happens between rows

    def _between(self, until: Moment) -> Iterator[Beat]:
        """Let happen what is due before *until* and in no row."""
        while (event := self._next(until)) is not None:
            self.steps_left -= 1
            if not self.steps_left:
                self.is_endless = True
                return
            before = self.world
            step = step_of(before, event, self.policies)
            self.world = step.after
            if self._is_insert and not (step.touched or step.commands):
                self.notes.take(Supposed.NO_EFFECT, getattr(event, "name", ""))
            self._part(before, None, step)
            self._carry_out(step, None)
            self._arm(step.touched)
            yield Beat(imagined=step)

    def _next(self, until: Moment) -> Event | None:
        self._is_insert = False
        while True:
            told = self._recalled.next_at()
            inserted = self._inserted[-1].at if self._inserted else None
            timer = self._timers.next_at()
            first = earliest(told, self._look_at, inserted, timer)
            if first is None or first >= until:
                return None
            at = max(first, self.world.at)
            if first == told:
                news = attrs.evolve(self._recalled.pop(), at=at)
                if is_news(news, self.world):
                    return news
            elif first == self._look_at:
                self._look_at = None
                return FleetObserved(at=at, complete=True)
            elif first == inserted:
                self._is_insert = True
                event = rewritten(self._inserted.pop(), self.hypothesis)
                return about_live_run(attrs.evolve(event, at=at), self.world)
            else:
                return TimeReached(at=at, name=self._timers.pop())

    # What follows from a step

    def _part(
        self, before: Fleet, recorded: Step | None, imagined: Step | None
    ) -> None:
        """Find who parts from the record with a step; play on what it was at."""
        if not self.hypothesis.follows:
            return
        steps = [step for step in (recorded, imagined) if step is not None]
        names = {name: None for step in steps for name in named_in(step)}
        for name in names:
            if name in self.parted:
                continue
            was = self.record.containers.get(name)
            now = self.world.containers.get(name)
            same = commands_for(name, recorded) == commands_for(name, imagined)
            alike = same and goes_alike(was, now)
            if alike and not self._recalled.knows_another(was, now, imagined):
                continue
            at = self.world.at if recorded is None else self.record.at
            self.parted[name] = Parted(
                name=name, seq=self._seq, at=at, recorded=was, imagined=now
            )
            alive = before.containers.get(name)
            run = None if alive is None else live_run(alive.phase)
            if alive is not None and run is not None:
                shared = self._seq - (recorded is not None)
                place = Behind(
                    row=self._seq, shared=shared, at=at, listens=listens(now, run)
                )
                self._recalled.take_over(alive, run, place)

    def _is_played(self, name: str) -> bool:
        return name in self.parted or not self.hypothesis.follows

    def _carry_out(self, step: Step, recorded: Step | None) -> None:
        at = step.after.at
        new = {command.name for command in begun(step)}
        for command in step.commands:
            match command:
                case ObserveFleet():
                    self._look(recorded, at)
                case StartContainer(name=name) if self._is_played(name):
                    container = step.after.containers[name]
                    self._recalled.start(command, container, at)
                case StartContainer(name=name) if name in new:
                    _ = self._recalled.turns.begin(step.after.containers[name])
                case StopContainer() | DestroyContainer() if self._is_played(
                    command.name
                ):
                    self._recalled.stop(command, at)
                case ForgetContainer(name=name) if self._is_played(name):
                    self._recalled.forget(command, at)
                case _:
                    pass

    def _look(self, recorded: Step | None, at: Moment) -> None:
        """Have a look of the record do, or take one of its own."""
        shared = recorded is not None and ObserveFleet() in recorded.commands
        if self.hypothesis.follows and (shared or self.record.observing):
            return
        self.notes.take(Supposed.OWN_LOOK, "")
        self._looks += 1
        known = () if self.hypothesis.follows else self.causes.looks
        is_known = self._looks <= len(known)
        wait = known[self._looks - 1] if is_known else self.causes.typical.look
        self._look_at = at + max(1, wait)

    def _arm(self, names: Iterable[str]) -> None:
        for name in names:
            due = due_of(self.world, name)
            left = not self._is_played(name) and due == due_of(self.record, name)
            self._timers.set(name, None if left else due)
        due = wake_at_fleet(self.world)
        follows = self.hypothesis.follows
        self._fleet_follows = follows and due == wake_at_fleet(self.record)
        self._timers.set(None, None if self._fleet_follows else due)
