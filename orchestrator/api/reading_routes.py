"""The routes that change nothing: the fleet, its past, and the operator itself."""

from __future__ import annotations

from typing import Final

from orchestrator.api import answers, parameters
from orchestrator.api.headers import AT_HEADER, SEQ_HEADER
from orchestrator.api.route import Failing, Form, Parameter, Route
from orchestrator.api.timeline_trees import TimelineTree
from orchestrator.core import errors
from orchestrator.core.drift import Drift
from orchestrator.core.explain import ContainerInfo, Explanation
from orchestrator.core.fields import Json
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.planning import Plan
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.table import Table
from orchestrator.platforms.port import LogLine, PlatformDetail
from orchestrator.runtime.pieces import FleetHistory
from orchestrator.runtime.reports import EventRecord, FleetConfig
from orchestrator.runtime.scales import Orphan, ServiceInfo

__all__ = ("JOURNAL", "LOOKS", "OPERATOR", "PAST")

JOURNAL: Final[tuple[Failing, ...]] = (
    errors.InvalidSpec,
    errors.JournalBusy,
    errors.JournalCompacted,
    errors.JournalCorrupt,
    errors.JournalUnavailable,
    errors.NotReplayable,
    errors.PolicyNotRegistered,
    errors.OperatorClosed,
)
"""Why the past cannot be read."""

_PLATFORM: Final[tuple[Failing, ...]] = (
    errors.Unreachable,
    errors.Refused,
    errors.Unauthorized,
    errors.RateLimited,
    errors.QuotaExceeded,
    errors.NoCapacity,
    errors.TimedOut,
    errors.StaleOperator,
)
"""Why the platform does not answer."""

_NAME: Final = "/v1/containers/{name}"


def _look(  # noqa: PLR0913 - each says one thing of the route
    path: str,
    handler: str,
    summary: str,
    answer: Form,
    *failing: Failing,
    query: tuple[Parameter, ...] = (),
    tells: tuple[str, ...] = (),
    media: tuple[str, ...] = ("application/json",),
    about: str = "",
    by_leader: bool = False,
) -> Route:
    return Route(
        method="GET",
        path=path,
        handler=handler,
        summary=summary,
        answer=answer,
        errors=failing,
        query=query,
        tells=tells,
        media=media,
        about=about,
        by_leader=by_leader,
    )


_SEEN: Final = (SEQ_HEADER, AT_HEADER)
_GONE: Final = errors.ContainerNotFound

LOOKS: Final = (
    _look("/v1/fleet", "fleet", "The fleet as a whole, now.", answers.FleetFacts),
    _look(
        _NAME,
        "container",
        "One container.",
        ContainerInfo,
        *JOURNAL,
        _GONE,
        query=(parameters.AT,),
        tells=_SEEN,
    ),
    _look(
        f"{_NAME}/explain",
        "explain",
        "Why a container is where it is, and what comes next.",
        Explanation,
        *JOURNAL,
        _GONE,
        query=(parameters.AT,),
        tells=_SEEN,
    ),
    _look(
        "/v1/services",
        "services",
        "All services, and how many replicas each has.",
        tuple[ServiceInfo, ...],
        *JOURNAL,
        query=(parameters.AT,),
    ),
    _look(
        "/v1/orphans",
        "orphans",
        "What the platform has and the fleet does not know.",
        tuple[Orphan, ...],
    ),
    _look(
        f"{_NAME}/spec",
        "spec",
        "A container as it is declared; what looks secret is not shown.",
        ContainerSpec,
        _GONE,
    ),
    _look(
        f"{_NAME}/log",
        "log",
        "What a container wrote, a JSON object a line.",
        LogLine,
        errors.InvalidSpec,
        _GONE,
        query=(parameters.FOLLOW,),
        media=("application/x-ndjson",),
        by_leader=True,
    ),
    _look(
        f"{_NAME}/wait",
        "wait",
        "Wait until a container is ready, stopped, completed, failed or settled.",
        ContainerInfo,
        errors.InvalidSpec,
        _GONE,
        errors.ContainerFailed,
        errors.CrashLoopDetected,
        errors.TimedOut,
        errors.OperatorClosed,
        query=(parameters.FOR, parameters.LIMIT_MS),
        by_leader=True,
    ),
    _look(
        "/v1/config",
        "config",
        "The fleet as it is declared; what looks secret is not shown.",
        FleetConfig,
    ),
    Route(
        method="POST",
        path="/v1/plan",
        handler="plan",
        summary="What it would change to make a fleet the declared one; nothing is.",
        about=(
            "It needs leave to change: who may plan can try guesses, and a plan that"
            " changes nothing has found a value that is not shown."
        ),
        scope="write",
        body=FleetSpec,
        query=(parameters.PRUNE,),
        headers=(parameters.IF_MATCH,),
        answer=Plan,
        errors=(
            errors.InvalidSpec,
            errors.RevisionConflict,
            errors.PolicyNotRegistered,
        ),
    ),
    _look(
        "/v1/diff",
        "diff",
        "Where what is believed to run differs from what is asked for.",
        tuple[Drift, ...],
    ),
    _look(
        "/v1/platform",
        "platform",
        "What the platform says of each container, in its own words.",
        tuple[PlatformDetail, ...],
        *_PLATFORM,
        by_leader=True,
    ),
)

