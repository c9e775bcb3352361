"""What is believed: one container's record, and the fleet with its small indexes.

The record keeps facts (what ran, how it ended, when failures were); what follows from
facts is derived. Names of phases, ``why`` and ``next_start_at`` are derived in
``core.explain``, never stored.

The fleet's indexes are what ``reduce`` may look at instead of scanning: who waits for
a start, who is starting, who is not yet where it should be. ``core.drafts`` keeps
them true; a property compares them with a scan.
"""

from __future__ import annotations

from typing import Final

import attrs

from orchestrator.core.dependencies import Awaited
from orchestrator.core.evolving import evolve, quick
from orchestrator.core.exits import Exit
from orchestrator.core.fields import LATER
from orchestrator.core.fleet_specs import FleetSettings
from orchestrator.core.hash_table import many
from orchestrator.core.lineages import Lineage
from orchestrator.core.loads import Loads
from orchestrator.core.moments import Moment
from orchestrator.core.notices import Notices
from orchestrator.core.origins import Origin
from orchestrator.core.phases import Phase, Running, Unknown
from orchestrator.core.services import Service
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.table import Table
from orchestrator.core.tickets import Tickets

__all__ = (
    "RULES",
    "Container",
    "Desired",
    "Fleet",
    "History",
    "LastRun",
    "empty_fleet",
    "found_by_hash",
)

RULES: Final = 3
"""Number of the rule book, raised with any change of a decision (see docs)."""


@quick
@attrs.frozen(kw_only=True, weakref_slot=False)
class Desired:
    """The owner's intent for one container: running or stopped, by whom and why."""

    running: bool
    by: str
    why: str
    at: Moment


@quick
@attrs.frozen(kw_only=True, weakref_slot=False)
class LastRun:
    """The newest run that has ended."""

    run: int
    exit: Exit
    ended_at: Moment
    started_at: Moment | None = None
    ready_at: Moment | None = None


@quick
@attrs.frozen(kw_only=True, weakref_slot=False)
class History:
    """Failures of the present revision, and counters of the whole life.

    ``failures``: when the newest ones were, at most ``allowed_crashes + 1``.
    ``attempts``: failures since the last reset, ``obstacles``: starts in a row that
    something else prevented; both say how long to wait. ``start_failures``: starts in a
    row that failed; ``unhealthy``: runs in a row that a liveness check has ended;
    ``failed_in_a_row``: failures without a clean exit between. The ``..._total``
    counters are never reset. ``startup_ms`` is what the newest ready run
    took from start to ready.
    """

    failures: tuple[Moment, ...] = ()
    attempts: int = 0
    obstacles: int = 0
    crashes_total: int = 0
    restarts_total: int = 0
    startup_ms: int | None = None
    start_failures: int = attrs.field(default=0, metadata=LATER)
    unhealthy: int = attrs.field(default=0, metadata=LATER)
    failed_in_a_row: int = attrs.field(default=0, metadata=LATER)


@quick
@attrs.frozen(kw_only=True, weakref_slot=False)
class Container:
    """All that is believed of one container.

    ``run`` is the highest run ever seen or commanded; ``revision`` numbers the spec.
    ``leaving``: it is forgotten as soon as it rests (its spec has left the file).
    ``changed_at`` is when an event last changed the record: an observation that
    began before says nothing about it. ``stops_after`` keeps one running that is to
    stop, until nobody lives any more who depends on it and is to stop, too: it names a
    service that did when both were asked to. ``generation`` is the revision of its
    service that it was made with (``core.lineages``); ``place`` is where the platform
    says that its newest run is, "" where it has not said.
    """

    name: str
    spec: ContainerSpec
    salt: int
    revision: int
    origin: Origin
    desired: Desired
    phase: Phase
    run: int = 0
    started_revision: int = 0
    history: History = History()
    last: LastRun | None = None
    leaving: bool = False
    changed_at: Moment = 0
    stops_after: str = attrs.field(default="", metadata=LATER)
    generation: int = attrs.field(default=1, metadata=LATER)
    place: str = attrs.field(default="", metadata=LATER)

    @property
    def is_claimed(self) -> bool:
        """Say whether its run was adopted, and no look has compared it yet."""
        return self.started_revision == 0 and isinstance(self.phase, Unknown | Running)


