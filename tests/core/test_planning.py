"""What a plan says of each container, one example an action."""

from __future__ import annotations

import attrs

from orchestrator.core.dependencies import Condition
from orchestrator.core.errors import InvalidSpec, RevisionConflict
from orchestrator.core.exits import Exited
from orchestrator.core.fleet_specs import FleetSettings, FleetSpec
from orchestrator.core.groups import GroupStrategy, Membership
from orchestrator.core.origins import Origin, Prune
from orchestrator.core.planning import Masks, Plan, PlanAction, PlannedChange, plan
from orchestrator.core.policies import RestartPolicy, When
from orchestrator.core.requests import Apply, Scale, Start, Stop
from orchestrator.core.services import Service, replica_of
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.table import Table
from tests.core.examples import SETTINGS, Story, spec

BARE = Masks(spec=lambda spec: spec, settings=lambda settings: settings)
WEB, DB = spec("web"), spec("db")


def planned(
    story: Story,
    *specs: ContainerSpec,
    prune: Prune | None = None,
    settings: FleetSettings = SETTINGS,
) -> Plan:
    fleet = FleetSpec(name="demo", containers=specs, settings=settings)
    request = Apply(spec=fleet, prune=prune)
    return plan(story.fleet, request, story.fleet.at, masks=BARE).unwrap()


def only(found: Plan) -> PlannedChange:
    (change,) = found.changes
    return change


def running(*specs: ContainerSpec) -> Story:
    story = Story(*specs)
    for one in specs:
        story.ready(one.name)
    return story


def test_the_same_again_changes_nothing() -> None:
    found = planned(running(WEB, DB), WEB, DB)
    assert found == Plan(fleet="demo", revision_before=1, revision_after=1)
    assert found.is_empty


def test_a_new_container_is_created() -> None:
    change = only(planned(running(WEB), WEB, DB))
    assert (change.name, change.action) == ("db", PlanAction.CREATE)
    assert change.why == "it is new to the fleet"
    assert change.fields == ()


def test_one_whose_name_runs_at_the_platform_already_says_so() -> None:
    story = running(WEB, DB)
    gone = FleetSpec(name="demo", containers=(WEB,))
    story.asked(Apply(spec=gone, prune=Prune.FORGET))
    change = only(planned(story, WEB, DB))
    assert change.action is PlanAction.CREATE
    assert "an orphan of its name, which is ended for it" in change.why


def test_another_policy_is_an_update_in_place() -> None:
    policy = attrs.evolve(WEB.restart, max_restarts=3)
    change = only(planned(running(WEB), attrs.evolve(WEB, restart=policy)))
    assert change.action is PlanAction.UPDATE
    ((path, before, after),) = [(f.path, f.before, f.after) for f in change.fields]
    assert (path, before, after) == ("restart.max_restarts", "null", "3")


def test_another_environment_is_a_restart() -> None:
    change = only(planned(running(WEB), attrs.evolve(WEB, image="app:2")))
    assert change.action is PlanAction.RESTART
    assert [field.path for field in change.fields] == ["image"]


def test_one_that_waits_for_its_start_takes_the_new_spec_with_it() -> None:
    slow = attrs.evolve(SETTINGS, max_concurrent_starts=1)
    story = Story(WEB, DB, settings=slow)
    late = "web" if story.container("web").run == 0 else "db"
    old = WEB if late == "web" else DB
    other = DB if late == "web" else WEB
    new = attrs.evolve(old, image="app:2")
    change = only(planned(story, new, other, settings=slow))
    assert (change.name, change.action) == (late, PlanAction.UPDATE)


def test_one_that_only_gets_its_start_by_and_by_is_not_named() -> None:
    slow = attrs.evolve(SETTINGS, max_concurrent_starts=1)
    story = Story(WEB, DB, settings=slow)
    fast = attrs.evolve(SETTINGS, max_concurrent_starts=2)
    found = planned(story, WEB, DB, settings=fast)
    assert found.changes == ()
    assert not found.is_empty
    assert [field.path for field in found.settings] == ["max_concurrent_starts"]


def test_what_was_stopped_by_request_stays_so_until_its_spec_changes() -> None:
    story = running(WEB).asked(Stop(name="web"))
    assert planned(story, WEB).is_empty
    change = only(planned(story, attrs.evolve(WEB, image="app:2")))
    assert change.action is PlanAction.START
    assert change.why.startswith("it was stopped by request")


def test_what_has_failed_begins_anew_under_another_spec() -> None:
    never = attrs.evolve(WEB, restart=RestartPolicy(when=When.NEVER))
    story = running(never).ended(Exited(code=1))
    change = only(planned(story, WEB))
    assert change.action is PlanAction.START
    assert change.why == "it was failed, and begins anew"


def test_what_left_and_is_declared_again_starts() -> None:
    story = running(WEB, DB).asked(Story.apply(WEB))
    change = only(planned(story, WEB, DB))
    assert change.action is PlanAction.START
    assert change.why.startswith("it was about to leave the fleet")


def test_what_was_to_leave_behind_others_and_is_declared_again_goes_on() -> None:
    needs = Table.of([("db", Condition.READY)])
    story = running(DB, attrs.evolve(WEB, depends_on=needs))
    story.asked(Story.apply())
    found = planned(story, DB, WEB)
    actions = {change.name: change.action for change in found.changes}
    assert actions == {"db": PlanAction.UPDATE, "web": PlanAction.START}


def test_one_that_leaves_already_is_not_stopped_again() -> None:
    story = running(WEB, DB).asked(Story.apply(WEB))
    assert planned(story, WEB).is_empty