_EVENTS: Final = (
    "A page says in `Orchestrator-Seq` up to which row it looked, at most 20000 of"
    " them where few are wanted; the next page begins there. With `Accept:"
    " text/event-stream` the events come as they happen: `hello` says where it begins,"
    " `event` is a row, `heartbeat` comes when nothing happens, `gap` names rows that"
    " are not sent (the reader was too slow, they are compacted, or one has touched"
    " more than 1000 containers that were asked for with it: a list shows them), `bye`"
    " is the end of the operator. The `id` is the row: who comes again with"
    " `Last-Event-ID` goes on behind it. With `Accept: application/x-ndjson`, or"
    " `follow=true`, it is the same as a JSON object a line, `kind` beside the rest."
)

_TOLD: Final = (parameters.FROM, parameters.UNTIL)

PAST: Final = (
    _look(
        f"{_NAME}/timeline",
        "timeline",
        "What happened to a container: runs, waits, decisions, requests, failures.",
        TimelineTree,
        *JOURNAL,
        _GONE,
        query=_TOLD,
        about="`containers` holds this one. Of each kind of entry the newest 1000 are"
        " kept; `left_out` counts the others.",
    ),
    _look(
        "/v1/steps/{seq}",
        "step",
        "One row explained: what it changed, and what was decided.",
        answers.StepTold,
        *JOURNAL,
    ),
    _look(
        "/v1/history",
        "history",
        "The fleet over time, in pieces of equal length.",
        FleetHistory,
        *JOURNAL,
        query=(*_TOLD, parameters.POINTS),
        about="Counted row by row; at most 1000000 rows at a time.",
    ),
    Route(
        method="GET",
        path="/v1/events",
        handler="events",
        summary="The events of the journal: a page, or a stream.",
        about=_EVENTS,
        query=(
            parameters.AFTER,
            parameters.LIMIT,
            parameters.WAIT_MS,
            parameters.NAMES,
            parameters.TYPES,
            parameters.FOLLOW,
            parameters.WITH,
            parameters.HEARTBEAT,
        ),
        headers=(parameters.LAST_EVENT,),
        tells=(SEQ_HEADER,),
        answer=tuple[EventRecord, ...],
        media=("application/json", "text/event-stream", "application/x-ndjson"),
        errors=JOURNAL,
    ),
)

OPERATOR: Final = (
    Route(
        method="GET",
        path="/healthz",
        handler="health",
        summary="Whether the operator is alive.",
        scope="open",
        answer=answers.Health,
        also=((503, answers.Health),),
    ),
    Route(
        method="GET",
        path="/readyz",
        handler="readiness",
        summary="Whether the operator looks after its fleet; a standby does not.",
        scope="open",
        answer=answers.Readiness,
        also=((503, answers.Readiness),),
    ),
    Route(
        method="GET",
        path="/version",
        handler="version",
        summary="Which release answers.",
        scope="open",
        answer=answers.Version,
    ),
    _look(
        "/v1/leader",
        "leader",
        "Who leads the fleet, since when, and what it found when it came to lead.",
        answers.Leader,
        about=(
            "A standby answers, too, as far as it knows. Where no operator claims a"
            " lease the only one leads, and has no name."
        ),
    ),
    _look(
        "/metrics",
        "metrics",
        "The numbers of fleet and operator, as Prometheus reads them.",
        str,
        media=("text/plain",),
    ),
    _look("/openapi.json", "openapi", "This document.", Table[str, Json]),
)
