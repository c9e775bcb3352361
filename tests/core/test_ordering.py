"""Who waits for whom at the start, who is called back, who is woken, who stops last."""

from __future__ import annotations

import attrs
import pytest

from orchestrator.core.circumstances import LOOKED_AT, is_stuck
from orchestrator.core.commands import ForgetContainer, StartContainer, StopContainer
from orchestrator.core.dependencies import Awaited, Condition
from orchestrator.core.errors import InvalidSpec
from orchestrator.core.events import (
    Booted,
    CommandKind,
    ContainerErrored,
    ContainerObserved,
    Declaration,
    FleetObserved,
    SpecApplied,
)
from orchestrator.core.exits import Exited, Slept
from orchestrator.core.explain import container_info, next_start_at, why
from orchestrator.core.fleet_specs import FleetSettings, FleetSpec
from orchestrator.core.groups import GroupStrategy, Membership
from orchestrator.core.observations import SeenAbsent
from orchestrator.core.origins import Origin, Prune
from orchestrator.core.phases import Pending, Rule, Running, Starting, Stopping
from orchestrator.core.policies import CrashLimit, OnLoop, When
from orchestrator.core.requests import Adopt, Apply, Remove, Restart, Start, Stop
from orchestrator.core.service_events import AdoptRequested
from orchestrator.core.services import Service
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import empty_fleet
from orchestrator.core.table import Table

from .examples import NO_JITTER, SETTINGS, Story, spec
from .test_dependencies import on

NEVER = attrs.evolve(NO_JITTER, when=When.NEVER)
HOLDS = attrs.evolve(
    NO_JITTER, crash=CrashLimit(allowed_crashes=0, on_loop=OnLoop.HOLD)
)
CHAIN = (
    spec("api", depends_on=on(db="ready")),
    spec("db"),
    spec("web", depends_on=on(api="ready")),
)


def waits_for(story: Story, name: str) -> str:
    phase = story.container(name).phase
    return phase.waits_for if isinstance(phase, Pending) else "nobody"


def told(story: Story, name: str = "web") -> str:
    now = story.fleet.at
    return container_info(story.fleet, story.container(name), now).why


def starts(story: Story) -> list[str]:
    return [each.name for each in story.orders() if isinstance(each, StartContainer)]


def stops(story: Story) -> list[str]:
    return [each.name for each in story.orders() if isinstance(each, StopContainer)]


def up(*specs: ContainerSpec, order: tuple[str, ...]) -> Story:
    story = Story(*specs)
    for name in order:
        story.ready(name)
    return story


