"""Laws of a plan: it says exactly what an apply then does, and no secret."""

from __future__ import annotations

import attrs
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.codec.wire import tree_of
from orchestrator.core.admit import admit
from orchestrator.core.drift import DriftKind, drift
from orchestrator.core.events import Event
from orchestrator.core.explain import container_info
from orchestrator.core.field_changes import field_changes
from orchestrator.core.fields import Json
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.origins import Origin, Prune
from orchestrator.core.phases import (
    Asleep,
    Completed,
    Pending,
    Running,
    Starting,
    Stopping,
    live_run,
)
from orchestrator.core.planning import Masks, Plan, PlanAction, PlannedChange, plan
from orchestrator.core.reduce import fold, reduce
from orchestrator.core.requests import Apply
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import Container, Fleet, empty_fleet
from orchestrator.core.table import Table
from orchestrator.runtime.foresight import foreseen
from orchestrator.testing import strategies as drawn

BARE = Masks(spec=lambda spec: spec, settings=lambda settings: settings)
PRUNES = st.none() | st.sampled_from(Prune)
LATER = st.integers(0, 100_000)


def in_order(history: list[Event]) -> list[Event]:
    """Give a drawn history moments that never run backwards."""
    moments = sorted(event.at for event in history)
    pairs = zip(history, moments, strict=True)
    return [attrs.evolve(event, at=at) for event, at in pairs]


@st.composite
def fleets(draw: st.DrawFn) -> Fleet:
    """Draw a fleet to which anything may have happened."""
    history = draw(st.lists(drawn.events(), max_size=16))
    return fold(empty_fleet("demo"), in_order(history))


def applied(fleet: Fleet, request: Apply, at: int) -> Fleet | None:
    event = admit(fleet, request, at).value_or(None)
    return None if event is None else reduce(fleet, event).fleet


def planned(fleet: Fleet, request: Apply, at: int) -> Plan | None:
    return plan(fleet, request, at, masks=BARE).value_or(None)


@given(fleets(), drawn.fleet_specs(), PRUNES, LATER)
def test_a_plan_says_what_the_apply_then_does(
    fleet: Fleet, spec: FleetSpec, prune: Prune | None, later: int
) -> None:
    request, at = Apply(spec=spec, prune=prune), fleet.at + later
    told, after = planned(fleet, request, at), applied(fleet, request, at)
    assert (told is None) == (after is None)
    if told is None or after is None:
        return
    assert (told.fleet, told.revision_before) == (after.name, fleet.revision)
    assert told.revision_after == after.revision
    changes = {change.name: change for change in told.changes}
    assert len(changes) == len(told.changes)
    assert list(changes) == sorted(changes)
    for name in {*fleet.containers, *after.containers, *changes}:
        was, now = fleet.containers.get(name), after.containers.get(name)
        change = changes.get(name)
        if change is None:
            assert was is not None
            assert is_the_same_or_was_due(was, now), name
        else:
            holds(change, was, now)
    if fleet.services == after.services:
        assert bool(told.settings) == (fleet.settings != after.settings)


def is_the_same_or_was_due(was: Container, now: Container | None) -> bool:
    """Say whether a record is the same, but for a start or an end that was due."""
    if was == now:
        return True
    if now is None or (now.spec, now.origin, now.desired, now.revision) != (
        was.spec,
        was.origin,
        was.desired,
        was.revision,
    ):
        return False
    if was.leaving or now.leaving:
        return was.leaving and now.leaving
    return isinstance(was.phase, Pending) and isinstance(now.phase, Pending | Starting)


def holds(change: PlannedChange, was: Container | None, now: Container | None) -> None:
    """Hold one change of a plan to what became of the container."""
    assert change.why
    if change.action is PlanAction.CREATE:
        assert was is None
        assert now is not None
        assert now.desired.running
        return
    assert was is not None
    if change.action is PlanAction.FORGET:
        assert now is None
        assert not change.fields
        return
    assert now is not None
    is_another = was.spec != now.spec or was.origin is not now.origin
    assert bool(change.fields) == is_another
    match change.action:
        case PlanAction.STOP:
            assert now.leaving
            assert not now.desired.running
            assert live_run(now.phase) is not None
        case PlanAction.KEEP:
            assert now == attrs.evolve(
                was, origin=Origin.AD_HOC, changed_at=now.changed_at
            )
        case PlanAction.UPDATE:
            assert live_run(was.phase) in (None, live_run(now.phase))
            assert isinstance(now.phase, Stopping) == isinstance(was.phase, Stopping)
        case PlanAction.RESTART:
            assert live_run(was.phase) is not None
            assert isinstance(now.phase, Stopping)
            assert now.desired.running
        case _:
            assert change.action is PlanAction.START
            assert now.desired.running


