"""Events, likely or not: whatever a fleet might be told, ``reduce`` is total."""

from __future__ import annotations

import attrs
from hypothesis import strategies as st

from orchestrator.core.events import (
    Booted,
    CommandAccepted,
    CommandFailed,
    CommandKind,
    ContainerEnded,
    ContainerErrored,
    ContainerObserved,
    ContainerReady,
    ContainerStarted,
    CrashHistoryCleared,
    Declaration,
    Event,
    FleetObserved,
    HealthChanged,
    OwnerEvent,
    PlaceObserved,
    ReconcileRequested,
    RemoveRequested,
    RestartRequested,
    SpecApplied,
    StartRequested,
    StopRequested,
    TimeReached,
)
from orchestrator.core.health import CheckKind
from orchestrator.core.notices import NoticeDelivered, NoticeFailed
from orchestrator.core.origins import Origin, Prune
from orchestrator.core.service_events import (
    AdoptRequested,
    OrphanStopRequested,
    ScaleRequested,
)
from orchestrator.testing.strategies.ends import command_errors, exits
from orchestrator.testing.strategies.pools import (
    addresses,
    made_once,
    moments,
    names,
    runs,
    tables,
    texts,
    tickets,
)
from orchestrator.testing.strategies.records import sights
from orchestrator.testing.strategies.rollouts import measurements, rollout_requests
from orchestrator.testing.strategies.specs import (
    container_specs,
    dependencies,
    fleet_settings,
    services,
)

__all__ = ("events",)


@made_once
def _declarations() -> st.SearchStrategy[Declaration]:
    """Draw what is declared; it may depend on anybody, also on itself."""
    specs = st.tuples(container_specs(), dependencies()).map(
        lambda drawn: attrs.evolve(drawn[0], depends_on=drawn[1])
    )
    return st.builds(Declaration, spec=specs, salt=st.integers(0, 2**32 - 1))


@made_once
def _declared_once() -> st.SearchStrategy[tuple[Declaration, ...]]:
    return st.lists(
        _declarations(), max_size=3, unique_by=lambda declared: declared.spec.name
    ).map(tuple)


@made_once
def _asked_for() -> st.SearchStrategy[OwnerEvent]:
    """Draw what an owner has asked for, with a ticket or without."""
    at, name = moments(), names()
    ticket = st.none() | tickets()
    return st.one_of(
        st.builds(
            SpecApplied,
            at=at,
            fleet=st.just("demo"),
            settings=fleet_settings(),
            declarations=_declared_once(),
            by=texts(),
            ticket=ticket,
            prune=st.none() | st.sampled_from(Prune),
            services=st.just(()) | st.tuples(services()),
        ),
        _declarations().flatmap(
            lambda declared: st.builds(
                StartRequested,
                at=at,
                name=st.just(declared.spec.name),
                declaration=st.none() | st.just(declared),
                force=st.booleans(),
                ticket=ticket,
            )
        ),
        st.builds(StopRequested, at=at, name=name, why=texts(), ticket=ticket),
        st.builds(RestartRequested, at=at, name=name, ticket=ticket),
        st.builds(RemoveRequested, at=at, name=name, ticket=ticket),
        st.builds(CrashHistoryCleared, at=at, name=name, ticket=ticket),
        st.builds(ReconcileRequested, at=at, ticket=ticket),
        st.builds(
            ScaleRequested,
            at=at,
            service=name | st.just("crew"),
            replicas=st.integers(0, 3),
            declarations=_declared_once(),
            ticket=ticket,
        ),
        _declarations().flatmap(
            lambda declared: st.builds(
                AdoptRequested,
                at=at,
                name=st.just(declared.spec.name),
                run=runs(),
                declaration=st.just(declared),
                origin=st.sampled_from(Origin),
                ticket=ticket,
            )
        ),
        st.builds(OrphanStopRequested, at=at, name=name, run=runs(), ticket=ticket),
        rollout_requests(),
    )


@made_once
def events() -> st.SearchStrategy[Event]:
    """Draw any event, likely or not."""
    at, name, run = moments(), names(), runs()
    kinds = st.sampled_from(CommandKind)
    return st.one_of(
        st.builds(
            Booted,
            at=at,
            epoch=runs(),
            rules=st.just(1),
            fences=st.booleans(),
            rolls=st.booleans(),
        ),
        _asked_for(),
        st.builds(ContainerStarted, at=at, name=name, run=run, cursor=texts()),
        st.builds(ContainerReady, at=at, name=name, run=run, addresses=addresses()),
        st.builds(ContainerEnded, at=at, name=name, run=run, exit=exits()),
        st.builds(ContainerErrored, at=at, name=name, run=run, cause=texts()),
        st.builds(
            HealthChanged,
            at=at,
            name=name,
            run=run,
            check=st.sampled_from(CheckKind),
            passing=st.booleans(),
            cause=texts(),
        ),
        st.builds(ContainerObserved, at=at, name=name, run=run, sight=sights()),
        st.builds(CommandAccepted, at=at, name=name, run=run, kind=kinds),
        st.builds(
            CommandFailed,
            at=at,
            name=name,
            run=run,
            kind=kinds,
            error=command_errors(),
        ),
        st.builds(
            FleetObserved,
            at=at,
            complete=st.booleans(),
            strangers=tables(names(), runs()),
        ),
        st.builds(
            PlaceObserved,
            at=at,
            name=name,
            run=run,
            place=st.sampled_from(("", "WEUR/fra01", "ENAM")),
        ),
        measurements(),
        st.builds(NoticeDelivered, at=at, number=run),
        st.builds(NoticeFailed, at=at, number=run, cause=texts()),
        st.builds(TimeReached, at=at, name=st.none() | name),
    )