class TestStarts:
    def test_each_starts_when_those_before_it_are_ready(self) -> None:
        story = Story(*CHAIN)
        assert starts(story) == ["db"]
        assert (waits_for(story, "api"), waits_for(story, "web")) == ("db", "api")
        assert starts(story.started("db")) == []
        assert starts(story.ready("db")) == ["api"]
        assert starts(story.ready("api")) == ["web"]

    def test_started_is_less_than_ready(self) -> None:
        story = Story(spec("db"), spec(depends_on=on(db="started")))
        assert starts(story.started("db")) == ["web"]

    def test_completed_is_what_the_policy_says(self) -> None:
        story = Story(spec("job"), spec(depends_on=on(job="completed"))).ready("job")
        assert waits_for(story, "web") == "job"
        assert starts(story.ended(Exited(code=0), "job")) == ["web"]

    def test_who_is_done_has_started(self) -> None:
        story = Story(spec("job")).ready("job").ended(Exited(code=0), "job")
        asked = spec(depends_on=on(job="started"))
        assert starts(story.asked(Start(name="web", spec=asked))) == ["web"]

    def test_all_members_of_a_service_must_be_as_asked(self) -> None:
        crew = [spec(f"db-{n}", service="db", replica=n) for n in range(2)]
        story = Story(*crew, spec(depends_on=on(db="ready"))).ready("db-1")
        assert told(story).endswith("; db-0 is starting")
        assert starts(story.ready("db-0")) == ["web"]

    def test_members_that_shall_not_run_do_not_count(self) -> None:
        crew = [spec(f"db-{n}", service="db", replica=n) for n in range(2)]
        story = Story(*crew, spec(depends_on=on(db="ready"))).ready("db-1")
        assert starts(story.asked(Stop(name="db-0"))) == ["web"]

    def test_who_waits_keeps_its_place_in_the_queue(self) -> None:
        story = Story(spec("db"), spec(depends_on=on(db="ready")))
        story.ready("db", at=5_000)
        begun = Story(spec("db"), spec(depends_on=on(db="ready")))
        assert begun.container().phase == Pending(
            since=0, rule=Rule.DECLARED, waits_for="db"
        )
        assert isinstance(story.container().phase, Starting)

    def test_it_waits_for_one_after_the_other(self) -> None:
        story = Story(spec("a"), spec("b"), spec(depends_on=on(a="ready", b="ready")))
        assert waits_for(story, "web") == "a"
        story.ready("a")
        assert waits_for(story, "web") == "b"
        assert starts(story.ready("b")) == ["web"]

    def test_who_waits_takes_no_slot_from_others(self) -> None:
        settings = FleetSettings(max_concurrent_starts=1)
        story = Story(
            spec("a", depends_on=on(z="ready")), spec("b"), spec("z"), settings=settings
        )
        assert isinstance(story.container("b").phase, Starting)
        assert waits_for(story, "z") == "", "it waits for a slot"
        assert starts(story.started("b")) == ["z"]
        assert starts(story.ready("z")) == ["a"]

    def test_one_in_the_queue_is_asked_again_when_its_turn_comes(self) -> None:
        settings = FleetSettings(max_concurrent_starts=1)
        story = Story(
            spec("db"),
            spec(depends_on=on(db="ready")),
            spec("other"),
            settings=settings,
        )
        assert starts(story.started("db")) == ["other"], "it was in the queue before"
        story.ready("db").ended(Exited(code=1), "db")
        assert starts(story.started("other")) == []
        assert waits_for(story, "web") == "db"

    def test_a_dependency_that_goes_down_later_concerns_nobody_who_runs(self) -> None:
        story = up(*CHAIN, order=("db", "api", "web")).ended(Exited(code=1), "db")
        assert isinstance(story.container("api").phase, Running)
        assert stops(story) == []

    def test_a_restart_meanwhile_waits(self) -> None:
        story = up(*CHAIN, order=("db", "api", "web")).ended(Exited(code=1), "db")
        story.asked(Restart(name="api"))
        assert stops(story) == ["api"]
        story.ended(Exited(code=0), "api")
        assert waits_for(story, "api") == "db"

    def test_force_forgives_failures_and_no_dependency(self) -> None:
        story = Story(*CHAIN).asked(Start(name="web", force=True))
        assert waits_for(story, "web") == "api"

    def test_another_spec_without_it_starts_at_once(self) -> None:
        story = Story(spec("db"), spec(depends_on=on(db="ready")))
        assert starts(story.asked(Story.apply(spec("db"), spec()))) == ["web"]
        assert story.fleet.awaited.get("db") is None

    def test_who_waits_and_is_stopped_rests(self) -> None:
        story = Story(*CHAIN).asked(Stop(name="web"))
        assert told(story) == "stopped by owner"
        assert starts(story.ready("db").ready("api")) == []

    def test_an_operator_that_comes_back_goes_on_waiting(self) -> None:
        story = Story(*CHAIN)
        story.happens(Booted(at=9, epoch=2, rules=2, fences=True))
        assert starts(story.ready("db", at=10)) == [], "nothing before the first look"
        assert starts(story.happens(FleetObserved(at=11, complete=True))) == ["api"]

    def test_one_out_of_sight_is_not_known_to_be_ready(self) -> None:
        story = Story(spec("db")).ready("db")
        lost = ContainerErrored(at=1, name="db", run=1, cause="cut off")
        asked = spec(depends_on=on(db="ready"))
        story.happens(lost).asked(Start(name="web", spec=asked))
        assert told(story).endswith("; db is unknown")

    def test_groups_and_dependencies_go_together(self) -> None:
        strategy = GroupStrategy.ONE_FOR_ALL
        places = [
            Membership(group="g", strategy=strategy, position=place) for place in (0, 1)
        ]
        story = up(
            spec("db", group=places[0]),
            spec(depends_on=on(db="ready"), group=places[1]),
            order=("db", "web"),
        )
        story.ended(Exited(code=1), "db", at=9).ended(Exited(code=0), at=9)
        assert "together with its group" in told(story)
        story.time(1_109).time(1_109, "db")
        assert (starts(story), waits_for(story, "web")) == (["db"], "db")
        assert starts(story.ready("db")) == ["web"]


