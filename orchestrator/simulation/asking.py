"""Health checks asked in virtual time; only a changed verdict becomes an event.

A question whose answer is known until something changes is not asked again and again:
where the row of answers already says what the next one would, asking goes on when the
world says that answers may be others. What comes out is the same, a day of a hundred
healthy containers costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, assert_never

import attrs

from orchestrator.core.events import Event, HealthChanged
from orchestrator.core.health import CheckKind, HealthCheck
from orchestrator.core.moments import Moment
from orchestrator.core.observations import Observation
from orchestrator.core.phases import Running
from orchestrator.core.state import Container
from orchestrator.core.tallies import Answer, Tally, begin, count, due_checks
from orchestrator.simulation.plans import Doom
from orchestrator.simulation.stage import Stage

__all__ = ("Asker",)

_Key: TypeAlias = tuple[str, CheckKind]


@attrs.define(kw_only=True)
class _Row:
    """The answers of one check of one run; ``next_at``: when it is asked next."""

    run: int
    tally: Tally
    asked_at: Moment
    next_at: Moment | None


@attrs.define(kw_only=True, eq=False)
class Asker:
    """Asks for one operator; what it has counted ends with it."""

    stage: Stage
    look_up: Callable[[str], Container | None]
    tell: Callable[[Event | Observation], None]
    later: Callable[[Moment, Callable[[], None]], None]
    _rows: dict[_Key, _Row] = attrs.field(factory=dict[_Key, _Row])

    def watch(self, name: str) -> None:
        """Begin with the checks that a container needs now, and end the others."""
        container = self.look_up(name)
        kinds = () if container is None else due_checks(container)
        if not (kinds or self._rows):  # nobody has checks
            return
        for kind in CheckKind:
            if kind not in kinds:
                _ = self._rows.pop((name, kind), None)
        if container is None or not isinstance(container.phase, Running):
            return
        for kind in kinds:
            check, row = container.spec.health.get(kind), self._rows.get((name, kind))
            is_known = row is not None and row.run == container.phase.run
            if check is not None and not is_known:
                now = self.stage.now
                self._rows[name, kind] = new = _Row(
                    run=container.phase.run,
                    tally=begin(kind, container.phase),
                    asked_at=now,
                    next_at=None,
                )
                self._schedule((name, kind), new, now + check.initial_delay_ms)

    def wake(self, name: str) -> None:
        """Take up what was not asked because nothing could change: it has."""
        container = self.look_up(name)
        for kind in CheckKind:
            row = self._rows.get((name, kind))
            check = None if container is None else container.spec.health.get(kind)
            if row is None or check is None:
                continue
            soon = _on_beat(row.asked_at, check, self.stage.now)
            if row.next_at is None or row.next_at > soon:
                self._schedule((name, kind), row, soon)

    def _schedule(self, key: _Key, row: _Row, at: Moment) -> None:
        row.next_at = at
        self.later(at, lambda: self._ask(key, row, at))

    def _ask(self, key: _Key, row: _Row, at: Moment) -> None:
        name, kind = key
        container = self.look_up(name)
        check = None if container is None else container.spec.health.get(kind)
        if self._rows.get(key) is not row or row.next_at != at or check is None:
            return
        answer = self._answer(name, kind, row.run, check)
        before = row.tally.passing
        row.tally = count(check, row.tally, answer)
        row.asked_at = at
        self._schedule_next(key, row, check, answer)
        if row.tally.passing is not None and row.tally.passing != before:
            cause = "" if row.tally.passing else "it does not answer as it should"
            self.tell(
                HealthChanged(
                    at=0,
                    name=name,
                    run=row.run,
                    check=kind,
                    passing=row.tally.passing,
                    cause=cause,
                )
            )

    def _answer(
        self, name: str, kind: CheckKind, run: int, check: HealthCheck
    ) -> Answer:
        stage, plan = self.stage, self.stage.plan
        is_cut_off = stage.doomed.get(name) is Doom.UNREACHABLE
        if is_cut_off or stage.fails(plan.answer_unknown):
            return Answer.UNKNOWN
        if stage.fails(plan.answer_wrong):
            return Answer.FAILED
        return stage.world.answer(name, run, check.probe, stage.now, kind=kind)

    def _schedule_next(
        self, key: _Key, row: _Row, check: HealthCheck, answer: Answer
    ) -> None:
        now, plan = self.stage.now, self.stage.plan
        if not _says_it_all(row.tally, answer) or (
            self.stage.is_broken and (plan.answer_unknown or plan.answer_wrong)
        ):
            self._schedule(key, row, now + check.period_ms)
            return
        changes_at = self.stage.world.answers_change_at(key[0], now)
        if changes_at is None:
            row.next_at = None
        else:
            self._schedule(key, row, _on_beat(now, check, changes_at))


def _says_it_all(tally: Tally, answer: Answer) -> bool:
    """Say whether the same answer again would change nothing."""
    match answer:
        case Answer.UNKNOWN:
            return True
        case Answer.PASSED:
            return tally.passing is True
        case Answer.FAILED:
            return tally.passing is False
        case _:
            assert_never(answer)


def _on_beat(asked_at: Moment, check: HealthCheck, at: Moment) -> Moment:
    """Return the first moment from *at* on at which it is a check's turn."""
    beats = max(1, -(-(at - asked_at) // check.period_ms))
    return asked_at + beats * check.period_ms
