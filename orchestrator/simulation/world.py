"""A model of a platform: what runs, what it will do next, and what it tells.

The world obeys the laws of the platform port: orders are keyed by run, a lower run
is stale, an operator of an older epoch is refused, every accepted run ends once, a
stop keeps its grace. It is changed in place by its own driver only, and depends on
nothing but its seed and the orders it gets.
"""

from __future__ import annotations

import heapq
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
from orchestrator.core.errors import (
    ContainerStartFailed,
    PlatformError,
    StaleOperator,
    StaleRun,
)
from orchestrator.core.events import LifecycleEvent
from orchestrator.core.exits import Exit, Exited, RolledOut, Signaled, Stopped
from orchestrator.core.health import CheckKind, Probe
from orchestrator.core.moments import Millis, Moment
from orchestrator.core.observations import Observation
from orchestrator.core.tallies import Answer
from orchestrator.simulation.characters import (
    DEFAULT_SCRIPT,
    Character,
    Fate,
    draw_fate,
)
from orchestrator.simulation.dice import Dice
from orchestrator.simulation.lives import Life

__all__ = ("Life", "World")

SIGKILL: Final = 9

STOP_MS: Final[Millis] = 20
"""How long a process takes that ends when it is asked to."""


@attrs.define(kw_only=True)
class World:
    """The platform: the newest run of each container, and the dice of its fates.

    ``scripts`` are the ends of scripted containers, one after the other, over and over.
    ``changed`` collects whose answers may be others than foretold, for whoever asks.
    """

    dice: Dice
    characters: dict[str, Character]
    scripts: dict[str, tuple[Exit, ...]] = attrs.field(
        factory=dict[str, tuple[Exit, ...]]
    )
    lives: dict[str, Life] = attrs.field(factory=dict[str, Life])
    epoch: int = 0
    double_starts: int = 0
    stale_orders: int = 0
    changed: dict[str, None] = attrs.field(factory=dict[str, None])
    _wedged: dict[str, None] = attrs.field(factory=dict[str, None])
    _replaced: list[Life] = attrs.field(factory=list[Life])
    _due: list[tuple[Moment, str]] = attrs.field(factory=list[tuple[Moment, str]])
    _is_first_news: bool = False  # found out, and nothing has changed since

    def attach(self, after: int = 0) -> int:
        """Let an operator take over: every earlier one is stale from now on."""
        self.epoch = max(self.epoch, after) + 1
        return self.epoch

    def perform(
        self,
        command: ContainerCommand,
        fingerprint: str,
        at: Moment,
        *,
        epoch: int | None = None,
        slow_ms: Millis = 0,
        character: Character | None = None,
    ) -> Result[None, PlatformError]:
        """Carry out a command; the same one twice does the same as once.

        *epoch* None is the newest; *slow_ms* is how much longer a start takes.
        *character* is what the image of a start makes of it, None: its container does.
        """
        if epoch is not None and epoch < self.epoch:
            self.stale_orders += 1
            return Failure(StaleOperator(epoch=epoch, highest=self.epoch))
        life = self.lives.get(command.name)
        match command:
            case StartContainer(run=run):
                born = (fingerprint, character)
                return self._start(command.name, run, born, at + slow_ms)
            case StopContainer(run=run, grace_ms=grace_ms):
                self._end(command.name, run, at, grace_ms)
            case DestroyContainer(run=run):
                _ = self._wedged.pop(command.name, None)
                self._end(command.name, run, at, 0, kill=True)
            case ForgetContainer(run=run):
                if life is not None and life.run <= run and life.has_ended(at):
                    self._is_first_news = False
                    del self.lives[command.name]
            case _:
                assert_never(command)
        return Success(None)

    def _start(
        self, name: str, run: int, born: tuple[str, Character | None], at: Moment
    ) -> Result[None, PlatformError]:
        life = self.lives.get(name)
        if life is not None and life.run > run:
            return Failure(StaleRun(name=name, run=run, highest=life.run))
        if life is not None and life.run == run:
            return Success(None)
        own = self.characters.get(name) if born[1] is None else born[1]
        if own is Character.REFUSED:
            return Failure(ContainerStartFailed(name=name, cause="it is refused"))
        if life is not None and not life.has_ended(at):
            # The platform fences: the older run is ended before the newer begins.
            self.double_starts += 1
            life.end(at, Signaled(signal=SIGKILL))
        if life is not None and not life.told_ended:
            self._replaced.append(life)
            self._tell(life)
        self._put(self._born(name, run, born, at))
        return Success(None)

    def _born(
        self, name: str, run: int, born: tuple[str, Character | None], at: Moment
    ) -> Life:
        """Draw the fate of a run from the character of its image or container."""
        fingerprint, of_image = born
        character = of_image or self.characters.get(name, Character.STEADY)
        script = self.scripts.get(name) or DEFAULT_SCRIPT
        fate = draw_fate(character, self.dice, at, script[(run - 1) % len(script)])
        if character is Character.WEDGED:
            if name in self._wedged:
                fate = attrs.evolve(fate, hangs_at=fate.ready_at)
            self._wedged[name] = None
        return Life(
            name=name,
            run=run,
            fingerprint=fingerprint,
            fate=fate,
            is_of_its_image=of_image is not None,
        )

    def _put(self, life: Life) -> None:
        self.lives[life.name] = life
        self._tell(life)

    def _tell(self, life: Life) -> None:
        """Note when there is something to tell of a life."""
        self.changed[life.name] = None
        self._is_first_news = False
        for moment in life.untold():
            heapq.heappush(self._due, (moment, life.name))

    def _end(
        self, name: str, run: int, at: Moment, grace_ms: int, *, kill: bool = False
    ) -> None:
        """End a run in order; one that is not there is told as ended."""
        life = self.lives.get(name)
        if life is None or life.run < run:
            fate = Fate(started_at=at, ready_at=None, ends_at=at, exit=Stopped())
            self._put(Life(name=name, run=run, fingerprint="", fate=fate))
            return
        if life.run > run:
            return
        if life.has_ended(at):
            life.told_ended = False
        else:
            deaf = (life.fate.stubborn or life.hangs(at)) and not kill
            forced = deaf or kill
            exit_ = Signaled(signal=SIGKILL) if forced else Exited(code=0)
            life.end(at + (grace_ms if deaf else STOP_MS), exit_)
        self._tell(life)

    # What befalls it

    def vanish(self, name: str, at: Moment) -> None:
        """Lose a container without a word, as an evicted object is lost."""
        life = self.lives.get(name)
        if life is not None and not life.has_ended(at):
            del self.lives[name]
            self.changed[name] = None
            self._is_first_news = False

    def roll_out(self, name: str, at: Moment) -> None:
        """End a container's run because the platform replaces it."""
        self.crash(name, at, RolledOut())

    def crash(self, name: str, at: Moment, exit_: Exit) -> None:
        """End a container's run by itself, once; what starts after it is as ever."""
        life = self.lives.get(name)
        if life is not None and not life.has_ended(at):
            life.end(at, exit_)
            self._tell(life)

    def heal(self, at: Moment, *, doomed: set[str], hanging: set[str]) -> None:
        """Make every container steady but the doomed: what runs, runs on.

        What never listened never will; what hangs by then goes on to hang, where it
        is among the *hanging*: only another run cures that. A bad image stays bad.
        """
        for name in self.characters:
            if name not in doomed:
                self.characters[name] = Character.STEADY
        for name, life in self.lives.items():
            stays = life.ordered or life.told_ended or life.is_of_its_image
            if name not in doomed and not stays:
                hangs = life.hangs(at) and name in hanging
                life.fate = attrs.evolve(
                    life.fate,
                    ends_at=None,
                    flaps_ms=0,
                    hangs_at=life.fate.hangs_at if hangs else None,
                )
                self._tell(life)

    def kill(self, name: str, at: Moment) -> None:
        """Make a container one that dies, now and after every start."""
        self.characters[name] = Character.DEAD
        life = self.lives.get(name)
        if life is not None and not life.has_ended(at):
            life.end(at, Exited(code=1))
            self._tell(life)

    # What it says

    def answer(
        self,
        name: str,
        run: int,
        probe: Probe,
        at: Moment,
        *,
        kind: CheckKind | None = None,
    ) -> Answer:
        """Answer one question of a health check; about another run nobody can tell.

        *kind* says which check it is: only readiness comes and goes (None: any).
        """
        life = self.lives.get(name)
        if life is None or life.run != run:
            return Answer.UNKNOWN
        return life.answer(probe, at, kind)

    def answers_change_at(self, name: str, at: Moment) -> Moment | None:
        """Return when answers may next be others, if nobody interferes."""
        life = self.lives.get(name)
        return None if life is None else life.answers_change_at(at)

    def news(self, at: Moment) -> list[LifecycleEvent]:
        """Tell what has happened up to *at* and was not told before."""
        self._is_first_news = False
        names: dict[str, None] = {}
        while self._due and self._due[0][0] <= at:
            names[heapq.heappop(self._due)[1]] = None
        told: list[LifecycleEvent] = []
        for name in sorted(names):
            for old in (life for life in self._replaced if life.name == name):
                told += old.news(at)
            life = self.lives.get(name)
            told += [] if life is None else life.news(at)
        self._replaced = [life for life in self._replaced if not life.told_ended]
        return told

    def next_news_at(self) -> Moment | None:
        """Return when there may be news; asked after whatever happens."""
        while self._due and not self._is_first_news:
            self._is_first_news = self._is_news(*self._due[0])
            if not self._is_first_news:
                _ = heapq.heappop(self._due)
        return self._due[0][0] if self._due else None

    def _is_news(self, at: Moment, name: str) -> bool:
        life = self.lives.get(name)
        if life is not None and at in life.untold():
            return True
        return any(at in old.untold() for old in self._replaced if old.name == name)

    def observe(self, at: Moment, *, complete: bool) -> Observation:
        """Show every container as it is at *at*; an incomplete look misses some."""
        lives = (self.lives[name] for name in sorted(self.lives))
        shown = [life for life in lives if complete or self.dice.happens(500)]
        sightings = tuple(life.sighting(at) for life in shown)
        return Observation(began=at, complete=complete, sightings=sightings)