class TestSleepers:
    SLEEPY = spec("db", keep_alive=False)

    def test_one_asleep_is_woken_by_who_waits_for_it(self) -> None:
        story = Story(self.SLEEPY).ready("db").ended(Slept(), "db")
        assert starts(story) == []
        asked = spec(depends_on=on(db="ready"))
        assert starts(story.asked(Start(name="web", spec=asked))) == ["db"]
        assert starts(story.ready("db")) == ["web"]

    def test_one_that_falls_asleep_while_others_wait_is_woken(self) -> None:
        crew = [spec(f"db-{n}", service="db", keep_alive=False) for n in range(2)]
        story = Story(*crew, spec(depends_on=on(db="ready"))).ready("db-0")
        story.ended(Slept(), "db-0")
        assert starts(story) == ["db-0"]

    def test_one_asleep_that_nobody_waits_for_sleeps(self) -> None:
        sleepy = (self.SLEEPY, spec(depends_on=on(db="ready")))
        story = up(*sleepy, order=("db", "web")).ended(Slept(), "db")
        assert starts(story) == []
        story.asked(Restart(name="web"))
        assert starts(story.ended(Exited(code=0))) == ["db"]
        assert waits_for(story, "web") == "db"


class TestWords:
    def test_it_says_for_whom_it_waits_and_why(self) -> None:
        story = Story(*CHAIN)
        assert told(story, "api") == (
            "waits for db to be ready: it was declared; db is starting"
        )
        assert told(story) == (
            "waits for api to be ready: it was declared; api waits for db itself"
        )
        assert next_start_at(story.container()) is None

    @pytest.mark.parametrize(
        ("policy", "state"), [(NEVER, "has failed"), (HOLDS, "is crash-looping")]
    )
    def test_it_says_that_it_will_never_start(self, policy: object, state: str) -> None:
        db = spec("db", restart=policy)
        story = Story(db, spec(depends_on=on(db="ready"))).ready("db")
        again = Story(db, spec(depends_on=on(db="completed"))).ready("db")
        again.ended(Exited(code=1), "db")
        assert told(again).endswith(
            f"db {state}, and stays so: it will not start until that one is started"
            " with force, or has another spec"
        )
        assert starts(story) == ["web"]

    def test_who_is_done_will_not_be_ready(self) -> None:
        story = Story(spec("job"), spec(depends_on=on(job="ready"))).started("job")
        story.ended(Exited(code=0), "job")
        assert "job has completed, and is not ready any more" in told(story)

    @pytest.mark.parametrize(
        ("condition", "words"),
        [
            ("ready", "to be ready: it was declared; db runs, and is not ready"),
            ("completed", "to complete: it was declared; db runs, and is not done yet"),
        ],
    )
    def test_one_that_runs_is_not_yet_what_it_must_be(
        self, condition: str, words: str
    ) -> None:
        story = Story(spec("db"), spec(depends_on=on(db=condition))).started("db")
        assert told(story) == f"waits for db {words}"

    def test_one_that_is_tried_again_is_waited_for(self) -> None:
        story = Story(spec("db"), spec(depends_on=on(db="started")))
        story.started("db")
        other = Story(spec("db"), spec(depends_on=on(db="ready"))).started("db")
        other.ended(Exited(code=1), "db")
        assert told(other).endswith("; db is backing off, and is tried again")

    def test_one_whose_owner_has_stopped_it_is_waited_for(self) -> None:
        story = Story(spec("db"), spec(depends_on=on(db="ready")))
        story.asked(Stop(name="db"))
        assert told(story).endswith(
            "; db is stopped: it waits until its owner starts it"
        )
        story.ended(Exited(code=0), "db").asked(Start(name="db"))
        assert starts(story.ready("db")) == ["web"]

    def test_many_that_are_missing_are_counted(self) -> None:
        crew = [spec(f"db-{n}", service="db", replica=n) for n in range(3)]
        story = Story(*crew, spec(depends_on=on(db="started")))
        assert told(story).endswith("; db-0 (and 2 more) is starting")

    def test_one_that_was_removed_is_waited_for(self) -> None:
        story = Story().asked(Start(name="db", command=("run",)))
        asked = spec(depends_on=on(db="ready"))
        story.asked(Start(name="web", spec=asked)).asked(Stop(name="db"))
        story.ended(Exited(code=0), "db").asked(Remove(name="db"))
        assert told(story).endswith(
            "; there is no container of db: it waits until there is one"
        )
        story.asked(Start(name="db", command=("run",)))
        assert starts(story.ready("db")) == ["web"]

    def test_one_whose_spec_leaves_the_file_is_waited_for(self) -> None:
        story = Story(spec("db"))
        story.asked(Start(name="web", spec=spec(depends_on=on(db="ready"))))
        story.asked(Story.apply()).ended(Exited(code=0), "db")
        assert "there is no container of db" in told(story)

    def test_a_record_that_contradicts_itself_can_be_told(self) -> None:
        story = Story(*CHAIN)
        odd = attrs.evolve(
            story.container(), phase=Pending(since=0, rule=Rule.DECLARED, waits_for="x")
        )
        assert why(odd, 0) == "waits for x: it was declared"
        assert "no container of x" in container_info(story.fleet, odd, 0).why
        entry = Awaited(members=1, wanted=1)
        healed = attrs.evolve(
            story.fleet, awaited=story.fleet.awaited.put("api", entry)
        )
        soon = container_info(healed, story.container(), 0).why
        assert soon.endswith("; it is about to go on")


