"""What a person is told of a container in each phase."""

from __future__ import annotations

import attrs
import pytest

from orchestrator.core import reasons
from orchestrator.core.errors import Unreachable
from orchestrator.core.events import (
    CommandFailed,
    CommandKind,
    ContainerErrored,
    FleetObserved,
)
from orchestrator.core.exits import Exited, Outcome, Signaled, Slept
from orchestrator.core.explain import container_info, explain, why
from orchestrator.core.fleet_specs import FleetSettings
from orchestrator.core.health import CheckKind, HealthCheck, HealthChecks, TcpProbe
from orchestrator.core.phases import Pending, Rule
from orchestrator.core.policies import CrashLimit, never_restart_policy
from orchestrator.core.requests import Stop
from orchestrator.core.table import Table

from .examples import NO_JITTER, Story, spec
from .test_reduce import crashed


def told(story: Story, name: str = "web") -> str:
    return why(story.container(name), story.fleet.at)


def unanswered() -> Story:
    error = Unreachable(cause="cut")
    kind = CommandKind.START
    return Story(spec()).happens(
        CommandFailed(at=0, name="web", run=1, kind=kind, error=error)
    )


def unseen() -> Story:
    story = Story(spec()).accepted().ready()
    return story.happens(ContainerErrored(at=0, name="web", run=1, cause="?"))


def slept() -> Story:
    return Story(spec(keep_alive=False)).accepted().ready().ended(Slept())


@pytest.mark.parametrize(
    ("story", "sentence"),
    [
        (Story(spec()), "a start was commanded"),
        (unanswered(), "a start was commanded 2 times without an answer"),
        (Story(spec()).accepted(), "the platform is starting it"),
        (Story(spec()).accepted().started(), "runs and is not ready yet"),
        (Story(spec()).accepted().ready(), "runs and is ready"),
        (Story(spec()).accepted().ready().ended(), "it failed (exit 1)"),
        (
            Story(spec()).accepted().ready().ended(Exited(code=0)),
            "it ended well; its policy restarts failures only (exit 0)",
        ),
        (
            Story(spec(policy=never_restart_policy())).accepted().ready().ended(),
            "it failed; its policy never restarts (exit 1)",
        ),
        (crashed(4), "it fails too often and cools down (exit 1)"),
        (
            Story(spec()).accepted().ready().asked(Stop(name="web")),
            "is being ended: stopped",
        ),
        (
            crashed(4).asked(Stop(name="web", by="ann", why="upgrade")),
            "stopped by ann: upgrade",
        ),
        (crashed(4).asked(Stop(name="web", by="ann")), "stopped by ann"),
        (unseen(), "cannot be seen since 0s"),
        (slept(), "it was idle; it starts when asked for (slept)"),
    ],
)
def test_each_phase_says_why(story: Story, sentence: str) -> None:
    assert told(story) == sentence


CHECK = HealthCheck(probe=TcpProbe(port="http"))
PATIENT = attrs.evolve(NO_JITTER, crash=CrashLimit(allowed_crashes=9))


def checked(**checks: HealthCheck) -> Story:
    """Return a container whose ports listen and whose checks were not heard yet."""
    ports = Table.of([("http", 80)])
    health = HealthChecks(**checks)
    one = spec(policy=PATIENT, ports=ports, health=health)
    return Story(one).accepted().ready()


def unhealthy(story: Story, times: int) -> Story:
    """Have run after run ended by its liveness check."""
    for number in range(times):
        story.checked(CheckKind.LIVENESS, passing=False).ended(Exited(code=0))
        if number < times - 1:
            story.time(story.fleet.at + 60_000).accepted().ready()
    return story


def test_what_runs_and_is_not_ready_says_for_which_check() -> None:
    story = checked(startup=CHECK, readiness=CHECK)
    not_ready = "runs and is not ready: its "
    assert told(story) == not_ready + "startup check has not passed yet"
    story.checked(CheckKind.STARTUP, passing=True)
    assert told(story) == not_ready + "readiness check has not passed yet"
    story.checked(CheckKind.READINESS, passing=True)
    assert told(story) == "runs and is ready"
    story.checked(CheckKind.READINESS, passing=False)
    assert told(story) == not_ready + "readiness check fails"
    assert not container_info(story.fleet, story.container(), 0).ready


def test_what_waits_for_its_ports_says_no_more_than_that() -> None:
    started = Story(
        spec(
            ports=Table.of([("http", 80)]),
            health=HealthChecks(startup=CHECK),
        )
    )
    assert told(started.accepted().started()) == "runs and is not ready yet"


