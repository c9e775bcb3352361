"""What an operator shows: the fleet now and as it was, events, logs of containers.

A read of the present is a read of memory, and never waits. A read of the past folds
the journal (``runtime.travel``). Neither changes anything.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from returns.future import FutureResult

from orchestrator.core.drift import Drift, drift
from orchestrator.core.errors import ContainerError, JournalError
from orchestrator.core.explain import ContainerInfo, Explanation
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.moments import Millis, Moment
from orchestrator.core.origins import Prune
from orchestrator.core.planning import Plan
from orchestrator.core.requests import Apply
from orchestrator.core.state import Fleet
from orchestrator.core.steps import Step
from orchestrator.platforms.port import LogLine, PlatformDetail
from orchestrator.replay.absences import Absence
from orchestrator.replay.places import Place
from orchestrator.replay.timelines.stretches import Timeline
from orchestrator.runtime import waits
from orchestrator.runtime.feed import Feed
from orchestrator.runtime.footing import Footing
from orchestrator.runtime.foresight import foreseen
from orchestrator.runtime.leadership import Leadership
from orchestrator.runtime.pieces import FleetHistory
from orchestrator.runtime.recovery import Recovered
from orchestrator.runtime.reports import EventRecord, FleetConfig, config_of
from orchestrator.runtime.stories import LATELY, Stories, StoryError, Telling
from orchestrator.runtime.telemetry import Telemetry
from orchestrator.runtime.views import View

__all__ = ("Reads",)

PAGE_MAX: Final = 1_000
"""Events of one page."""


class Reads:
    """What can be read of an operator; ``Operator`` adds what can be asked of it."""

    def __init__(self, engine: Footing) -> None:
        """Read what was booted; ``Operator.open`` does both."""
        self._engine = engine
        self._loop = engine.loop
        self._stories = Stories(engine.journal, engine.travel, engine.policies)

    @property
    def fleet(self) -> Fleet:
        """Return the fleet as it is believed now, a value."""
        return self._loop.fleet

    @property
    def seq(self) -> int:
        """Return the number of the journal's newest row."""
        return self._loop.head.seq

    @property
    def now(self) -> Moment:
        """Return the operator's clock, which never runs backwards."""
        return self._loop.now()

    @property
    def is_alive(self) -> bool:
        """Say whether the operator works; it does not once it is closed or gave up."""
        return not self._engine.running.done()

    @property
    def hangs(self) -> bool:
        """Say whether it has been at one thing for much longer than anything takes."""
        return self._loop.pulse.hangs

    @property
    def journal_error(self) -> JournalError | None:
        """Return why nothing can be written down now; None where all is well."""
        return self._loop.journal_error

    @property
    def hook_failures(self) -> int:
        """Return how many calls of hooks have failed."""
        return self._engine.hooks.failures

    @property
    def violations(self) -> int:
        """Return how often an invariant of the core did not hold: a bug, if not 0."""
        return self._loop.watch.violations

    @property
    def telemetry(self) -> Telemetry:
        """Return what was counted since the operator was opened."""
        return self._loop.telemetry

    @property
    def leadership(self) -> Leadership:
        """Return who leads the fleet, and whether that is this operator."""
        return self._engine.leadership()

    @property
    def recovered(self) -> Recovered:
        """Return what is known of the journal, for another one to go on from."""
        head = self._loop.head
        return Recovered(fleet=self.fleet, head=head, folded=0, snapshot_at=head.seq)

    @property
    def absence(self) -> Absence | None:
        """Return what the operator found when it came to lead.

        None until its first complete look is over, and where nobody had led before.
        """
        catching_up = self._engine.catching_up
        return None if catching_up is None else catching_up.absence

    async def caught_up(self) -> Absence | None:
        """Wait until it is known what the operator found; None: nothing can be."""
        catching_up = self._engine.catching_up
        return None if catching_up is None else await catching_up.found()

    @property
    def feed(self) -> Feed:
        """Return what a live reader follows: steps as they come, rows, the end."""
        engine = self._engine
        return Feed(
            journal=engine.journal,
            travel=engine.travel,
            policies=engine.policies,
            watchers=self._loop.watchers,
            view=self._present,
            running=engine.running,
            fatal=lambda: self._loop.fatal,
            telemetry=self._loop.telemetry,
        )

    def get_container_info(
        self, name: str, *, at: Place | None = None
    ) -> FutureResult[ContainerInfo, ContainerError]:
        """Return one container as it is believed to be, or was at a place."""
        return self.view(at).bind_result(lambda view: view.info(name))

    def list_containers(
        self, *, at: Place | None = None
    ) -> FutureResult[tuple[ContainerInfo, ...], ContainerError]:
        """Return all containers, in the order of their names, now or at a place."""
        return self.view(at).map(View.infos)

    def infos(self) -> tuple[ContainerInfo, ...]:
        """Return all containers at once: a read of memory that cannot fail."""
        return self._present().infos()

    def explain(
        self, name: str, *, at: Place | None = None
    ) -> FutureResult[Explanation, ContainerError]:
        """Say why a container is where it is, or was, and what comes next."""
        return self.view(at).bind_result(lambda view: view.explain(name))

    def fleet_at(self, place: Place) -> FutureResult[Fleet, ContainerError]:
        """Return the fleet after a row, or as it stood at a moment of the past.

        It is folded out of the journal; the operator goes on meanwhile. A row that
        there is not yet and a moment to come are refused (``InvalidSpec``), what lies
        before a compacted journal's base is ``JournalCompacted``.
        """
        return self.view(place).map(lambda view: view.fleet)

    def view(self, at: Place | None = None) -> FutureResult[View, ContainerError]:
        """Return the fleet at a place, with its row and moment; None: as it is now."""
        if at is None:
            return FutureResult.from_value(self._present())
        return FutureResult(self._engine.travel.to(at, self._present()))

    def step(self, seq: int) -> FutureResult[Step, ContainerError]:
        """Take the step of one row again: the fleet before it, after it, and why."""
        return FutureResult(self._engine.travel.step(seq, self._present()))

    def timeline(
        self, name: str, telling: Telling = LATELY
    ) -> FutureResult[Timeline, StoryError]:
        """Tell what happened to one container, from one place to another."""
        return FutureResult(self._stories.timeline(name, telling, self._present()))

    def history(
        self, points: int = 200, telling: Telling = LATELY
    ) -> FutureResult[FleetHistory, StoryError]:
        """Tell how the fleet stood at *points* moments between two places."""
        return FutureResult(self._stories.history(points, telling, self._present()))

    def _present(self) -> View:
        return View(seq=self.seq, at=self._loop.now(), fleet=self.fleet)

    def get_config(self) -> FutureResult[FleetConfig, ContainerError]:
        """Return the fleet as it is declared; what looks secret is not shown."""
        return FutureResult.from_value(config_of(self.fleet))

    def plan(
        self,
        fleet: FleetSpec,
        *,
        expect_revision: int | None = None,
        prune: Prune | None = None,
        keep_scale: bool = False,
    ) -> FutureResult[Plan, ContainerError]:
        """Say what ``apply`` would do now, or why it would be refused."""
        request = Apply(
            spec=fleet,
            expect_revision=expect_revision,
            prune=prune,
            keep_scale=keep_scale,
        )
        planned = foreseen(self.fleet, request, self.now, self._engine.policies)
        return FutureResult.from_result(planned)

    def drift(self) -> FutureResult[tuple[Drift, ...], ContainerError]:
        """Return where what is believed to run differs from what is asked for."""
        return FutureResult.from_value(drift(self.fleet, self.now))

    def platform_details(
        self,
    ) -> FutureResult[tuple[PlatformDetail, ...], ContainerError]:
        """Ask the platform what it says of each container, in its own words."""
        return self._engine.platform.details()

    def log(self, name: str, *, follow: bool = False) -> AsyncIterator[LogLine]:
        """Yield what a container wrote, and with *follow* what it writes."""
        return self._engine.platform.log(name, follow=follow)

    def events(
        self, after: int | None = None, *, limit: int = PAGE_MAX, wait_ms: Millis = 0
    ) -> FutureResult[tuple[EventRecord, ...], ContainerError]:
        """Return the events after row *after*; wait up to *wait_ms* for the first.

        None: after the row that the journal begins behind, 0 for a whole one.
        """
        return FutureResult(
            waits.events(self._engine, after, min(limit, PAGE_MAX), wait_ms)
        )