def stuck(story: Story, name: str = "web") -> bool:
    container = story.container(name)
    is_so = is_stuck(story.fleet, container)
    assert container_info(story.fleet, container, 0).stuck is is_so
    return is_so


class TestStuck:
    @pytest.mark.parametrize("policy", [NEVER, HOLDS])
    @pytest.mark.parametrize("condition", ["started", "ready", "completed"])
    def test_one_that_waits_for_what_has_failed_is_stuck(
        self, policy: object, condition: str
    ) -> None:
        db = spec("db", restart=policy)
        story = Story(db, spec(depends_on=on(db=condition)))
        assert not stuck(story)
        story.started("db").ended(Exited(code=1), "db")
        if condition != "started":
            assert stuck(story)
            assert not stuck(story, "db"), "it waits for nobody"
            story.asked(Start(name="db", force=True))
        assert not stuck(story)

    def test_one_that_waits_for_what_is_done_to_be_ready_is_stuck(self) -> None:
        story = Story(spec("job"), spec(depends_on=on(job="ready"))).started("job")
        assert stuck(story.ended(Exited(code=0), "job"))

    def test_one_that_waits_for_what_is_tried_again_is_not(self) -> None:
        story = Story(spec("db"), spec(depends_on=on(db="ready"))).started("db")
        assert not stuck(story.ended(Exited(code=1), "db"))
        assert story.phase("db") == "BackingOff"
        rests = attrs.evolve(NO_JITTER, crash=CrashLimit(allowed_crashes=0))
        held = Story(spec("db", rests), spec(depends_on=on(db="ready"))).started("db")
        assert not stuck(held.ended(Exited(code=1), "db"))
        assert held.phase("db") == "CrashLooping"

    def test_one_that_waits_for_what_is_stopped_or_gone_is_stuck(self) -> None:
        story = Story().asked(Start(name="db", command=("run",)))
        story.asked(Start(name="web", spec=spec(depends_on=on(db="ready"))))
        assert stuck(story.asked(Stop(name="db")))
        assert stuck(story.ended(Exited(code=0), "db").asked(Remove(name="db")))
        assert not stuck(story.asked(Start(name="db", command=("run",))))

    def test_a_member_that_has_failed_is_found_among_others(self) -> None:
        crew = [spec(f"db-{n}", NEVER, service="db", replica=n) for n in range(3)]
        story = Story(*crew, spec(depends_on=on(db="ready"))).ready("db-0")
        assert not stuck(story)
        assert stuck(story.started("db-2").ended(Exited(code=1), "db-2"))

    def test_who_waits_for_one_that_is_stuck_is_stuck_too(self) -> None:
        needs = on(db="ready")
        crew = [
            spec(f"api-{n}", service="api", replica=n, depends_on=needs)
            for n in range(2)
        ]
        story = Story(spec("db", NEVER), *crew, spec(depends_on=on(api="ready")))
        assert not stuck(story)
        assert stuck(story.started("db").ended(Exited(code=1), "db"))

    def test_the_end_of_a_chain_without_end_is_not_looked_for(self) -> None:
        chain = [
            spec(f"s{n}", NEVER, depends_on=on(**({f"s{n - 1}": "ready"} if n else {})))
            for n in range(LOOKED_AT + 2)
        ]
        story = Story(*chain).started("s0").ended(Exited(code=1), "s0")
        assert stuck(story, f"s{LOOKED_AT}")
        assert not stuck(story, f"s{LOOKED_AT + 1}")


