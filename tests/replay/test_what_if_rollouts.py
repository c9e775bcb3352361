"""What would have come of a rollout: without it, under another policy, as it was."""

from __future__ import annotations

import attrs
from returns.result import Success

from orchestrator.core.events import Event, SpecApplied
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.lineages import RolloutStatus
from orchestrator.core.reduce import step_of
from orchestrator.core.requests import Apply
from orchestrator.core.rollout_policies import RolloutPolicy, Share
from orchestrator.core.services import Service, replica_of
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import Fleet, empty_fleet
from orchestrator.core.table import Table
from orchestrator.replay.history import Entry
from orchestrator.replay.imagined.hypotheses import Hypothesis, under
from orchestrator.replay.imagined.imagining import WhatIf, what_if
from orchestrator.simulation.changes import ask, with_template
from orchestrator.simulation.characters import Character, Release
from orchestrator.simulation.faults import calm
from orchestrator.simulation.runs import start_run

MINUTE = 60_000
WEB = ContainerSpec(name="web", command=("serve", "1"))


def shop(policy: RolloutPolicy | None) -> FleetSpec:
    web = Service(template=WEB, replicas=4, rollout=policy)
    members = tuple(replica_of(web, index) for index in range(4))
    return FleetSpec(name="shop", containers=members, services=(web,))


def record(policy: RolloutPolicy | None, *, bad: bool = False) -> list[Entry]:
    run = start_run(1, calm(), {}, on_step=lambda _: None)
    _ = ask(run, Apply(spec=shop(policy)))
    run.run_until(MINUTE)
    template = attrs.evolve(WEB, command=("serve", "2"))
    if bad:
        run.stage.releases.append(Release(template=template, character=Character.DEAD))
    _ = ask(run, Apply(spec=with_template(shop(policy), template)))
    run.run_until(10 * MINUTE)
    return entries(run.journal)


def entries(journal: list[Event]) -> list[Entry]:
    told: list[Entry] = []
    fleet = empty_fleet("shop")
    for seq, event in enumerate(journal, 1):
        step = step_of(fleet, event)
        row = Entry(seq=seq, event=event, commands=step.commands, changes=b"")
        told.append(row)
        fleet = step.after
    return told


def answer(told: list[Entry], hypothesis: Hypothesis, fleet: Fleet) -> WhatIf:
    match what_if(told, hypothesis, fleet=fleet):
        case Success(WhatIf() as found):
            return found
        case refused:
            raise AssertionError(refused)


def asked(told: list[Entry], hypothesis: Hypothesis) -> WhatIf:
    return answer(told, hypothesis, empty_fleet("shop"))


def changed(told: list[Entry]) -> int:
    """Return the row in which the second template was applied."""
    return [one.seq for one in told if isinstance(one.event, SpecApplied)][-1]


def status(found: WhatIf) -> RolloutStatus:
    return found.fleet.lineages["web"].past[-1].status


def test_a_rollout_under_no_other_hypothesis_goes_as_it_went() -> None:
    for told in (record(RolloutPolicy()), record(RolloutPolicy(), bad=True)):
        found = asked(told, Hypothesis())
        assert all(one.parted is None for one in found.containers)
        assert found.recorded == found.imagined
        live = empty_fleet("shop")
        for one in told:
            live = step_of(live, one.event).after
        assert found.fleet == live


def test_without_the_change_nothing_is_rolled_out() -> None:
    told = record(RolloutPolicy(), bad=True)
    assert status(asked(told, Hypothesis())) is RolloutStatus.REVERTED
    found = asked(told, Hypothesis(skip=frozenset({changed(told)})))
    assert len(found.fleet.lineages) == 0
    assert found.recorded.crashes > 0
    assert found.imagined.crashes == 0


def test_a_rollout_is_played_under_another_policy() -> None:
    told = record(None)
    policy = RolloutPolicy(max_unavailable=Share(1))
    found = asked(told, Hypothesis(rollouts=Table.of([("web", policy)])))
    assert status(found) is RolloutStatus.DONE
    assert {one.generation for one in found.fleet.containers.values()} == {2}
    all_at_once = [one.name for one in found.containers if one.parted is not None]
    assert all_at_once


def test_a_fleet_that_a_record_begins_behind_has_the_revisions_as_supposed() -> None:
    fleet = empty_fleet("shop")
    for one in record(RolloutPolicy()):
        fleet = step_of(fleet, one.event).after
    template = attrs.evolve(WEB, command=("serve", "3"))
    supposed = under(fleet, Hypothesis(specs=Table.of([("web", template)])))
    revisions = supposed.lineages["web"].revisions
    assert {each.template.command for each in revisions} == {("serve", "3")}
    assert supposed.services["web"].template.command == ("serve", "3")
    assert under(fleet, Hypothesis()) == fleet
