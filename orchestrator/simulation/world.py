"""A model of a platform: what runs, what it will do next, and what it tells.

The world obeys the laws of the platform port: orders are keyed by run, a lower run
is stale, every accepted run ends once, a stop keeps its grace. It is changed in place
by its own driver only, and depends on nothing but its seed and the orders it gets.
"""

from __future__ import annotations

from typing import Final, assert_never

import attrs
from returns.result import Failure, Result, Success

from orchestrator.core.commands import (
    ContainerCommand,
    DestroyContainer,
    ForgetContainer,
    StartContainer,
    StopContainer,
)
from orchestrator.core.errors import PlatformError, StaleRun
from orchestrator.core.events import (
    ContainerEnded,
    ContainerReady,
    ContainerStarted,
    LifecycleEvent,
)
from orchestrator.core.exits import Exit, Exited, Signaled, Stopped
from orchestrator.core.moments import Moment
from orchestrator.core.observations import Observation, SeenEnded, SeenRunning, Sighting
from orchestrator.core.table import Table
from orchestrator.simulation.dice import Dice
from orchestrator.simulation.faults import Character

__all__ = ("Life", "World")

SIGKILL: Final = 9
STEADY_FOREVER: Final = 10**12


@attrs.define(kw_only=True)
class Life:
    """One run at the platform, with its fate."""

    name: str
    run: int
    fingerprint: str
    started_at: Moment
    ready_at: Moment | None
    ends_at: Moment | None
    exit: Exit
    stubborn: bool = False
    told_started: bool = False
    told_ready: bool = False
    told_ended: bool = False

    def has_ended(self, at: Moment) -> bool:
        """Say whether the run is over."""
        return self.ends_at is not None and at >= self.ends_at


@attrs.define(kw_only=True)
class World:
    """The platform: the newest run of each container, and the dice of its fates."""

    dice: Dice
    characters: dict[str, Character]
    lives: dict[str, Life] = attrs.field(factory=dict[str, Life])
    double_starts: int = 0

    def perform(
        self, command: ContainerCommand, fingerprint: str, at: Moment
    ) -> Result[None, PlatformError]:
        """Carry out a command; the same one twice does the same as once."""
        life = self.lives.get(command.name)
        match command:
            case StartContainer(run=run):
                return self._start(command.name, run, fingerprint, at)
            case StopContainer(run=run, grace_ms=grace_ms):
                self._end(command.name, run, at, grace_ms)
            case DestroyContainer(run=run):
                self._end(command.name, run, at, 0, kill=True)
            case ForgetContainer(run=run):
                if life is not None and life.run <= run and life.has_ended(at):
                    del self.lives[command.name]
            case _:
                assert_never(command)
        return Success(None)

    def _start(
        self, name: str, run: int, fingerprint: str, at: Moment
    ) -> Result[None, PlatformError]:
        life = self.lives.get(name)
        if life is not None and life.run > run:
            return Failure(StaleRun(name=name, run=run, highest=life.run))
        if life is not None and life.run == run:
            return Success(None)
        if life is not None and not life.has_ended(at):
            # The platform fences: the older run is ended before the newer begins.
            self.double_starts += 1
        self.lives[name] = self._born(name, run, fingerprint, at)
        return Success(None)

    def _born(self, name: str, run: int, fingerprint: str, at: Moment) -> Life:
        """Draw the fate of a run from the character of its container."""
        roll = self.dice.between
        character = self.characters.get(name, Character.STEADY)
        started_at = at + roll(5, 400)
        ready_at: Moment | None = started_at + roll(0, 2_000)
        ends_at: Moment | None = None
        exit_: Exit = Exited(code=0)
        match character:
            case Character.JOB:
                ends_at = started_at + roll(100, 20_000)
            case Character.FLAKY:
                ends_at = started_at + roll(500, 900_000)
                exit_ = Exited(code=roll(0, 2)) if roll(0, 1) else Signaled(signal=11)
            case Character.DEAD:
                ends_at, ready_at = started_at + roll(1, 300), None
                exit_ = Exited(code=1)
            case Character.NEVER_READY:
                ready_at = None
            case Character.STEADY | Character.STUBBORN:
                pass
            case _:
                assert_never(character)
        return Life(
            name=name,
            run=run,
            fingerprint=fingerprint,
            started_at=started_at,
            ready_at=ready_at,
            ends_at=ends_at,
            exit=exit_,
            stubborn=character is Character.STUBBORN,
        )

    def _end(
        self, name: str, run: int, at: Moment, grace_ms: int, *, kill: bool = False
    ) -> None:
        """End a run in order; one that is not there is told as ended."""
        life = self.lives.get(name)
        if life is None or life.run < run:
            self.lives[name] = Life(
                name=name,
                run=run,
                fingerprint="",
                started_at=at,
                ready_at=None,
                ends_at=at,
                exit=Stopped(),
                told_started=True,
                told_ready=True,
            )
            return
        if life.run > run or life.has_ended(at):
            life.told_ended = life.told_ended and life.run != run
            return
        ends_at = at + (grace_ms if life.stubborn and not kill else 20)
        if life.ends_at is None or ends_at < life.ends_at:
            life.ends_at = ends_at
            forced = life.stubborn or kill
            life.exit = Signaled(signal=SIGKILL) if forced else Exited(code=0)

    def vanish(self, name: str, at: Moment) -> None:
        """Lose a container without a word, as an evicted object is lost."""
        life = self.lives.get(name)
        if life is not None and not life.has_ended(at):
            del self.lives[name]

    def news(self, at: Moment) -> list[LifecycleEvent]:
        """Tell what has happened up to *at* and was not told before."""
        told: list[LifecycleEvent] = []
        for name in sorted(self.lives):
            told += _news_of(self.lives[name], at)
        return told

    def next_news_at(self) -> Moment | None:
        """Return when there will be news."""
        moments = [moment for life in self.lives.values() for moment in _untold(life)]
        return min(moments, default=None)

    def observe(self, at: Moment, *, complete: bool) -> Observation:
        """Show every container as it is at *at*; an incomplete look misses some."""
        lives = [self.lives[name] for name in sorted(self.lives)]
        shown = [life for life in lives if complete or self.dice.happens(500)]
        return Observation(
            began=at,
            complete=complete,
            sightings=tuple(_sighting(life, at) for life in shown),
        )


