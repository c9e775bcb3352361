"""A journal replays to the same decisions, or says where it does not."""

from __future__ import annotations

import attrs

from orchestrator.codec.wire import digest_changes
from orchestrator.core.admit import admit
from orchestrator.core.custom import CustomPolicy, registered
from orchestrator.core.decisions import GiveUp
from orchestrator.core.errors import NotReplayable, PolicyNotRegistered
from orchestrator.core.events import (
    Booted,
    Declaration,
    Event,
    FleetObserved,
    SpecApplied,
)
from orchestrator.core.policies import CustomPolicyRef, RestartPolicy
from orchestrator.core.reduce import fold, reduce
from orchestrator.core.requests import Apply, Stop
from orchestrator.core.specs import ContainerSpec, FleetSettings, FleetSpec
from orchestrator.core.state import RULES, empty_fleet
from orchestrator.replay.history import Entry, fleet_after, fleet_at
from orchestrator.replay.verify import verify

EMPTY = empty_fleet("demo")


def history() -> list[Entry]:
    """Boot, apply, see, stop: a short life, as the operator would journal it."""
    spec = FleetSpec(
        name="demo", containers=(ContainerSpec(name="web", command=("sleep",)),)
    )
    fleet, entries = EMPTY, []
    for at in range(4):
        event: Event
        if at == 0:
            event = Booted(at=at, epoch=1, rules=RULES)
        elif at == 2:
            event = FleetObserved(at=at, complete=True)
        else:
            request = Apply(spec=spec) if at == 1 else Stop(name="web")
            event = admit(fleet, request, at).unwrap()
        transition = reduce(fleet, event)
        fleet = transition.fleet
        entries.append(
            Entry(
                seq=at + 1,
                event=event,
                commands=transition.commands,
                changes=digest_changes(fleet, transition.touched),
            )
        )
    return entries


def test_what_was_recorded_is_decided_again() -> None:
    entries = history()
    verdict = verify(EMPTY, entries, digest_changes).unwrap()
    assert (verdict.rows, verdict.compared) == (4, 4)
    assert verdict.fleet == fold(EMPTY, [entry.event for entry in entries])


def test_the_first_row_that_is_decided_otherwise_is_named() -> None:
    entries = history()
    entries[2] = attrs.evolve(entries[2], commands=())
    error = verify(EMPTY, entries, digest_changes).failure()
    assert isinstance(error, NotReplayable)
    assert (error.seq, error.what) == (3, "commands")
    assert "recomputed (StartContainer" in error.message


def test_a_record_that_comes_out_otherwise_is_named() -> None:
    entries = history()
    entries[1] = attrs.evolve(entries[1], changes=bytes(32))
    error = verify(EMPTY, entries, digest_changes).failure()
    assert isinstance(error, NotReplayable)
    assert (error.seq, error.what) == (2, "the records of web")


def test_segments_of_other_rules_are_folded_and_not_compared() -> None:
    entries = [attrs.evolve(entry, commands=()) for entry in history()]
    verdict = verify(EMPTY, entries, digest_changes, rules=RULES + 1).unwrap()
    assert (verdict.rows, verdict.compared) == (4, 0)


def test_the_fleet_at_any_place_and_moment() -> None:
    entries = history()
    assert not fleet_after(EMPTY, entries, 1).containers
    assert "web" in fleet_after(EMPTY, entries, 2).containers
    assert fleet_at(EMPTY, entries, 1) == fleet_after(EMPTY, entries, 2)
    assert fleet_at(EMPTY, entries, 99) == fleet_after(EMPTY, entries, 4)


def test_a_custom_policy_that_nobody_registered_is_not_guessed() -> None:
    ref = CustomPolicyRef(name="strikes", version=2)
    restart = RestartPolicy(custom=ref)
    one = ContainerSpec(name="web", command=("run",), restart=restart)
    declared = Entry(
        seq=1,
        event=SpecApplied(
            at=0,
            fleet="demo",
            settings=FleetSettings(),
            declarations=(Declaration(spec=one, salt=1),),
        ),
        commands=(),
        changes=b"",
    )
    missing = PolicyNotRegistered(name="web", policy="strikes", version=2)
    assert verify(EMPTY, [declared], digest_changes).failure() == missing
    policy = CustomPolicy(name="strikes", version=2, decide=lambda _: GiveUp())
    known = registered([policy])
    verdict = verify(EMPTY, [declared], digest_changes, policies=known).unwrap()
    assert "web" in verdict.fleet.containers
