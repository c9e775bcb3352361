"""A timeline as a tree for programs: stable names, moments in ms since 1970.

A moment's name ends in ``_at``, a duration's in ``_ms``; ``row`` is a row's number,
null for what was so before the first row looked at. ``exit``, ``verdict`` and ``error``
are as the journal writes them; beside each stands its text. ``..._seen``: a look at the
platform found it so, and no event of the platform told it; null where it is not known.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from orchestrator.codec.converter import tag_of
from orchestrator.codec.wire import tree_of
from orchestrator.core.exits import Exit, exit_text
from orchestrator.core.explain import because
from orchestrator.core.moments import Moment
from orchestrator.core.phases import Rule
from orchestrator.core.uptimes import Totals
from orchestrator.replay.timelines.happenings import (
    Asked,
    Checked,
    Decided,
    LookFailed,
    LostSight,
    OrderFailed,
    TookOver,
)
from orchestrator.replay.timelines.stretches import Course, RunTold, Span, Timeline

__all__ = ("tree_of_timeline",)

Tree: TypeAlias = dict[str, Any]


def tree_of_timeline(told: Timeline) -> Tree:
    """Return a timeline as a tree."""
    return {
        "begins_at": told.begin,
        "ends_at": told.end,
        "first_row": told.after_seq + 1,
        "last_row": told.seq,
        "boots": [_boot(one) for one in told.boots],
        "requests": [_request(one) for one in told.requests],
        "failed_looks": [_look(one) for one in told.failed_looks],
        "left_out": dict(told.left_out.items()),
        "rows_decided_otherwise": told.differing,
        "first_row_decided_otherwise": told.first_differing,
        "containers": [_container(one, told.end) for one in told.courses],
    }


def _container(course: Course, end: Moment) -> Tree:
    return {
        "name": course.name,
        "totals": _totals(course.totals),
        "spans": [_span(span, end) for span in course.spans],
        "runs": [_run(run, end) for run in course.runs],
        "waits": [_wait(span, end) for span in course.waits],
        "decisions": [_decision(one) for one in course.decisions],
        "requests": [_request(one) for one in course.requests],
        "health": [_health(one) for one in course.checks],
        "failures": [_failure(one) for one in course.failures],
        "left_out": dict(course.left_out.items()),
    }


def _totals(totals: Totals) -> Tree:
    share = totals.availability
    return {
        "availability": None if share is None else round(share, 6),
        "wanted_ms": totals.wanted_ms,
        "ready_ms": totals.ready_ms,
        "down_ms": totals.down_ms,
        "starts": totals.starts,
        "restarts": totals.restarts,
        "crashes": totals.crashes,
        "phase_ms": dict(totals.phase_ms.items()),
    }


def _rule(rule: Rule | None) -> Tree:
    return {
        "rule": None if rule is None else str(rule),
        "because": None if rule is None else because(rule),
    }


def _end(name: str, end: Exit | None) -> Tree:
    return {
        name: None if end is None else tree_of(end),
        f"{name}_text": None if end is None else exit_text(end),
    }


def _span(span: Span, end: Moment) -> Tree:
    begin = span.begin
    return {
        "row": begin.seq,
        "phase": begin.phase,
        "ready": begin.ready,
        "wanted": begin.wanted,
        "run": begin.run,
        "since_at": begin.at,
        "until_at": span.until,
        "until_row": span.until_seq,
        "lasted_ms": span.lasted(end),
        "entered_at": begin.entered_at,
        **_rule(begin.rule),
    }


def _wait(span: Span, end: Moment) -> Tree:
    begin = span.begin
    return {
        "row": begin.seq,
        "phase": begin.phase,
        "since_at": begin.at,
        "planned_until_at": begin.planned,
        "until_at": span.until,
        "until_row": span.until_seq,
        "waited_ms": span.lasted(end),
        "attempt": begin.attempt,
        "waits_for": begin.waits_for or None,
        **_rule(begin.rule),
    }


def _run(run: RunTold, end: Moment) -> Tree:
    begun = run.begun
    return {
        "row": begun.seq,
        "run": begun.run,
        "revision": begun.revision,
        "adopted": begun.adopted,
        "commanded_at": begun.commanded_at,
        "commands": run.commands,
        "started_at": run.started_at,
        "started_seen": run.started_seen,
        "ready_at": run.ready_at,
        "ready_seen": run.ready_seen,
        "ended_at": run.ended_at,
        "ended_row": run.ended_seq,
        "ended_seen": run.ended_seen,
        "uptime_ms": run.uptime(end),
        "fate": None if run.fate is None else str(run.fate),
        "crashed": run.crashed,
        **_end("exit", run.exit),
        **_rule(run.rule),
    }


def _decision(one: Decided) -> Tree:
    return {
        "row": one.seq,
        "at": one.at,
        "event": tag_of(type(one.event)),
        "decided": str(one.what),
        "run": one.run,
        "until_at": one.until,
        "attempt": one.attempt,
        "waits_for": one.waits_for or None,
        **_end("verdict", one.verdict),
        **_rule(one.rule),
    }


def _request(one: Asked) -> Tree:
    return {
        "row": one.seq,
        "at": one.at,
        "request": str(one.wish),
        "force": one.force,
        "by": one.by,
        "why": one.why,
    }


def _health(one: Checked) -> Tree:
    return {
        "row": one.seq,
        "at": one.at,
        "run": one.run,
        "check": str(one.check),
        "passing": one.passing,
        "cause": one.cause,
    }


def _failure(one: OrderFailed | LostSight) -> Tree:
    place = {"row": one.seq, "at": one.at, "run": one.run}
    if isinstance(one, LostSight):
        return {**place, "failed": "sight", "error": None, "text": one.cause}
    error = tree_of(one.error)
    return {**place, "failed": str(one.kind), "error": error, "text": one.error.message}


def _boot(one: TookOver) -> Tree:
    return {"row": one.seq, "at": one.at, "epoch": one.epoch, "rules": one.rules}


def _look(one: LookFailed) -> Tree:
    return {"row": one.seq, "at": one.at, "cause": one.cause}
