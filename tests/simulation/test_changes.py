"""What is done to a fleet while it is simulated, and by whom."""

from __future__ import annotations

import attrs
import pytest

from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.lineages import RolloutAction
from orchestrator.core.loads import LoadObserved
from orchestrator.core.requests import Apply, Roll, Scale, Stop
from orchestrator.core.services import Service, replica_of
from orchestrator.core.specs import ContainerSpec
from orchestrator.simulation.changes import (
    Change,
    Changed,
    ask,
    asked,
    made,
    releases_of,
    with_template,
)
from orchestrator.simulation.characters import Character, Release, released
from orchestrator.simulation.dice import Dice
from orchestrator.simulation.faults import FaultPlan, Stretch, calm
from orchestrator.simulation.owners import Owner, let_him_change_it
from orchestrator.simulation.runs import Run, start_run

HOUR = 3_600_000
WEB = ContainerSpec(name="web", command=("serve",))
MAIL = ContainerSpec(name="mail", command=("send",))


def fleet(replicas: int = 2) -> FleetSpec:
    web = Service(template=WEB, replicas=replicas)
    members = tuple(replica_of(web, index) for index in range(replicas))
    return FleetSpec(name="shop", containers=(*members, MAIL), services=(web,))


def running(plan: FaultPlan | None = None) -> Run:
    return start_run(1, calm() if plan is None else plan, {}, on_step=lambda _: None)


def other(spec: ContainerSpec, word: str) -> ContainerSpec:
    return attrs.evolve(spec, command=(word,))


# Changes


def test_a_change_is_made_at_its_moment() -> None:
    run = running()
    assert ask(run, Apply(spec=fleet())) == ""
    done = made(run, Change(at=5_000, wanted=Stop(name="mail"), words="stop mail"))
    assert done == Changed(at=5_000, words="stop mail")
    assert not run.fleet.containers["mail"].desired.running


def test_a_change_that_is_refused_says_why() -> None:
    run = running()
    change = Change(at=9, wanted=Scale(service="none", replicas=1), words="scale none")
    refused = made(run, change)
    assert (refused.at, "none" in refused.refused) == (9, True)


def test_a_change_waits_until_it_can_be_written_down() -> None:
    run = running(FaultPlan(until=HOUR, journal_down=(Stretch(begins=0, ends=5_000),)))
    made_at = made(run, Change(at=1, wanted=Apply(spec=fleet()), words="apply")).at
    assert made_at >= 5_000
    assert "web-0" in run.fleet.containers


def test_a_load_is_told_to_whoever_is_there_and_waits_for_an_operator() -> None:
    run = running()
    assert ask(run, Apply(spec=fleet())) == ""
    load = LoadObserved(at=0, service="web", load_milli=5)
    assert asked(run, load) is None
    assert run.operator is not None
    run.operator.die()
    assert asked(run, load) is not None
    assert ask(run, load) == ""
    told = [event for event in run.journal if isinstance(event, LoadObserved)]
    assert [event.load_milli for event in told] == [5, 5]
    assert told[0].at < told[1].at


def test_a_service_gets_another_template_and_number() -> None:
    changed = with_template(fleet(), other(WEB, "new"), 3)
    (web,) = changed.services
    assert (web.template.command, web.replicas, web.declared) == (("new",), 3, 3)
    assert [one.name for one in changed.containers] == [
        "mail",
        "web-0",
        "web-1",
        "web-2",
    ]
    assert with_template(fleet(), other(WEB, "new")).services[0].declared == 2


def test_a_container_of_its_own_gets_another_spec() -> None:
    changed = with_template(fleet(), other(MAIL, "new"))
    assert changed.services == fleet().services
    assert changed.containers[-1].command == ("new",)


# Releases