def test_what_has_left_the_file_follows_the_choice() -> None:
    story = running(WEB, DB)
    found = {prune: only(planned(story, WEB, prune=prune)) for prune in Prune}
    assert {prune: change.action.value for prune, change in found.items()} == {
        Prune.STOP: "stop",
        Prune.KEEP: "keep",
        Prune.FORGET: "forget",
    }
    assert found[Prune.KEEP].fields[0].path == "origin"
    assert found[Prune.FORGET].why.endswith("it goes on, left alone")
    assert only(planned(story, WEB)).action is PlanAction.STOP


def test_the_choice_of_one_apply_stands_in_its_event_and_holds_once() -> None:
    story = running(WEB, DB)
    one = FleetSpec(name="demo", containers=(WEB,))
    story.asked(Apply(spec=one, prune=Prune.KEEP))
    assert story.container("db").origin is Origin.AD_HOC
    assert story.fleet.settings.prune is Prune.STOP
    story.asked(Apply(spec=FleetSpec(name="demo")))
    assert story.container("web").leaving


def test_what_rests_is_forgotten_at_once() -> None:
    story = Story(WEB, DB).asked(Stop(name="db")).ready("web")
    story.ended(Exited(code=0), "db")
    change = only(planned(story, WEB))
    assert change.action is PlanAction.FORGET
    assert change.why.endswith("it is at rest")


def test_an_ad_hoc_container_that_is_declared_is_updated() -> None:
    story = running(WEB)
    story.asked(Start(name="db", spec=DB)).ready("db")
    change = only(planned(story, WEB, DB))
    assert change.action is PlanAction.UPDATE
    assert [field.path for field in change.fields] == ["origin"]


def test_who_was_held_back_by_a_member_that_leaves_starts() -> None:
    def member(name: str, position: int, policy: RestartPolicy) -> ContainerSpec:
        place = Membership(
            group="all", strategy=GroupStrategy.ONE_FOR_ALL, position=position
        )
        return attrs.evolve(spec(name), group=place, restart=policy)

    never = member("a", 0, RestartPolicy(when=When.NEVER))
    other = member("b", 1, RestartPolicy())
    story = running(never, other).ended(Exited(code=1), "a")
    story.ended(Exited(code=0), "b")
    found = planned(story, other)
    actions = {change.name: change.action for change in found.changes}
    assert actions == {"a": PlanAction.FORGET, "b": PlanAction.START}


def served(replicas: int, image: str = "app:1") -> FleetSpec:
    """Return a fleet with one service."""
    service = Service(template=spec("api", image=image), replicas=replicas)
    members = tuple(replica_of(service, index) for index in range(replicas))
    return FleetSpec(name="demo", containers=members, services=(service,))


def fields(story: Story, fleet: FleetSpec) -> list[tuple[str, str | None, str | None]]:
    """Return what a plan says of the fleet as a whole."""
    found = plan(story.fleet, Apply(spec=fleet), story.fleet.at, masks=BARE).unwrap()
    return [(field.path, field.before, field.after) for field in found.settings]


def test_the_numbers_of_services_are_told() -> None:
    story = Story()
    assert fields(story, served(1)) == [("services.api.replicas", None, "1")]
    story.asked(Apply(spec=served(1)))
    assert fields(story, served(2)) == [("services.api.replicas", "1", "2")]
    assert fields(story, served(1, "app:2")) == []
    nothing = FleetSpec(name="demo")
    assert fields(story, nothing) == [("services.api.replicas", "1", None)]


def test_a_file_that_catches_up_with_a_scale_changes_its_own_number_alone() -> None:
    story = Story().asked(Apply(spec=served(1)))
    story.asked(Scale(service="api", replicas=2))
    found = plan(story.fleet, Apply(spec=served(2)), 0, masks=BARE).unwrap()
    assert found.changes == ()
    assert fields(story, served(2)) == [("services.api.declared", "1", "2")]


def test_what_the_replicas_of_an_empty_service_would_be_is_told() -> None:
    story = Story().asked(Apply(spec=served(0)))
    image = ("services.api.template.image", '"app:1"', '"app:2"')
    assert fields(story, served(0, "app:2")) == [image]


def test_what_would_be_refused_is_refused() -> None:
    story = running(WEB)
    fleet = FleetSpec(name="demo", containers=(WEB,))
    behind = Apply(spec=fleet, expect_revision=7)
    refused = plan(story.fleet, behind, story.fleet.at, masks=BARE)
    assert refused.failure() == RevisionConflict(expected=7, found=1)
    other = Apply(spec=attrs.evolve(fleet, name="other"))
    refused = plan(story.fleet, other, story.fleet.at, masks=BARE)
    assert isinstance(refused.failure(), InvalidSpec)


def test_a_plan_changes_nothing_and_is_shown_through_masks() -> None:
    story = running(attrs.evolve(WEB, image="old"))
    before = story.fleet
    masks = attrs.evolve(
        BARE,
        spec=lambda one: attrs.evolve(one, image="***"),
        settings=lambda one: attrs.evolve(one, container_name_env_key="HIDDEN"),
    )
    settings = attrs.evolve(SETTINGS, container_name_env_key="SECRET_KEY")
    fleet = FleetSpec(
        name="demo", settings=settings, containers=(attrs.evolve(WEB, image="new"),)
    )
    found = plan(before, Apply(spec=fleet), before.at, masks=masks).unwrap()
    (field,) = only(found).fields
    assert (field.path, field.before, field.after) == ("image", '"***"', '"***"')
    assert found.settings[0].after == '"HIDDEN"'
    assert story.fleet is before
