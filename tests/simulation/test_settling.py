"""When a fleet must have settled, and who has."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from orchestrator.core.backoff import Backoff
from orchestrator.core.dependencies import Awaited, Condition
from orchestrator.core.exits import Stopped as WasStopped
from orchestrator.core.fleet_specs import FleetSettings
from orchestrator.core.groups import GroupStrategy, Membership
from orchestrator.core.health import HealthCheck, HealthChecks, TcpProbe
from orchestrator.core.origins import Origin
from orchestrator.core.phases import (
    Asleep,
    BackingOff,
    Completed,
    CrashLooping,
    Failed,
    Pending,
    Phase,
    Rule,
    Running,
    Starting,
    Stopped,
    Stopping,
    Unknown,
)
from orchestrator.core.policies import CrashLimit, OnLost, RestartPolicy
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import Container, Desired, Fleet
from orchestrator.core.table import Table
from orchestrator.simulation.settling import (
    bound_of,
    is_settled,
    spoilt_by,
    unsettled,
)

STARTING = Starting(since=0, run=1)


def container(phase: Phase, *, wanted: bool = True, name: str = "a") -> Container:
    policy = RestartPolicy(
        crash=CrashLimit(window_ms=1), backoff=Backoff(initial_ms=0, max_ms=0)
    )
    spec = ContainerSpec(
        name=name,
        command=("run",),
        restart=attrs.evolve(policy, min_interval_ms=0, on_lost=OnLost.WAIT),
        stop_grace_ms=0,
        start_timeout_ms=1_000,
    )
    return Container(
        name=name,
        spec=spec,
        salt=0,
        revision=1,
        origin=Origin.MIN_REPLICA_SET,
        desired=Desired(running=wanted, by="test", why="", at=0),
        phase=phase,
    )


def fleet(*containers: Container, **settings: Any) -> Fleet:
    return Fleet(
        name="one",
        settings=attrs.evolve(FleetSettings(min_restart_delay_ms=0), **settings),
        containers=Table.of((one.name, one) for one in containers),
        fences=True,
    )


LEAST = 1 + 1_000 + 20_000 + 3 * 60_000
"""Wait, start, stop (four confirmations), and three looks."""


def test_the_bound_is_the_sum_of_what_may_come_one_after_the_other() -> None:
    assert bound_of(fleet(container(STARTING))) == LEAST


@pytest.mark.parametrize(
    ("change", "more"),
    [
        ({"stop_grace_ms": 7_000}, 7_000),
        ({"start_timeout_ms": 5_000}, 4_000),
        ({"restart": RestartPolicy(on_lost=OnLost.WAIT)}, 600_000 - 1),
    ],
)
def test_each_limit_of_a_spec_moves_the_bound(
    change: dict[str, object], more: int
) -> None:
    one = container(STARTING)
    longer = attrs.evolve(one, spec=attrs.evolve(one.spec, **change))  # type: ignore[arg-type]
    assert bound_of(fleet(longer)) == LEAST + more


def test_where_a_lost_run_is_replaced_that_may_be_the_longest_wait() -> None:
    one = container(STARTING)
    policy = attrs.evolve(one.spec.restart, on_lost=None, lost_after_ms=44_001)
    lost = attrs.evolve(one, spec=attrs.evolve(one.spec, restart=policy))
    assert bound_of(fleet(lost)) == LEAST + 44_000


def test_health_checks_take_their_time_to_notice() -> None:
    one = container(STARTING)
    check = HealthCheck(
        probe=TcpProbe(port="http"), initial_delay_ms=3_000, period_ms=1_000
    )
    spec = attrs.evolve(
        one.spec,
        ports=Table.of([("http", 80)]),
        health=HealthChecks(liveness=check),
    )
    assert bound_of(fleet(attrs.evolve(one, spec=spec))) == LEAST + 3_000 + 4 * 1_000


def test_starts_go_a_few_at_a_time() -> None:
    many = [container(STARTING, name=f"c{n}") for n in range(10)]
    alone = bound_of(fleet(*many, max_concurrent_starts=10))
    assert alone == LEAST
    few = bound_of(fleet(*many, max_concurrent_starts=4))
    assert few == LEAST + 2 * 1_000
    slow = bound_of(fleet(*many, max_starts_per_minute=4, max_concurrent_starts=10))
    assert slow == LEAST + 3 * 60_000


def test_what_waits_already_is_waited_for() -> None:
    waits = BackingOff(since=0, until=99_001, rule=Rule.CUSTOM_POLICY)
    assert bound_of(fleet(container(waits))) == LEAST + 99_000
    assert bound_of(fleet(container(STARTING)), custom_ms=50_001) == LEAST + 50_000


def test_a_fleet_that_is_never_looked_at_by_itself_needs_less() -> None:
    still = fleet(container(STARTING), reconcile_interval_ms=0)
    assert bound_of(still) == LEAST - 3 * 60_000 + 3 * 10_000


@pytest.mark.parametrize(
    ("phase", "if_wanted", "if_not"),
    [
        (Running(since=0, run=1, ready_at=1), True, False),
        (Running(since=0, run=1), False, False),
        (Stopped(since=0), False, True),
        (Completed(since=0), True, False),
        (Failed(since=0, rule=Rule.NEVER_RESTART), True, False),
        (Asleep(since=0), True, False),
        (CrashLooping(since=0, until=None, rule=Rule.CRASH_LOOP_HOLD), True, False),
        (CrashLooping(since=0, until=9, rule=Rule.CRASH_LOOP_HOLD), False, False),
        (BackingOff(since=0, until=9, rule=Rule.FAILURE_BACKOFF), False, False),
        (Pending(since=0, rule=Rule.DECLARED), False, False),
        (Pending(since=0, rule=Rule.DECLARED, waits_for="db"), True, False),
        (STARTING, False, False),
        (Stopping(since=0, run=1, deadline=9, verdict=WasStopped()), False, False),
        (Unknown(since=0, run=1, was=STARTING), False, False),
    ],
)
def test_who_is_where_it_should_be(
    phase: Phase,
    if_wanted: bool,  # noqa: FBT001 - a table
    if_not: bool,  # noqa: FBT001 - a table
) -> None:
    assert is_settled(container(phase)) is if_wanted
    assert is_settled(container(phase, wanted=False)) is if_not


def test_the_doomed_spoil_their_group_and_nobody_else() -> None:
    group = Membership(group="g", strategy=GroupStrategy.ONE_FOR_ALL, position=0)

    def member(name: str) -> Container:
        one = container(STARTING, name=name)
        return attrs.evolve(one, spec=attrs.evolve(one.spec, group=group))

    all_ = fleet(member("a"), member("b"), container(STARTING, name="c"))
    assert unsettled(all_, {}) == ("a", "b", "c")
    assert unsettled(all_, {"a": 1, "gone": 1}) == ("c",)
    assert unsettled(all_, {"c": 1}) == ("a", "b")


READY = Running(since=0, run=1, ready_at=1)
WAITS = Pending(since=0, rule=Rule.DECLARED, waits_for="db")


def needy(phase: Phase, *others: str, name: str = "web") -> Container:
    one = container(phase, name=name)
    needs = Table.of((other, Condition.READY) for other in others)
    return attrs.evolve(one, spec=attrs.evolve(one.spec, depends_on=needs))


def test_each_link_of_a_chain_may_take_as_long_as_all_else() -> None:
    links = [needy(READY, "db"), needy(READY, "web", name="edge")]
    short = fleet(container(READY, name="db"), *links)
    chain = attrs.evolve(short, awaited=Table.of([("db", Awaited(dependents=1))]))
    assert bound_of(chain) == 3 * bound_of(short)


def test_who_waits_for_one_that_is_not_ready_is_where_it_should_be() -> None:
    db = container(Failed(since=0, rule=Rule.NEVER_RESTART), name="db")
    lacking = Table.of([("ready", Table.of([("db", None)]))])
    down = Awaited(dependents=1, members=1, wanted=1, lacking=lacking)
    waits = fleet(db, needy(WAITS, "db"))
    for entry, late in (
        (down, ()),
        (attrs.evolve(down, lacking=Table()), ("web",)),
        (attrs.evolve(down, asleep=Table.of([("db", None)])), ("web",)),
    ):
        now = attrs.evolve(waits, awaited=Table.of([("db", entry)]))
        assert unsettled(now, {}) == late
    assert unsettled(waits, {}) == (), "there is nobody to wait for"


def test_the_doomed_spoil_all_who_depend_on_them() -> None:
    group = Membership(group="g", strategy=GroupStrategy.ONE_FOR_ALL, position=0)
    specs = [
        attrs.evolve(container(READY, name="a").spec, group=group),
        attrs.evolve(container(READY, name="b").spec, group=group),
        needy(READY, "b", name="c").spec,
        needy(READY, "c", name="d").spec,
        container(READY, name="e").spec,
    ]
    assert spoilt_by(["a", "gone"], specs) == {"a", "b", "c", "d", "gone"}
