"""A timeline as a tree for programs: stable names, moments in ms since 1970.

A moment's name ends in ``_at``, a duration's in ``_ms``; ``row`` is a row's number,
null for what was so before the first row looked at. ``exit``, ``verdict`` and ``error``
are as the journal writes them; beside each stands its text. ``..._seen``: a look at the
platform found it so, and no event of the platform told it; null where it is not known.
"""

from __future__ import annotations

from typing import Any

from orchestrator.api.timeline_trees import (
    BootTree,
    CourseTree,
    DecisionTree,
    FailureTree,
    HealthTree,
    LookTree,
    RequestTree,
    RolloutTree,
    RunTree,
    SpanTree,
    TimelineTree,
    TotalsTree,
    WaitTree,
)
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
from orchestrator.replay.timelines.of_services import RolloutMoved
from orchestrator.replay.timelines.stretches import Course, RunTold, Span, Timeline

__all__ = ("told_in_full", "tree_of_timeline")


def tree_of_timeline(told: Timeline) -> dict[str, Any]:
    """Return a timeline as a tree."""
    tree: dict[str, Any] = tree_of(told_in_full(told))
    return tree


def told_in_full(told: Timeline) -> TimelineTree:
    """Return a timeline as the value of which the tree is made."""
    return TimelineTree(
        begins_at=told.begin,
        ends_at=told.end,
        first_row=told.after_seq + 1,
        last_row=told.seq,
        boots=tuple(_boot(one) for one in told.boots),
        requests=tuple(_request(one) for one in told.requests),
        failed_looks=tuple(_look(one) for one in told.failed_looks),
        rollouts=tuple(_rollout(one) for one in told.rollouts),
        left_out=told.left_out,
        rows_decided_otherwise=told.differing,
        first_row_decided_otherwise=told.first_differing,
        containers=tuple(_container(one, told.end) for one in told.courses),
    )


def _container(course: Course, end: Moment) -> CourseTree:
    return CourseTree(
        name=course.name,
        totals=_totals(course.totals),
        spans=tuple(_span(span, end) for span in course.spans),
        runs=tuple(_run(run, end) for run in course.runs),
        waits=tuple(_wait(span, end) for span in course.waits),
        decisions=tuple(_decision(one) for one in course.decisions),
        requests=tuple(_request(one) for one in course.requests),
        health=tuple(_health(one) for one in course.checks),
        failures=tuple(_failure(one) for one in course.failures),
        left_out=course.left_out,
    )


def _totals(totals: Totals) -> TotalsTree:
    share = totals.availability
    return TotalsTree(
        availability=None if share is None else round(share, 6),
        wanted_ms=totals.wanted_ms,
        ready_ms=totals.ready_ms,
        down_ms=totals.down_ms,
        starts=totals.starts,
        restarts=totals.restarts,
        crashes=totals.crashes,
        phase_ms=totals.phase_ms,
    )


def _because(rule: Rule | None) -> str | None:
    return None if rule is None else because(rule)


def _text(end: Exit | None) -> str | None:
    return None if end is None else exit_text(end)


def _span(span: Span, end: Moment) -> SpanTree:
    begin = span.begin
    return SpanTree(
        row=begin.seq,
        phase=begin.phase,
        ready=begin.ready,
        wanted=begin.wanted,
        run=begin.run,
        since_at=begin.at,
        until_at=span.until,
        until_row=span.until_seq,
        lasted_ms=span.lasted(end),
        entered_at=begin.entered_at,
        rule=begin.rule,
        because=_because(begin.rule),
    )


def _wait(span: Span, end: Moment) -> WaitTree:
    begin = span.begin
    return WaitTree(
        row=begin.seq,
        phase=begin.phase,
        since_at=begin.at,
        planned_until_at=begin.planned,
        until_at=span.until,
        until_row=span.until_seq,
        waited_ms=span.lasted(end),
        attempt=begin.attempt,
        waits_for=begin.waits_for or None,
        rule=begin.rule,
        because=_because(begin.rule),
    )


def _run(run: RunTold, end: Moment) -> RunTree:
    begun = run.begun
    return RunTree(
        row=begun.seq,
        run=begun.run,
        revision=begun.revision,
        adopted=begun.adopted,
        commanded_at=begun.commanded_at,
        commands=run.commands,
        started_at=run.started_at,
        started_seen=run.started_seen,
        ready_at=run.ready_at,
        ready_seen=run.ready_seen,
        ended_at=run.ended_at,
        ended_row=run.ended_seq,
        ended_seen=run.ended_seen,
        uptime_ms=run.uptime(end),
        fate=run.fate,
        crashed=run.crashed,
        exit=run.exit,
        exit_text=_text(run.exit),
        rule=run.rule,
        because=_because(run.rule),
    )


def _decision(one: Decided) -> DecisionTree:
    return DecisionTree(
        row=one.seq,
        at=one.at,
        event=tag_of(type(one.event)),
        decided=one.what,
        run=one.run,
        until_at=one.until,
        attempt=one.attempt,
        waits_for=one.waits_for or None,
        verdict=one.verdict,
        verdict_text=_text(one.verdict),
        rule=one.rule,
        because=_because(one.rule),
    )


def _request(one: Asked) -> RequestTree:
    return RequestTree(
        row=one.seq,
        at=one.at,
        request=one.wish,
        force=one.force,
        by=one.by,
        why=one.why,
        about=one.about,
    )


def _health(one: Checked) -> HealthTree:
    return HealthTree(
        row=one.seq,
        at=one.at,
        run=one.run,
        check=one.check,
        passing=one.passing,
        cause=one.cause,
    )


def _failure(one: OrderFailed | LostSight) -> FailureTree:
    if isinstance(one, LostSight):
        failed, error, text = "sight", None, one.cause
    else:
        failed, error, text = str(one.kind), one.error, one.error.message
    return FailureTree(
        row=one.seq, at=one.at, run=one.run, failed=failed, error=error, text=text
    )


def _boot(one: TookOver) -> BootTree:
    return BootTree(row=one.seq, at=one.at, epoch=one.epoch, rules=one.rules)


def _look(one: LookFailed) -> LookTree:
    return LookTree(row=one.seq, at=one.at, cause=one.cause)


def _rollout(item: RolloutMoved) -> RolloutTree:
    return RolloutTree(
        row=item.seq,
        at=item.at,
        service=item.service,
        revision=item.revision,
        status=item.status,
        goal=item.goal,
        until_at=item.until,
        failures=item.failures,
        reason=item.reason,
    )