class TestStops:
    def test_dependents_stop_first(self) -> None:
        story = up(*CHAIN, order=("db", "api", "web")).asked(Story.apply())
        assert stops(story) == ["web"]
        assert told(story, "db") == (
            "is to stop, and runs on until those that depend on it have stopped;"
            " api still lives"
        )
        story.ended(Exited(code=0), "web")
        assert stops(story) == ["api"]
        story.ended(Exited(code=0), "api")
        assert stops(story) == ["db"]
        story.ended(Exited(code=0), "db")
        assert len(story.fleet.containers) == 0
        assert len(story.fleet.awaited) == 0
        assert [type(each) for each in story.orders()] == [ForgetContainer]

    def test_who_depends_on_nobody_that_leaves_stops_at_once(self) -> None:
        story = up(*CHAIN, order=("db", "api", "web"))
        story.asked(Story.apply(spec("db")))
        assert stops(story) == ["web"]
        assert story.container("db").stops_after == ""

    def test_one_that_waits_or_rests_holds_nobody_up(self) -> None:
        story = Story(*CHAIN).ready("db").asked(Story.apply())
        assert stops(story) == ["api"]
        assert list(story.fleet.containers) == ["api", "db"]

    def test_one_that_is_stopping_already_is_waited_for(self) -> None:
        story = up(*CHAIN, order=("db", "api", "web")).asked(Stop(name="api"))
        story.ended(Exited(code=0), "web").asked(Story.apply())
        assert stops(story) == []
        assert story.container("db").stops_after == "api"
        assert stops(story.ended(Exited(code=0), "api")) == ["db"]

    def test_it_says_for_whom_it_runs_on_as_that_changes(self) -> None:
        story = up(
            spec("db"),
            spec("a", depends_on=on(db="ready")),
            spec("b", depends_on=on(db="ready")),
            order=("db", "a", "b"),
        ).asked(Story.apply())
        assert (stops(story), story.container("db").stops_after) == (["a", "b"], "a")
        story.ended(Exited(code=0), "a")
        assert told(story, "db").endswith("; b still lives")
        odd = attrs.evolve(story.fleet, awaited=empty_fleet("demo").awaited)
        assert container_info(odd, story.container("db"), 0).why.endswith("stopped")
        assert stops(story.ended(Exited(code=0), "b")) == ["db"]

    def test_all_members_of_both_sides_are_counted(self) -> None:
        story = up(
            *(spec(f"db-{n}", service="db") for n in range(2)),
            *(spec(f"w-{n}", service="w", depends_on=on(db="ready")) for n in range(2)),
            order=("db-0", "db-1", "w-0", "w-1"),
        ).asked(Story.apply())
        assert stops(story) == ["w-0", "w-1"]
        assert stops(story.ended(Exited(code=0), "w-0")) == []
        assert stops(story.ended(Exited(code=0), "w-1")) == ["db-0", "db-1"]

    def test_a_single_stop_is_now(self) -> None:
        story = up(*CHAIN, order=("db", "api", "web"))
        assert stops(story.asked(Stop(name="db"))) == ["db"]

    def test_a_stop_by_request_ends_one_that_is_held(self) -> None:
        story = up(*CHAIN, order=("db", "api", "web")).asked(Story.apply())
        assert stops(story.asked(Stop(name="db"))) == ["db"]
        assert story.container("db").stops_after == ""

    def test_one_that_is_held_may_end_by_itself(self) -> None:
        story = up(*CHAIN, order=("db", "api", "web")).asked(Story.apply())
        story.ended(Exited(code=1), "db")
        assert list(story.fleet.containers) == ["api", "web"]

    def test_one_that_vanishes_lets_the_next_one_stop(self) -> None:
        story = up(*CHAIN, order=("db", "api", "web")).asked(Story.apply())
        gone = ContainerObserved(at=9, name="web", run=1, sight=SeenAbsent())
        assert stops(story.happens(gone)) == ["api"]

    def test_one_that_is_held_can_be_had_back(self) -> None:
        story = up(*CHAIN, order=("db", "api", "web")).asked(Story.apply())
        story.asked(Start(name="db"))
        assert story.container("db").stops_after == ""
        assert not story.container("db").leaving
        story.ended(Exited(code=0), "web").ended(Exited(code=0), "api")
        assert stops(story) == []

    def test_a_file_takes_it_back_too(self) -> None:
        story = up(*CHAIN, order=("db", "api", "web")).asked(Story.apply())
        story.asked(Story.apply(spec("db")))
        assert story.container("db").desired.running
        assert story.container("db").stops_after == ""
        story.ended(Exited(code=0), "web").ended(Exited(code=0), "api")
        assert isinstance(story.container("db").phase, Running)

    def test_who_leaves_by_another_door_is_not_waited_for(self) -> None:
        story = up(*CHAIN, order=("db", "api", "web"))
        settings = FleetSettings(prune=Prune.FORGET)
        story.asked(Story.apply(spec("db"), settings=settings))
        assert list(story.fleet.containers) == ["db"]
        assert stops(story.asked(Story.apply())) == ["db"]

    def test_in_a_circle_all_stop_at_once(self) -> None:
        """No spec says so that was admitted; a journal might."""
        round_ = (
            spec("a", depends_on=on(b="started")),
            spec("b", depends_on=on(a="started")),
        )
        story = up(spec("a"), spec("b"), order=("a", "b"))
        applied = SpecApplied(
            at=0,
            fleet="demo",
            settings=SETTINGS,
            declarations=tuple(Declaration(spec=each, salt=1) for each in round_),
        )
        story.happens(applied)
        assert stops(story.asked(Story.apply())) == ["a", "b"]

    def test_one_that_was_held_before_is_let_go_of_a_circle(self) -> None:
        story = up(spec("a"), spec("b"), spec("c"), order=("a", "b", "c"))
        specs = (
            spec("a", depends_on=on(b="started")),
            spec("b", depends_on=on(a="started")),
            spec("c", depends_on=on(a="started")),
        )
        for declared in (specs, specs[1:2], ()):
            story.happens(
                SpecApplied(
                    at=0,
                    fleet="demo",
                    settings=SETTINGS,
                    declarations=tuple(Declaration(spec=s, salt=1) for s in declared),
                )
            )
        assert stops(story) == ["a", "b"]


