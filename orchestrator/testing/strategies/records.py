"""Records of the core as they may be: phases, histories, containers, sights."""

from __future__ import annotations

from hypothesis import strategies as st

from orchestrator.core.observations import (
    SeenAbsent,
    SeenEnded,
    SeenRunning,
    SeenUnreachable,
    Sight,
)
from orchestrator.core.origins import Origin
from orchestrator.core.phases import (
    Asleep,
    BackingOff,
    Completed,
    CrashLooping,
    Escalation,
    Failed,
    Pending,
    Phase,
    Rule,
    Running,
    Starting,
    Stopping,
    Unknown,
)
from orchestrator.core.phases import Stopped as AtRest
from orchestrator.core.state import Container, Desired, History, LastRun
from orchestrator.testing.strategies.ends import exits
from orchestrator.testing.strategies.pools import (
    addresses,
    made_once,
    moments,
    names,
    runs,
    texts,
)
from orchestrator.testing.strategies.specs import container_specs

__all__ = ("containers", "phases", "sights")


@made_once
def sights() -> st.SearchStrategy[Sight]:
    """Draw what a look may show of one container."""
    return st.one_of(
        st.builds(SeenRunning, ready=st.booleans(), addresses=addresses()),
        st.builds(SeenEnded, exit=exits()),
        st.sampled_from((SeenUnreachable(), SeenAbsent())),
    )


@made_once
def _running() -> st.SearchStrategy[Running]:
    return st.builds(
        Running,
        since=moments(),
        run=runs(),
        ready_at=st.none() | moments(),
        deadline=st.none() | moments(),
        addresses=addresses(),
        listening=st.booleans(),
        startup_passed=st.booleans(),
        readiness_passed=st.booleans(),
    )


@made_once
def _starting() -> st.SearchStrategy[Starting]:
    return st.builds(
        Starting,
        since=moments(),
        run=runs(),
        accepted=st.booleans(),
        retry_at=st.none() | moments(),
        retries=st.integers(0, 3),
    )


@made_once
def phases() -> st.SearchStrategy[Phase]:
    """Draw where a container may be."""
    rules = st.sampled_from(Rule)
    return st.one_of(
        st.builds(
            Pending, since=moments(), rule=rules, waits_for=st.just("") | names()
        ),
        _starting(),
        _running(),
        st.builds(
            Stopping,
            since=moments(),
            run=runs(),
            deadline=moments(),
            verdict=exits(),
            escalation=st.sampled_from(Escalation),
            accepted=st.booleans(),
            destroys=st.integers(0, 3),
        ),
        st.builds(AtRest, since=moments(), rule=rules),
        st.builds(Completed, since=moments(), rule=rules),
        st.builds(BackingOff, since=moments(), until=moments(), rule=rules),
        st.builds(
            CrashLooping, since=moments(), until=st.none() | moments(), rule=rules
        ),
        st.builds(Failed, since=moments(), rule=rules),
        st.builds(
            Unknown, since=moments(), run=runs(), was=st.one_of(_running(), _starting())
        ),
        st.builds(Asleep, since=moments(), rule=rules),
    )


@made_once
def containers() -> st.SearchStrategy[Container]:
    """Draw the record of a container, in any phase."""
    last = st.builds(
        LastRun,
        run=runs(),
        exit=exits(),
        ended_at=moments(),
        started_at=st.none() | moments(),
        ready_at=st.none() | moments(),
    )
    history = st.builds(
        History,
        failures=st.lists(moments(), max_size=4).map(lambda row: tuple(sorted(row))),
        attempts=st.integers(0, 9),
        obstacles=st.integers(0, 9),
        crashes_total=st.integers(0, 99),
        restarts_total=st.integers(0, 99),
        startup_ms=st.none() | st.integers(0, 9_999),
        start_failures=st.integers(0, 6),
        unhealthy=st.integers(0, 3),
    )
    return st.builds(
        Container,
        name=names(),
        spec=container_specs(),
        salt=st.integers(0, 2**32 - 1),
        revision=st.integers(1, 3),
        origin=st.sampled_from(Origin),
        desired=st.builds(
            Desired, running=st.booleans(), by=texts(), why=texts(), at=moments()
        ),
        phase=phases(),
        run=st.integers(0, 4),
        started_revision=st.integers(0, 3),
        history=history,
        last=st.none() | last,
        leaving=st.booleans(),
        changed_at=moments(),
        stops_after=st.just("") | names(),
        generation=st.integers(1, 3),
        place=st.sampled_from(("", "WEUR/fra01", "ENAM")),
    )