@given(fleets(), drawn.fleet_specs(), PRUNES)
def test_to_apply_twice_is_to_apply_once(
    fleet: Fleet, spec: FleetSpec, prune: Prune | None
) -> None:
    request = Apply(spec=spec, prune=prune)
    once = applied(fleet, request, fleet.at)
    if once is None:
        return
    twice = applied(once, request, once.at)
    assert twice is not None
    assert twice.containers == once.containers
    assert twice == attrs.evolve(once, ignored=twice.ignored)
    again = planned(once, request, once.at)
    assert again is not None
    assert again.is_empty
    assert not again.settings


@given(fleets(), drawn.fleet_specs(), PRUNES)
def test_what_is_declared_runs_under_it_and_nothing_is_left_undeletable(
    fleet: Fleet, spec: FleetSpec, prune: Prune | None
) -> None:
    after = applied(fleet, Apply(spec=spec, prune=prune), fleet.at)
    if after is None:
        return
    # Those that scale by themselves, and those with several revisions, have properties
    # of their own: they are not as many, or not yet, as their file says.
    own = {each.name for each in spec.services if each.autoscaling is not None}
    own |= set(after.lineages)
    declared = {
        one.name: one
        for one in spec.containers
        if one.service == one.name or one.service not in own
    }
    for name, container in after.containers.items():
        if container.spec.service in own and name not in declared:
            continue
        if name in declared:
            assert container.spec == declared[name]
            assert container.origin is Origin.MIN_REPLICA_SET
            assert not container.leaving
        else:
            assert container.leaving or container.origin is Origin.AD_HOC
    assert set(declared) <= set(after.containers)


@given(drawn.container_specs(), drawn.container_specs())
def test_fields_change_where_two_specs_differ_and_nowhere_else(
    was: ContainerSpec, now: ContainerSpec
) -> None:
    changes = list(field_changes((was, now), (was, now)))
    assert bool(changes) == (was != now)
    paths = [change.path for change in changes]
    assert len(set(paths)) == len(paths)
    assert all(change.before != change.after for change in changes)
    back = list(field_changes((now, was), (now, was)))
    turned = {(change.path, change.after, change.before) for change in back}
    assert turned == {(change.path, change.before, change.after) for change in changes}
    tops = {path.partition(".")[0] for path in paths}
    fields = {field.name for field in attrs.fields(ContainerSpec)}
    assert tops == {name for name in fields if getattr(was, name) != getattr(now, name)}


SECRETS = st.sampled_from(("hunter2", "s3cr3t", "correct-horse"))


@given(drawn.container_specs(), SECRETS, SECRETS, st.booleans())
def test_a_plan_never_tells_a_secret_and_tells_that_one_changes(
    spec: ContainerSpec,
    old: str,
    new: str,
    nested: bool,  # noqa: FBT001 - drawn
) -> None:
    def bearing(secret: str) -> FleetSpec:
        deep: Table[str, Json] = Table.of([("token", secret)])
        held: Json = deep if nested else secret
        bearer = attrs.evolve(
            spec,
            env=spec.env.put("API_TOKEN", secret),
            config=Table.of([("auth", held)]),
            command=("run", "--password", secret),
        )
        return FleetSpec(name="demo", containers=(bearer,))

    before = applied(empty_fleet("demo"), Apply(spec=bearing(old)), 0)
    assert before is not None
    told = foreseen(before, Apply(spec=bearing(new)), 0).unwrap()
    assert bool(told.changes) == (old != new)
    text = str(tree_of(told))
    assert old not in text
    assert new not in text
    if old != new:
        paths = [change.path for change in told.changes[0].fields]
        assert "env.API_TOKEN" in paths


@given(fleets(), st.integers(0, 100_000_000))
def test_the_reason_of_a_drift_is_that_of_its_container(fleet: Fleet, ms: int) -> None:
    at = fleet.at + ms
    for one in drift(fleet, at):
        container = fleet.containers.get(one.name)
        if container is not None and one.kind is not DriftKind.NOT_FORGOTTEN:
            assert one.why == container_info(fleet, container, at).why


@given(fleets())
def test_what_is_not_told_as_drift_is_where_it_shall_be(fleet: Fleet) -> None:
    told = drift(fleet, fleet.at)
    names = {one.name for one in told}
    assert list(told) == sorted(told, key=lambda one: (one.name, one.kind))
    assert all(one.why and one.asked != one.found for one in told)
    for name, container in fleet.containers.items():
        phase = container.phase
        is_up = isinstance(phase, Running) or not container.desired.running
        is_done = isinstance(phase, Completed | Asleep)
        lives = live_run(phase) is not None
        if name not in names:
            assert is_up or is_done
            assert lives <= container.desired.running
            if isinstance(phase, Running):
                assert container.started_revision == container.revision
    kinds = {(one.name, one.kind) for one in told}
    assert {(name, DriftKind.STRANGER) for name in fleet.strangers} <= kinds
    assert {(name, DriftKind.NOT_FORGOTTEN) for name in fleet.forgetting} <= kinds