def orphaned() -> tuple[Story, FleetSpec]:
    """Begin with an orphan whose spec, once adopted, would depend on itself."""
    template = spec("any", depends_on=on(db="ready"))
    file = FleetSpec(
        name="demo",
        settings=FleetSettings(ad_hoc=template),
        services=(Service(template=spec("db"), replicas=0),),
    )
    story = Story().asked(Apply(spec=file))
    seen = Table.of([("db", 3)])
    return story.happens(FleetObserved(at=0, complete=True, strangers=seen)), file


class TestRequests:
    def test_a_start_that_depends_on_nobody_known_is_refused(self) -> None:
        story = Story(spec("db"))
        asked = spec(depends_on=on(dbb="ready"))
        refused = story.refused(Start(name="web", spec=asked))
        assert refused.message == (
            "web.depends_on.dbb: expected a service of this fleet, found 'dbb';"
            ' did you mean "db"?'
        )

    def test_there_is_not_always_a_name_to_suggest(self) -> None:
        refused = Story().refused(
            Start(name="web", spec=spec(depends_on=on(queue="ready")))
        )
        assert isinstance(refused, InvalidSpec)
        assert refused.problems[0].hint == ""

    def test_a_service_without_replicas_is_one_to_wait_for(self) -> None:
        crew = Service(template=spec("crew"), replicas=0)
        story = Story().asked(Apply(spec=FleetSpec(name="demo", services=(crew,))))
        story.asked(Start(name="web", spec=spec(depends_on=on(crew="ready"))))
        assert "there is no container of crew" in told(story)
        typo = story.refused(
            Start(name="x", spec=spec("x", depends_on=on(crw="ready")))
        )
        assert 'did you mean "crew"?' in typo.message

    def test_nobody_depends_on_itself(self) -> None:
        refused = Story().refused(
            Start(name="web", spec=spec(depends_on=on(web="ready")))
        )
        assert "found web -> web" in refused.message

    def test_a_start_that_closes_a_circle_is_refused(self) -> None:
        story = Story().asked(Start(name="a", spec=spec("a")))
        story.asked(Start(name="b", spec=spec("b", depends_on=on(a="ready"))))
        asked = spec("a", depends_on=on(b="ready"))
        refused = story.refused(Start(name="a", spec=asked))
        assert refused.message == (
            "a.depends_on: expected dependencies without a circle, found a -> b -> a"
        )

    def test_a_start_beside_others_closes_none(self) -> None:
        story = Story().asked(Start(name="a", spec=spec("a")))
        story.asked(Start(name="b", spec=spec("b", depends_on=on(a="ready"))))
        more = spec("c", service="a", depends_on=on(d="started"))
        story.asked(Start(name="d", spec=spec("d")))
        assert starts(story.asked(Start(name="c", spec=more))) == []
        assert waits_for(story, "c") == "d"

    def test_a_start_with_the_spec_it_has_is_not_asked_again(self) -> None:
        story = Story().asked(Start(name="db", command=("run",)))
        story.asked(Start(name="web", spec=spec(depends_on=on(db="ready"))))
        story.asked(Stop(name="db")).ended(Exited(code=0), "db")
        story.asked(Remove(name="db")).asked(Stop(name="web")).asked(Start(name="web"))
        assert waits_for(story, "web") == "db"

    def test_a_file_that_closes_a_circle_with_others_is_refused(self) -> None:
        story = Story(spec("web"))
        other = spec("x", service="db", depends_on=on(web="ready"))
        story.asked(Start(name="x", spec=other))
        file = (spec("web", depends_on=on(db="ready")), spec("db"))
        refused = story.refused(Story.apply(*file))
        assert "found web -> db -> web" in refused.message
        story.asked(Start(name="x", spec=attrs.evolve(other, depends_on=on())))
        assert stops(story.asked(Story.apply(*file))) == []

    def test_a_service_without_replicas_closes_a_circle_too(self) -> None:
        crew = Service(template=spec("crew", depends_on=on(web="ready")), replicas=0)
        file = FleetSpec(name="demo", containers=(spec(),), services=(crew,))
        story = Story().asked(Apply(spec=file))
        more = spec("x", service="web", depends_on=on(crew="ready"))
        refused = story.refused(Start(name="x", spec=more))
        assert "found web -> crew -> web" in refused.message

    def test_a_file_of_services_without_replicas_closes_a_circle_too(self) -> None:
        none = Service(template=spec("crew"), replicas=0)
        file = FleetSpec(name="demo", containers=(spec("db"),), services=(none,))
        story = Story().asked(Apply(spec=file))
        more = spec("x", service="db", depends_on=on(crew="ready"))
        story.asked(Start(name="x", spec=more))
        needy = Service(template=spec("crew", depends_on=on(db="ready")), replicas=0)
        closing = attrs.evolve(file, services=(needy,))
        refused = story.refused(Apply(spec=closing))
        assert "found db -> crew -> db" in refused.message
        assert starts(story.asked(Apply(spec=file))) == []

    def test_one_that_is_adopted_does_not_depend_on_itself(self) -> None:
        story, _ = orphaned()
        refused = story.refused(Adopt(name="db"))
        assert "found db -> db" in refused.message

    def test_a_circle_that_a_journal_holds_can_be_taken_down(self) -> None:
        story, file = orphaned()
        template = file.settings.ad_hoc
        assert template is not None
        circle = Declaration(
            spec=attrs.evolve(template, name="db", service="db"), salt=1
        )
        story.happens(
            AdoptRequested(
                at=0, name="db", run=3, declaration=circle, origin=Origin.AD_HOC
            )
        )
        assert "found db -> db" in story.refused(Apply(spec=file)).message
        assert stops(story.asked(Story.apply())) == []
        assert stops(story.asked(Stop(name="db"))) == ["db"]

    def test_what_a_file_prunes_closes_no_circle(self) -> None:
        crew = [
            spec(f"db-{n}", service="db", depends_on=on(web="ready")) for n in range(2)
        ]
        story = Story(spec("web"), *crew)
        turned = (
            spec("web", depends_on=on(db="ready")),
            attrs.evolve(crew[0], depends_on=on()),
        )
        keep = FleetSpec(name="demo", containers=turned)
        refused = story.refused(Apply(spec=keep, prune=Prune.KEEP))
        assert "found web -> db -> web" in refused.message
        story.asked(Apply(spec=keep))
        assert list(story.fleet.containers) == ["db-0", "web"]


def test_a_fleet_without_dependencies_keeps_no_index() -> None:
    story = up(spec("db"), spec(), order=("db", "web")).asked(Story.apply())
    assert stops(story) == ["db", "web"]
    assert story.fleet.awaited == empty_fleet("demo").awaited


def test_a_confirmed_stop_moves_the_next_one() -> None:
    story = up(*CHAIN, order=("db", "api", "web")).asked(Story.apply())
    story.accepted("web", CommandKind.STOP)
    assert isinstance(story.container("web").phase, Stopping)
    assert Condition("ready") is Condition.READY