def test_what_hangs_again_and_again_is_reported() -> None:
    first = unhealthy(checked(liveness=CHECK), 1)
    assert told(first) == "it failed (unhealthy: liveness)"
    second = unhealthy(checked(liveness=CHECK), 2)
    assert told(second) == (
        "it failed (unhealthy: liveness);"
        " it was unhealthy 2 times in a row, and was destroyed"
    )
    third = unhealthy(checked(liveness=CHECK), 3)
    report = (
        "; it was unhealthy 3 times in a row,"
        " although it was destroyed and started anew"
    )
    assert told(third) == "it failed (unhealthy: liveness)" + report
    told_all = explain(third.container(), fences=True, now=third.fleet.at)
    assert (told_all.unhealthy, told_all.start_failures) == (3, 0)
    assert told_all.last_outcome is Outcome.FAILURE
    waiting = attrs.evolve(
        third.container(), phase=Pending(since=0, rule=Rule.FAILURE_BACKOFF)
    )
    assert why(waiting, 0) == f"waits for its turn to start: it failed{report}"


def test_an_explanation_counts_starts_that_failed() -> None:
    story = checked(startup=CHECK)
    story.checked(CheckKind.STARTUP, passing=False)
    assert told(story) == ("is being ended: start failed: its startup check failed")
    story.ended(Exited(code=0))
    told_all = explain(story.container(), fences=True, now=story.fleet.at)
    assert (told_all.unhealthy, told_all.start_failures) == (0, 1)


def test_what_cannot_be_ended_says_how_often_it_was_destroyed() -> None:
    story = checked().asked(Stop(name="web")).accepted(kind=CommandKind.STOP)
    for _ in range(4):
        story.time(story.fleet.at + 60_000)
    assert told(story) == (
        "is being ended: stopped;"
        " destroyed 3 times, and the platform has not confirmed it"
    )


def test_a_policy_judges_the_last_end() -> None:
    lenient = attrs.evolve(NO_JITTER, success_codes=(1,))
    story = Story(spec(policy=lenient)).accepted().ready().ended()
    told_all = explain(story.container(), fences=True, now=0)
    assert told_all.last_outcome is Outcome.CLEAN
    assert explain(Story(spec()).container(), fences=True, now=0).last_outcome is None


def test_what_waits_for_a_slot_says_so() -> None:
    one = FleetSettings(max_concurrent_starts=1)
    story = Story(spec("a"), spec("b"), settings=one)
    assert told(story, "b") == "waits for its turn to start: it was declared"
    info = container_info(story.fleet, story.container("b"), 0)
    assert info.next_start_at == 0
    assert info.last_exit is None


def test_every_rule_has_a_sentence() -> None:
    assert set(reasons._BECAUSE) == set(Rule)


def test_the_info_of_a_running_container() -> None:
    story = crashed(1).accepted().ready(at=5_000)
    info = container_info(story.fleet, story.container(), 6_000)
    assert (info.phase, info.ready, info.run, info.revision) == ("running", True, 2, 1)
    assert (info.restarts, info.crash_count, info.last_exit) == (1, 1, "exit 1")
    assert (info.uptime_ms, info.min_replica_set) == (1_000, True)
    assert info.next_start_at is None
    unknown = unseen()
    assert container_info(unknown.fleet, unknown.container(), 7).uptime_ms == 7


def test_the_info_of_a_waiting_container() -> None:
    story = Story(spec()).accepted().ready().ended(Signaled(signal=9))
    info = container_info(story.fleet, story.container(), 0)
    assert (info.phase, info.next_start_at, info.last_exit) == (
        "backing_off",
        1_000,
        "signal 9",
    )
    assert (info.started_at, info.uptime_ms, info.ready) == (None, None, False)


def test_an_explanation_names_the_rule_and_its_inputs() -> None:
    story = crashed(4)
    told_all = explain(story.container(), fences=True, now=story.fleet.at)
    assert told_all.rule is Rule.CRASH_LOOP_COOLDOWN
    assert (len(told_all.failures), told_all.allowed_crashes) == (4, 3)
    assert told_all.next_change_at is not None
    running = Story(spec()).accepted().ready()
    assert explain(running.container(), fences=True, now=0).rule is None
    stopped = attrs.evolve(running.container())
    assert explain(stopped, fences=True, now=0).desired == "running"


def test_a_stopped_one_explains_who_wanted_it() -> None:
    story = crashed(4).asked(Stop(name="web", by="ann"))
    story.happens(FleetObserved(at=story.fleet.at, complete=True))
    told_all = explain(story.container(), fences=True, now=story.fleet.at)
    assert (told_all.desired, told_all.desired_by) == ("stopped", "ann")
    info = container_info(story.fleet, story.container(), story.fleet.at)
    assert info.desired == "stopped"