def test_what_an_apply_changes_behaves_as_it_says_and_the_rest_as_before() -> None:
    bad = with_template(fleet(), other(WEB, "bad"))
    change = Change(
        at=1, wanted=Apply(spec=bad), words="apply", character=Character.DEAD
    )
    releases = releases_of(fleet(), [change])
    assert releases == (Release(template=other(WEB, "bad"), character=Character.DEAD),)
    by_name = {one.name: released(releases, one) for one in bad.containers}
    assert by_name == {
        "mail": None,
        "web-0": Character.DEAD,
        "web-1": Character.DEAD,
    }


@pytest.mark.parametrize(
    "change",
    [
        Change(at=1, wanted=Apply(spec=fleet(3)), words="apply"),
        Change(at=1, wanted=Stop(name="x"), words="", character=Character.DEAD),
    ],
    ids=["no character", "no apply"],
)
def test_what_says_nothing_of_templates_releases_nothing(change: Change) -> None:
    assert releases_of(fleet(), [change]) == ()


def test_the_newest_word_on_a_template_counts() -> None:
    releases = [
        Release(template=WEB, character=Character.DEAD),
        Release(template=WEB, character=Character.SLOW),
        Release(template=MAIL, character=Character.HUNG),
    ]
    assert released(releases, replica_of(Service(template=WEB, replicas=1), 0)) is (
        Character.SLOW
    )


def test_a_bad_release_stays_bad_when_all_heals() -> None:
    run = running(FaultPlan(until=HOUR))
    run.stage.releases.append(Release(template=MAIL, character=Character.NEVER_READY))
    spec = FleetSpec(
        name="shop", containers=(MAIL, attrs.evolve(MAIL, name="well", service="well"))
    )
    assert ask(run, Apply(spec=spec)) == ""
    run.run_until(10_000)
    run.heal({})
    run.run_until(400_000)
    phases = {
        name: getattr(one.phase, "ready_at", None) is not None
        for name, one in run.fleet.containers.items()
    }
    assert phases == {"mail": False, "well": True}


def test_a_release_that_the_platform_refuses_never_runs() -> None:
    run = running()
    run.stage.releases.append(Release(template=MAIL, character=Character.REFUSED))
    assert ask(run, Apply(spec=FleetSpec(name="shop", containers=(MAIL,)))) == ""
    run.run_until(60_000)
    assert run.world.lives == {}


# The owner


def owner(spec: FleetSpec, seed: int = 1) -> Owner:
    return Owner(spec=spec, dice=Dice(seed), releases=[])


def test_an_owner_wants_all_there_is_to_want() -> None:
    one = owner(fleet())
    wishes = [one.next_wish() for _ in range(300)]
    wanted = {type(wish[0]) for wish in wishes if wish is not None}
    assert wanted == {Apply, Roll, Scale, LoadObserved}
    actions = {
        wish[0].action
        for wish in wishes
        if wish is not None and isinstance(wish[0], Roll)
    }
    assert actions == set(RolloutAction)
    kinds = {release.character for release in one.releases}
    assert Character.DEAD in kinds
    assert 0.2 < len(one.releases) / one.number < 0.5


def test_an_owner_without_services_releases_containers() -> None:
    one = owner(FleetSpec(name="shop", containers=(MAIL,)))
    wish = one.next_wish()
    assert wish is not None
    assert isinstance(wish[0], Apply)
    assert wish[0].spec.containers[0].env["RELEASE"] == "1"


def test_an_owner_of_nothing_wants_nothing() -> None:
    run = running(FaultPlan(until=HOUR, change_every_ms=1_000))
    told: list[Changed] = []
    assert owner(FleetSpec(name="none")).next_wish() is None
    let_him_change_it(run, owner(FleetSpec(name="none")), 1_000, told.append)
    run.run_until(60_000)
    assert told == []


def test_an_owner_changes_it_until_the_plan_is_over() -> None:
    run = running(FaultPlan(until=60_000, change_every_ms=1_000))
    assert ask(run, Apply(spec=fleet())) == ""
    told: list[Changed] = []
    let_him_change_it(run, owner(fleet()), 1_000, told.append)
    run.run_until(HOUR)
    assert 30 < len(told) < 120
    assert max(change.at for change in told) < 60_000
    assert {bool(change.refused) for change in told} == {True, False}