def _untold(life: Life) -> list[Moment]:
    moments: list[Moment] = []
    ends_at = life.ends_at
    if not life.told_started and (ends_at is None or life.started_at <= ends_at):
        moments.append(life.started_at)
    if (
        not life.told_ready
        and life.ready_at is not None
        and (ends_at is None or life.ready_at < ends_at)
    ):
        moments.append(life.ready_at)
    if not life.told_ended and ends_at is not None:
        moments.append(ends_at)
    return moments


def _news_of(life: Life, at: Moment) -> list[LifecycleEvent]:
    due = {moment for moment in _untold(life) if moment <= at}
    name, run = life.name, life.run
    told: list[LifecycleEvent] = []
    if not life.told_started and life.started_at in due:
        life.told_started = True
        told.append(
            ContainerStarted(at=at, name=name, run=run, source_at=life.started_at)
        )
    if not life.told_ready and life.ready_at in due:
        life.told_ready = True
        addresses: Table[str, str] = Table.of([("http", f"{name}:8080")])
        told.append(
            ContainerReady(
                at=at,
                name=name,
                run=run,
                addresses=addresses,
                source_at=life.ready_at,
            )
        )
    if not life.told_ended and life.ends_at in due:
        life.told_ended = True
        told.append(
            ContainerEnded(
                at=at, name=name, run=run, exit=life.exit, source_at=life.ends_at
            )
        )
    return told


def _sighting(life: Life, at: Moment) -> Sighting:
    if life.has_ended(at):
        return Sighting(
            name=life.name,
            run=life.run,
            sight=SeenEnded(exit=life.exit),
            fingerprint=life.fingerprint,
        )
    ready = life.ready_at is not None and at >= life.ready_at
    return Sighting(
        name=life.name,
        run=life.run,
        sight=SeenRunning(ready=ready),
        fingerprint=life.fingerprint,
    )
