"""One run at the platform: what it does, what is told of it, what its checks see."""

from __future__ import annotations

from typing import Final

import attrs

from orchestrator.core.events import (
    ContainerEnded,
    ContainerReady,
    ContainerStarted,
    LifecycleEvent,
)
from orchestrator.core.exits import Exit, StartFailed
from orchestrator.core.health import CheckKind, Probe, TcpProbe
from orchestrator.core.moments import Moment
from orchestrator.core.observations import SeenEnded, SeenRunning, Sight, Sighting
from orchestrator.core.table import Table
from orchestrator.core.tallies import Answer
from orchestrator.simulation.characters import Fate

__all__ = ("Life",)


@attrs.define(kw_only=True)
class Life:
    """One run, with its fate and what was told of it.

    ``ordered``: somebody ends it, it does not end by itself. ``is_of_its_image``: what
    is wrong with it, its image brings along.
    """

    name: str
    run: int
    fingerprint: str
    fate: Fate
    ordered: bool = False
    is_of_its_image: bool = False
    told_started: bool = False
    told_ready: bool = False
    told_ended: bool = False
    _shown: Sighting | None = None

    def has_ended(self, at: Moment) -> bool:
        """Say whether the run is over."""
        return self.fate.ends_at is not None and at >= self.fate.ends_at

    def hangs(self, at: Moment) -> bool:
        """Say whether it is alive and does nothing any more."""
        return self.fate.hangs_at is not None and at >= self.fate.hangs_at

    def listens(self, at: Moment) -> bool:
        """Say whether its ports are open; those of a hung process are."""
        ready_at = self.fate.ready_at
        return ready_at is not None and at >= ready_at and not self.has_ended(at)

    def end(self, at: Moment, exit_: Exit) -> None:
        """Have it end at *at*, unless it ends before."""
        if self.fate.ends_at is None or at < self.fate.ends_at:
            self.fate = attrs.evolve(self.fate, ends_at=at, exit=exit_)
            self.ordered = True

    # What its checks see

    def answer(self, probe: Probe, at: Moment, kind: CheckKind | None) -> Answer:
        """Answer a check: open ports are open in a hung process, too."""
        if not self.listens(at):
            return Answer.FAILED
        if isinstance(probe, TcpProbe):
            return Answer.PASSED
        away = kind in (None, CheckKind.READINESS) and self._is_away(at)
        return Answer.FAILED if self.hangs(at) or away else Answer.PASSED

    def _is_away(self, at: Moment) -> bool:
        """Say whether its readiness is in a bad spell."""
        span, since = self.fate.flaps_ms, self.fate.started_at
        return bool(span) and (at - since) % span >= span // 2

    def answers_change_at(self, at: Moment) -> Moment | None:
        """Return when its answers may next be others than at *at*."""
        fate = self.fate
        moments = [fate.ready_at, fate.hangs_at, fate.ends_at]
        if fate.flaps_ms:
            half = max(1, fate.flaps_ms // 2)
            moments.append(at + half - (at - fate.started_at) % half)
        later = [moment for moment in moments if moment is not None and moment > at]
        return min(later, default=None)

    # What is told of it

    def untold(self) -> list[Moment]:
        """Return when there is something to tell that was not told."""
        moments = (self._starts_at(), self._listens_at(), self._ends_at())
        return [moment for moment in moments if moment is not None]

    def _starts_at(self) -> Moment | None:
        is_news = not self.told_started and self._happens(self.fate.started_at)
        return self.fate.started_at if is_news else None

    def _listens_at(self) -> Moment | None:
        ready_at = self.fate.ready_at
        is_news = ready_at is not None and not self.told_ready
        return ready_at if is_news and self._happens(ready_at or 0) else None

    def _ends_at(self) -> Moment | None:
        return None if self.told_ended else self.fate.ends_at

    def _happens(self, at: Moment) -> bool:
        """Say whether it is still there at *at*; a start that fails never was."""
        if isinstance(self.fate.exit, StartFailed):
            return False
        return self.fate.ends_at is None or at < self.fate.ends_at

    def news(self, at: Moment) -> list[LifecycleEvent]:
        """Tell what has happened up to *at* and was not told before."""
        name, run = self.name, self.run
        told: list[LifecycleEvent] = []
        source = self._starts_at()
        if source is not None and source <= at:
            self.told_started = True
            told.append(ContainerStarted(at=at, name=name, run=run, source_at=source))
        source = self._listens_at()
        if source is not None and source <= at:
            self.told_ready = True
            addresses: Table[str, str] = Table.of([("http", f"{name}:8080")])
            told.append(
                ContainerReady(
                    at=at, name=name, run=run, addresses=addresses, source_at=source
                )
            )
        source = self._ends_at()
        if source is not None and source <= at:
            self.told_ended = True
            end = self.fate.exit
            told.append(
                ContainerEnded(at=at, name=name, run=run, exit=end, source_at=source)
            )
        return told

    def sighting(self, at: Moment, place: str = "") -> Sighting:
        """Show it as it is at *at*, running in a place."""
        if self.has_ended(at):
            sight: Sight = SeenEnded(exit=self.fate.exit)
        else:
            sight = _LISTENS if self.listens(at) else _RUNS
        shown = self._shown  # the look before has mostly seen the very same
        is_same = shown is not None and (shown.sight is sight or shown.sight == sight)
        if shown is None or not is_same or shown.place != place:
            shown = self._shown = Sighting(
                name=self.name,
                run=self.run,
                sight=sight,
                fingerprint=self.fingerprint,
                place=place,
            )
        return shown


_RUNS: Final = SeenRunning()
_LISTENS: Final = SeenRunning(ready=True)