@quick
@attrs.frozen(kw_only=True, slots=False)  # opened for change and closed for each event
class Fleet:
    """Everything that is believed, at moment ``at``.

    ``observed``: a complete observation was made since boot; nothing starts before.
    ``observed_at``: when the newest complete one began, so how old is what is believed;
    ``reconciled_at``: when one last began, whatever became of it.
    ``run_floor``: no container begins below it, so that a name that is used again
    never repeats a run. ``waiting`` is ordered by (since, name), first come first
    served. ``forgetting`` holds the names whose removal at the platform is not yet
    confirmed; ``strangers`` what the platform runs and the fleet does not know.
    ``groups`` lists the members of each group as (position, name), in this order.
    ``tickets`` remembers which requests were made already; ``notices`` are what is
    still to be told. ``services`` say how many replicas are asked for; ``evicting``
    holds the strangers whose end was asked for. ``awaited`` has an entry for each
    service that somebody depends on. ``lineages`` are the revisions of services that
    were ever rolled out, ``rolling`` names those with a rollout under way; ``loads`` is
    what services that scale by themselves were measured at. ``rolls``: the platform
    itself brings another image to a service, all replicas of it. ``rolls_at`` says when
    time has something to do with a rollout, the first one first.
    """

    name: str
    settings: FleetSettings = FleetSettings()
    containers: Table[str, Container] = many(Table[str, Container]())
    revision: int = 0
    at: Moment = 0
    epoch: int = 0
    rules: int = RULES
    fences: bool = False
    observed: bool = False
    observing: bool = False
    reconciled_at: Moment | None = None
    run_floor: int = 0
    cursor: str = ""
    ignored: int = 0
    recent_starts: tuple[Moment, ...] = ()
    waiting: Table[tuple[Moment, str], None] = Table()
    starting: Table[str, None] = many(Table[str, None]())
    diverged: Table[str, None] = many(Table[str, None]())
    forgetting: Table[str, int] = Table()
    strangers: Table[str, int] = Table()
    groups: Table[str, tuple[tuple[int, str], ...]] = attrs.field(
        default=Table[str, tuple[tuple[int, str], ...]](), metadata=LATER
    )
    observed_at: Moment | None = attrs.field(default=None, metadata=LATER)
    tickets: Tickets = attrs.field(default=Tickets(), metadata=LATER)
    notices: Notices = attrs.field(default=Notices(), metadata=LATER)
    services: Table[str, Service] = attrs.field(
        default=Table[str, Service](), metadata=LATER
    )
    evicting: Table[str, int] = attrs.field(default=Table[str, int](), metadata=LATER)
    awaited: Table[str, Awaited] = attrs.field(
        default=Table[str, Awaited](), metadata=LATER
    )
    lineages: Table[str, Lineage] = attrs.field(
        default=Table[str, Lineage](), metadata=LATER
    )
    rolling: Table[str, None] = attrs.field(default=Table[str, None](), metadata=LATER)
    loads: Table[str, Loads] = attrs.field(default=Table[str, Loads](), metadata=LATER)
    rolls: bool = attrs.field(default=False, metadata=LATER)
    rolls_at: Table[tuple[Moment, str], None] = attrs.field(
        default=Table[tuple[Moment, str], None](), metadata=LATER
    )


def empty_fleet(name: str) -> Fleet:
    """Return the fleet before anything has happened.

    >>> len(empty_fleet("demo").containers)
    0

    """
    return Fleet(name=name)


def found_by_hash(fleet: Fleet) -> Fleet:
    """Return a fleet that was read, with the tables that each event looks into by hash.

    It is equal to what it was; only what it costs to move it is not.
    """
    return evolve(
        fleet,
        containers=many(fleet.containers),
        starting=many(fleet.starting),
        diverged=many(fleet.diverged),
    )
