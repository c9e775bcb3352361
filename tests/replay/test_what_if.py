"""What another policy would have done: examples; the laws are in property_tests."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from orchestrator.core.admit import admit
from orchestrator.core.errors import (
    InvalidSpec,
    NoCapacity,
    PolicyNotRegistered,
    StaleRun,
    Unreachable,
)
from orchestrator.core.events import (
    Booted,
    CommandAccepted,
    CommandFailed,
    CommandKind,
    ContainerEnded,
    ContainerObserved,
    ContainerReady,
    ContainerStarted,
    Event,
    FleetObserved,
    HealthChanged,
    ReconcileRequested,
    RestartRequested,
    SpecApplied,
    StopRequested,
    TimeReached,
)
from orchestrator.core.exits import Exited
from orchestrator.core.fingerprints import fingerprint
from orchestrator.core.fleet_specs import FleetSettings
from orchestrator.core.health import CheckKind, HealthCheck, HealthChecks, TcpProbe
from orchestrator.core.observations import SeenAbsent, SeenRunning
from orchestrator.core.phases import Running
from orchestrator.core.policies import (
    CrashLimit,
    CustomPolicyRef,
    RestartPolicy,
    always_restart_policy,
    never_restart_policy,
)
from orchestrator.core.reduce import fold, step_of
from orchestrator.core.requests import (
    Apply,
    ClearCrashHistory,
    Remove,
    Request,
    Restart,
    Start,
    Stop,
)
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import RULES, Fleet
from orchestrator.core.table import Table
from orchestrator.replay.history import NOTHING, Entry
from orchestrator.replay.imagined.assumptions import ALWAYS, Assumption, Supposed
from orchestrator.replay.imagined.beats import Beat
from orchestrator.replay.imagined.hypotheses import FOR_ALL, Hypothesis
from orchestrator.replay.imagined.imagining import Compared, WhatIf, what_if
from tests.replay.golden import GOLDEN, POLICIES
from tests.replay.kit import read_of
from tests.replay.simulated import (
    MINUTE,
    Release,
    fleet_of,
    recorded,
    released,
    spec_of,
)

INCIDENT = GOLDEN.parents[1] / "docs/examples/incident.jsonl.gz"
SECOND = 1_000
FAILS = Exited(code=1)


def for_all(policy: RestartPolicy) -> Hypothesis:
    return Hypothesis(policies=Table.of([(FOR_ALL, policy)]))


def answered(
    entries: list[Entry], hypothesis: Hypothesis, fleet: Fleet = NOTHING
) -> WhatIf:
    return what_if(entries, hypothesis, fleet=fleet).unwrap()


def only(answer: WhatIf) -> Compared:
    (one,) = answer.containers
    return one


def kinds(answer: WhatIf) -> dict[Supposed, int]:
    return {one.kind: one.count for one in answer.assumptions}


def told(*events: Event, fleet: Fleet = NOTHING) -> list[Entry]:
    """Return events as the entries that today's code makes of them."""
    entries: list[Entry] = []
    for seq, event in enumerate(events, 1):
        step = step_of(fleet, event)
        fleet = step.after
        entries.append(Entry(seq=seq, event=event, commands=step.commands, changes=b""))
    return entries


def begun(*specs: ContainerSpec) -> list[Event]:
    """Boot, apply, look: by 30 ms the first run of each is commanded."""
    applied = admit(NOTHING, Apply(spec=fleet_of(*specs)), 10).unwrap()
    return [
        Booted(at=0, epoch=1, rules=RULES, fences=True),
        applied,
        FleetObserved(at=30, complete=True),
    ]


def up(run: int, at: int, name: str = "web") -> list[Event]:
    return [
        CommandAccepted(at=at + 10, name=name, run=run, kind=CommandKind.START),
        ContainerStarted(at=at + 20, name=name, run=run),
        ContainerReady(at=at + 50, name=name, run=run),
    ]


def ended(run: int, at: int, name: str = "web") -> ContainerEnded:
    return ContainerEnded(at=at, name=name, run=run, exit=FAILS)


WEB = spec_of("web")


def a_crash() -> list[Entry]:
    """Run 1 fails after 10 s, run 2 begins a second later and lives."""
    restart = TimeReached(at=11 * SECOND, name="web")
    fleet = fold(NOTHING, [*begun(WEB), *up(1, 30), ended(1, 10 * SECOND)])
    due = getattr(fleet.containers["web"].phase, "until", 0)
    restart = attrs.evolve(restart, at=due)
    return told(
        *begun(WEB),
        *up(1, 30),
        ended(1, 10 * SECOND),
        restart,
        *up(2, due),
        FleetObserved(at=MINUTE, complete=False),
        ReconcileRequested(at=2 * MINUTE),
    )


def test_never_leaves_it_down_from_the_failure_on() -> None:
    web = only(answered(a_crash(), for_all(never_restart_policy())))
    assert web.recorded.totals.restarts == 1
    assert web.imagined.totals.restarts == 0
    assert web.imagined.phase == "failed"
    assert web.imagined.gave_up_at == 10 * SECOND
    assert web.recorded.gave_up_at is None
    assert web.parted is not None
    assert web.parted.seq == 7
    assert web.imagined.totals.down_ms > web.recorded.totals.down_ms + 100 * SECOND


def test_a_crash_that_is_skipped_leaves_the_run_alive() -> None:
    answer = answered(a_crash(), Hypothesis(skip=frozenset({7})))
    web = only(answer)
    assert web.imagined.totals.starts == 1
    assert web.imagined.totals.crashes == 0
    assert web.imagined.phase == "running"
    assert Supposed.ALIVE in kinds(answer)


def test_a_crash_that_is_inserted_ends_the_run_that_is_live_then() -> None:
    crash = ended(0, 5 * SECOND)
    answer = answered(a_crash(), Hypothesis(insert=(crash,)))
    web = only(answer)
    assert web.imagined.totals.crashes == 1  # run 2 has no recorded end
    assert web.imagined.totals.starts == 2
    assert web.imagined.totals.ready_ms == web.recorded.totals.ready_ms
    assert web.parted is not None
    assert web.parted.at == 5 * SECOND


def test_what_is_inserted_and_changes_nothing_is_told() -> None:
    stop = StopRequested(at=5 * SECOND, name="web")
    answer = answered(a_crash(), Hypothesis(insert=(stop, stop)))
    assert only(answer).imagined.phase == "stopped"
    assert kinds(answer)[Supposed.NO_EFFECT] == 1


def test_an_inserted_restart_takes_the_next_recorded_run() -> None:
    asked = RestartRequested(at=5 * SECOND, name="web")
    answer = answered(a_crash(), Hypothesis(insert=(asked,)))
    web = only(answer)
    assert web.imagined.totals.starts == 2
    assert web.imagined.totals.crashes == 0
    assert kinds(answer)[Supposed.TYPICAL_STOP] == 1


def test_more_runs_than_recorded_repeat_how_the_last_one_ended() -> None:
    entries = recorded(fleet_of(spec_of("job")), until=5 * MINUTE)
    answer = answered(entries, for_all(always_restart_policy()))
    job = only(answer)
    assert job.recorded.totals.starts == 1
    repeated = kinds(answer)[Supposed.REPEATED]
    assert job.imagined.totals.starts == repeated + 1 > 10


def test_a_container_that_was_never_started_begins_as_is_typical() -> None:
    steady, job = spec_of("steady"), spec_of("job")
    stop = Stop(name="job")
    entries = recorded(fleet_of(steady, job, limit=1), until=MINUTE, asked=[(0, stop)])
    (asked,) = [one for one in entries if isinstance(one.event, StopRequested)]
    answer = answered(entries, Hypothesis(skip=frozenset({asked.seq})))
    found = {one.name: one for one in answer.containers}
    assert found["job"].recorded.totals.starts == 0
    assert found["job"].imagined.phase == "running"
    assert kinds(answer)[Supposed.NEVER_RECORDED] == 1


def test_a_failure_that_is_skipped_was_accepted_and_goes_as_the_next_run() -> None:
    failed = CommandFailed(
        at=40, name="web", run=1, kind=CommandKind.START, error=NoCapacity()
    )
    fleet = fold(NOTHING, [*begun(WEB), failed])
    due = getattr(fleet.containers["web"].phase, "until", 0)
    entries = told(
        *begun(WEB),
        failed,
        TimeReached(at=due, name="web"),
        *up(2, due),
        ReconcileRequested(at=MINUTE),
    )
    answer = answered(entries, Hypothesis(skip=frozenset({4})))
    web = only(answer)
    assert web.recorded.totals.starts == 2
    assert web.imagined.totals.starts == 1
    assert web.imagined.phase == "running"
    assert web.imagined.totals.down_ms < web.recorded.totals.down_ms


def test_a_skipped_failure_after_which_nothing_came_is_just_accepted() -> None:
    failed = CommandFailed(
        at=40, name="web", run=1, kind=CommandKind.START, error=NoCapacity()
    )
    entries = told(*begun(WEB), failed, ReconcileRequested(at=500))
    web = only(answered(entries, Hypothesis(skip=frozenset({4}))))
    assert web.recorded.phase == "backing_off"
    assert web.imagined.phase == "running"


def test_a_start_is_tried_again_as_often_as_it_was() -> None:
    unheard = CommandFailed(
        at=40,
        name="web",
        run=1,
        kind=CommandKind.START,
        error=Unreachable(cause="cut off"),
    )
    fleet = fold(NOTHING, [*begun(WEB), unheard])
    due = getattr(fleet.containers["web"].phase, "retry_at", 0)
    entries = told(
        *begun(WEB),
        unheard,
        TimeReached(at=due, name="web"),
        *up(1, due),
        ReconcileRequested(at=MINUTE),
    )
    web = only(answered(entries, Hypothesis(follows=False)))
    assert web.recorded == web.imagined


def test_a_stale_run_is_passed_over_in_the_hypothesis_too() -> None:
    stale = CommandFailed(
        at=40,
        name="web",
        run=1,
        kind=CommandKind.START,
        error=StaleRun(name="web", run=1, highest=7),
    )
    entries = told(*begun(WEB), stale, *up(8, 40), ReconcileRequested(at=MINUTE))
    web = only(answered(entries, Hypothesis(follows=False)))
    assert web.recorded == web.imagined


CHECK = HealthCheck(probe=TcpProbe(port="http"))


def checked(**checks: HealthCheck) -> ContainerSpec:
    return attrs.evolve(
        WEB, ports=Table.of([("http", 80)]), health=HealthChecks(**checks)
    )


def test_a_check_that_was_never_asked_passes_at_once() -> None:
    spec = checked(readiness=CHECK, startup=CHECK)
    for follows in (True, False):
        hypothesis = Hypothesis(specs=Table.of([("web", spec)]), follows=follows)
        answer = answered(a_crash(), hypothesis)
        web = only(answer)
        assert web.imagined.totals.ready_ms == web.recorded.totals.ready_ms
        assert kinds(answer)[Supposed.UNASKED_CHECK] == 4


def test_a_check_that_the_other_spec_has_not_is_not_heard() -> None:
    spec = checked(readiness=CHECK)
    verdict = HealthChanged(
        at=100, name="web", run=1, check=CheckKind.READINESS, passing=True
    )
    entries = told(*begun(spec), *up(1, 30), verdict, ReconcileRequested(at=MINUTE))
    for follows in (True, False):
        plain = attrs.evolve(checked(), command=spec.command)
        hypothesis = Hypothesis(specs=Table.of([("web", plain)]), follows=follows)
        web = only(answered(entries, hypothesis))
        assert web.imagined.totals.ready_ms == web.recorded.totals.ready_ms + 20


def test_who_follows_does_not_hear_of_a_check_that_it_has_not() -> None:
    spec = checked(liveness=CHECK)
    verdict = HealthChanged(
        at=100, name="web", run=1, check=CheckKind.LIVENESS, passing=True
    )
    strange = attrs.evolve(verdict, check=CheckKind.READINESS)
    entries = told(*begun(spec), *up(1, 30), verdict, strange)
    plain = Hypothesis(specs=Table.of([("web", checked())]))
    beats: list[Beat] = []
    answer = what_if(entries, plain, seen=beats.append).unwrap()
    assert only(answer).parted is None
    assert [one.imagined is None for one in beats] == [*(False,) * 6, True, False]


def test_a_fleet_that_was_never_applied_is_not_there() -> None:
    web = only(answered(a_crash(), Hypothesis(skip=frozenset({2}))))
    assert web.imagined.phase is None
    assert web.imagined.totals.starts == 0
    assert web.parted is not None
    assert web.parted.imagined is None


def test_a_run_that_is_parted_while_it_waits_for_a_check_is_told_of_it_later() -> None:
    spec = checked(readiness=CHECK)
    verdict = HealthChanged(
        at=100, name="web", run=1, check=CheckKind.READINESS, passing=True
    )
    entries = told(*begun(spec), *up(1, 30), verdict, ReconcileRequested(at=MINUTE))
    longer = attrs.evolve(spec, start_timeout_ms=90 * SECOND)
    web = only(answered(entries, Hypothesis(specs=Table.of([("web", longer)]))))
    assert web.parted is not None
    assert web.imagined.totals == web.recorded.totals


def test_what_is_seen_running_fits_the_other_spec() -> None:
    other = attrs.evolve(WEB, image="other")
    seen = ContainerObserved(
        at=31 * SECOND,
        name="web",
        run=9,
        sight=SeenRunning(ready=True),
        fingerprint=fingerprint(WEB),
    )
    failed = CommandFailed(
        at=40, name="web", run=1, kind=CommandKind.START, error=NoCapacity()
    )
    entries = told(*begun(WEB), failed, attrs.evolve(seen, at=500))
    assert isinstance(
        fold(NOTHING, [one.event for one in entries]).containers["web"].phase, Running
    )
    web = only(answered(entries, Hypothesis(specs=Table.of([("web", other)]))))
    assert web.recorded == web.imagined


def test_a_run_that_was_there_before_the_record_is_played_from_its_news() -> None:
    earlier = [*begun(WEB), *up(1, 30)]
    fleet = fold(NOTHING, earlier)
    entries = told(
        ended(1, 10 * SECOND),
        ReconcileRequested(at=MINUTE),
        fleet=fleet,
    )
    web = only(answered(entries, for_all(never_restart_policy()), fleet))
    assert web.imagined.phase == "failed"
    slow = attrs.evolve(WEB, stop_grace_ms=1)
    inserted = RestartRequested(at=9 * SECOND, name="web")
    hypothesis = Hypothesis(specs=Table.of([("web", slow)]), insert=(inserted,))
    late = told(
        ReconcileRequested(at=SECOND), *(one.event for one in entries), fleet=fleet
    )
    web = only(answered(late, hypothesis, fleet))
    assert web.imagined.totals.starts == 1
    assert web.imagined.totals.crashes == 0


def test_another_limit_of_the_fleet_parts_who_waits_for_it() -> None:
    fleet = fleet_of(spec_of("steady"), spec_of("slow"), limit=2)
    entries = recorded(fleet, until=MINUTE)
    narrow = FleetSettings(max_concurrent_starts=1, reconcile_interval_ms=20_000)
    answer = answered(entries, Hypothesis(settings=narrow))
    assert [one.name for one in answer.containers if one.parted is not None]
    assert kinds(answer)[Supposed.OWN_LOOK] == 2
    assert answer.imagined.down_ms > answer.recorded.down_ms


def test_what_is_removed_and_forgotten_is_so_in_the_hypothesis() -> None:
    fleet = fleet_of(spec_of("steady"))
    extra = spec_of("extra")
    asked: list[tuple[int, Request]] = [
        (SECOND, Start(name="extra", spec=extra)),
        (20 * SECOND, Stop(name="extra")),
        (40 * SECOND, Remove(name="extra")),
        (50 * SECOND, Restart(name="steady")),
        (55 * SECOND, ClearCrashHistory(name="steady")),
    ]
    entries = recorded(fleet, until=MINUTE, asked=asked)
    answer = answered(entries, Hypothesis(follows=False))
    for one in answer.containers:
        assert one.recorded == one.imagined
    assert not answer.fleet.forgetting


def test_a_look_that_misses_a_start_says_nothing_of_it() -> None:
    absent = ContainerObserved(at=35, name="web", run=1, sight=SeenAbsent())
    entries = told(*begun(WEB), absent, *up(1, 30), ReconcileRequested(at=10 * SECOND))
    web = only(answered(entries, Hypothesis(follows=False)))
    assert web.imagined.totals.starts == 1
    assert web.imagined.phase == "running"


def test_a_run_is_parted_before_its_start_was_answered() -> None:
    asked = RestartRequested(at=35, name="web")
    web = only(answered(a_crash(), Hypothesis(insert=(asked,))))
    assert web.imagined.totals.starts == 2
    assert web.imagined.phase == "running"


def a_stop(took: int) -> list[Entry]:
    """Stop run 1 after a second; it takes its time."""
    return told(
        *begun(WEB),
        *up(1, 30),
        StopRequested(at=SECOND, name="web"),
        CommandAccepted(at=SECOND + 5, name="web", run=1, kind=CommandKind.STOP),
        ended(1, SECOND + took),
        ReconcileRequested(at=MINUTE),
    )


def test_a_run_is_parted_while_it_is_stopped_and_ends_as_it_did() -> None:
    again = RestartRequested(at=SECOND + 10, name="web")
    web = only(answered(a_stop(40), Hypothesis(insert=(again,))))
    assert web.imagined.totals.starts == 2
    assert web.imagined.totals.phase_ms["stopping"] == 40


def test_a_run_that_was_not_ready_when_it_was_stopped_is_not_before_either() -> None:
    stop = StopRequested(at=SECOND, name="web")
    accepted = CommandAccepted(at=SECOND + 5, name="web", run=1, kind=CommandKind.STOP)
    record = told(*begun(WEB), *up(1, 30)[:2], stop, accepted, ended(1, SECOND + 40))
    web = only(answered(record, Hypothesis(follows=False)))
    assert web.imagined == web.recorded
    assert web.imagined.totals.ready_ms == 0


def test_a_run_that_heeds_no_signal_lives_as_long_as_its_grace() -> None:
    hasty = attrs.evolve(WEB, stop_grace_ms=3 * SECOND)
    hypothesis = Hypothesis(specs=Table.of([("web", hasty)]), follows=False)
    web = only(answered(a_stop(10 * SECOND + 7), hypothesis))
    assert web.recorded.totals.phase_ms["stopping"] == 10 * SECOND + 7
    assert web.imagined.totals.phase_ms["stopping"] == 3 * SECOND + 7


def test_a_stop_that_failed_for_good_fails_in_the_hypothesis_too() -> None:
    failed = CommandFailed(
        at=SECOND + 5,
        name="web",
        run=1,
        kind=CommandKind.STOP,
        error=Unreachable(cause="cut off"),
    )
    entries = [one.event for one in a_stop(40)][:7]
    record = told(*entries, failed, ReconcileRequested(at=2 * SECOND))
    web = only(answered(record, Hypothesis(follows=False)))
    assert web.imagined == web.recorded
    assert web.imagined.phase == "stopping"


def test_a_stop_is_escalated_as_it_was() -> None:
    late = [TimeReached(at=at * SECOND, name="web") for at in (16, 21)]
    destroyed = CommandAccepted(
        at=22 * SECOND, name="web", run=1, kind=CommandKind.DESTROY
    )
    entries = [one.event for one in a_stop(40)][:8]
    record = told(
        *entries,
        late[0],
        FleetObserved(at=17 * SECOND, complete=True),
        late[1],
        destroyed,
        ended(1, 23 * SECOND),
        ReconcileRequested(at=MINUTE),
    )
    web = only(answered(record, Hypothesis(follows=False)))
    assert web.imagined == web.recorded


def test_a_start_that_was_never_heard_of_is_not_heard_of_again() -> None:
    unheard = CommandFailed(
        at=40,
        name="web",
        run=1,
        kind=CommandKind.START,
        error=Unreachable(cause="cut off"),
    )
    slow = TimeReached(at=61 * SECOND, name="web")
    entries = told(*begun(WEB), unheard, slow, ReconcileRequested(at=62 * SECOND))
    web = only(answered(entries, Hypothesis(follows=False)))
    assert web.recorded.phase == "stopping"
    assert "running" not in web.imagined.totals.phase_ms
    assert web.imagined.totals.phase_ms["starting"] >= MINUTE


def test_a_run_that_nobody_started_is_stopped_as_is_typical() -> None:
    seen = ContainerObserved(
        at=30 * SECOND, name="web", run=9, sight=SeenRunning(ready=True)
    )
    answer = answered(a_stop(40), Hypothesis(insert=(seen,)))
    assert only(answer).imagined.phase == "stopped"
    assert kinds(answer)[Supposed.TYPICAL_STOP] == 1
    assert answer.fleet.containers["web"].run == 9


def test_news_of_nobody_change_nothing() -> None:
    events = [one.event for one in a_crash()]
    entries = told(*events, ended(1, 2 * MINUTE, "ghost"))
    for follows in (True, False):
        web = only(answered(entries, Hypothesis(follows=follows)))
        assert web.recorded.totals == web.imagined.totals


def test_every_step_of_both_sides_can_be_looked_at() -> None:
    beats: list[Beat] = []
    hypothesis = for_all(never_restart_policy())
    _ = what_if(a_crash(), hypothesis, seen=beats.append).unwrap()
    assert [one.entry for one in beats if one.entry is not None] == a_crash()
    assert all(one.recorded is None for one in beats if one.entry is None)


def test_a_failure_of_a_command_that_nobody_gave_can_be_skipped() -> None:
    failed = CommandFailed(
        at=40, name="web", run=1, kind=CommandKind.START, error=NoCapacity()
    )
    booted = Booted(at=35, epoch=2, rules=RULES, fences=True)
    seen = FleetObserved(at=36, complete=True)
    late = attrs.evolve(failed, at=90)
    entries = told(*begun(WEB), booted, failed, seen, late, *up(2, 2 * SECOND))
    web = only(answered(entries, Hypothesis(skip=frozenset({5}))))
    assert web.imagined.totals.starts >= 1


GOOD, BAD = Release(code=30), Release(code=70, lives_ms=3 * SECOND)
FIXED = attrs.evolve(GOOD, code=31)
DEPLOYS = [(10, GOOD), (10 * SECOND, BAD), (50 * SECOND, FIXED)]


def applies(entries: list[Entry]) -> list[int]:
    return [one.seq for one in entries if isinstance(one.event, SpecApplied)]


def texts(answer: WhatIf) -> list[str]:
    return [one.text for one in answer.assumptions]


def test_in_the_incident_without_the_bad_deploy_the_worker_never_crashes() -> None:
    with read_of(INCIDENT) as read:
        entries = list(read.entries())
    answer = answered(entries, Hypothesis(skip=frozenset({19})))
    worker = {one.name: one for one in answer.containers}["worker"]
    assert worker.recorded.totals.crashes == 5
    assert worker.imagined.totals.crashes == 0
    assert worker.imagined.totals.starts == 2
    assert "crash_looping" not in worker.imagined.totals.phase_ms


def test_what_is_skipped_leaves_the_record_that_would_have_been_written() -> None:
    entries = released(DEPLOYS, until=MINUTE)
    web = only(answered(entries, Hypothesis(skip=frozenset({applies(entries)[1]}))))
    other = only(answered(released(DEPLOYS[::2], until=MINUTE), Hypothesis()))
    assert web.recorded.totals.crashes > 2
    assert web.imagined == other.recorded


def test_a_release_that_comes_again_goes_on_where_it_was() -> None:
    deploys = [*DEPLOYS[:2], (20 * SECOND, GOOD), (30 * SECOND, BAD)]
    entries = released(deploys, until=MINUTE)
    first, *_ = [
        one
        for one in entries
        if isinstance(one.event, ContainerEnded) and one.event.exit == Exited(code=70)
    ]
    answer = answered(entries, Hypothesis(skip=frozenset({first.seq})))
    web = only(answered(entries, Hypothesis(follows=False)))
    assert web.imagined == web.recorded
    web = only(answer)
    assert web.imagined.totals.crashes > 0  # the next runs of the bad release
    assert web.imagined.totals.crashes < web.recorded.totals.crashes


def test_another_policy_makes_no_other_release() -> None:
    patient = attrs.evolve(
        BAD, restart=RestartPolicy(crash=CrashLimit(allowed_crashes=9))
    )
    deploys = [(10, BAD), (9 * SECOND, patient)]
    entries = released(deploys, until=MINUTE)
    answer = answered(entries, Hypothesis(skip=frozenset({applies(entries)[1]})))
    assert not {Supposed.OTHER_SPEC, Supposed.REPEATED} & kinds(answer).keys()
    assert {one.exit for one in ends_of(entries)} == {Exited(code=70)}


def ends_of(entries: list[Entry]) -> list[ContainerEnded]:
    return [one.event for one in entries if isinstance(one.event, ContainerEnded)]


def test_a_spec_that_never_ran_goes_as_all_runs_in_their_order() -> None:
    entries = released([(10, BAD)], until=20 * SECOND)
    strange = attrs.evolve(BAD.spec, command=("other",))
    begins = only(answered(entries, Hypothesis())).recorded.totals.starts
    for follows in (True, False):
        specs = Table.of([("web", strange)])
        answer = answered(entries, Hypothesis(specs=specs, follows=follows))
        web = only(answer)
        assert web.imagined == web.recorded
        assert (
            f"web: {begins} runs of a spec that was never started in the record: as its"
            " runs of other specs went, in their order"
        ) in texts(answer)


def test_a_spec_that_ran_later_goes_as_it_went_then() -> None:
    entries = released(DEPLOYS, until=MINUTE)
    specs = Table.of([("web", FIXED.spec)])
    answer = answered(entries, Hypothesis(specs=specs))
    web = only(answer)
    assert web.parted is not None
    assert web.parted.seq == 3  # the look behind which the first run begins
    assert (web.imagined.totals.starts, web.imagined.totals.crashes) == (1, 0)
    assert kinds(answer) == {Supposed.ALIVE: 1}


def test_runs_beyond_those_of_a_spec_repeat_its_last_one() -> None:
    entries = released([(10, BAD), (12 * SECOND, GOOD)], until=MINUTE)
    answer = answered(entries, Hypothesis(skip=frozenset({applies(entries)[1]})))
    web = only(answer)
    assert web.imagined.totals.crashes > web.recorded.totals.crashes
    (said,) = [text for text in texts(answer) if "beyond" in text]
    assert " recorded of its spec: ended as run " in said


def test_who_was_cut_short_goes_on_as_a_run_of_its_own_spec() -> None:
    entries = released([(10, GOOD), (55, BAD)], until=MINUTE)
    answer = answered(entries, Hypothesis(skip=frozenset({applies(entries)[1]})))
    web = only(answer)
    assert web.imagined.phase == "running"
    assert web.imagined.totals.crashes == 0
    assert (
        "web: 1 run ended before being ready, as all recorded of its spec: gone on as"
        " is typical here"
    ) in texts(answer)


def test_who_was_cut_short_goes_on_as_the_run_before_it_that_was_not() -> None:
    crashed = [*begun(WEB), *up(1, 30), ended(1, 10 * SECOND)]
    due = getattr(fold(NOTHING, crashed).containers["web"].phase, "until", 0)
    again = [*crashed, TimeReached(at=due, name="web"), *up(2, due)[:2]]
    stop = StopRequested(at=due + 30, name="web")
    accepted = CommandAccepted(at=due + 35, name="web", run=2, kind=CommandKind.STOP)
    late = ReconcileRequested(at=MINUTE)
    record = told(*again, stop, accepted, ended(2, due + 45), late)
    answer = answered(record, Hypothesis(skip=frozenset({len(again) + 1})))
    web = only(answer)
    assert web.recorded.phase == "stopped"
    assert web.imagined.phase == "running"
    ready_ms = MINUTE - (due + 50)  # as soon as the first run was
    assert web.imagined.totals.ready_ms - web.recorded.totals.ready_ms == ready_ms
    assert kinds(answer)[Supposed.CUT_SHORT] == 1
    assert Supposed.CUT_SHORT_ALWAYS not in kinds(answer)


def test_what_is_found_of_a_spec_that_never_ran_is_its_own() -> None:
    other = attrs.evolve(WEB, image="other")
    seen = ContainerObserved(
        at=12 * SECOND,
        name="web",
        run=1,
        sight=SeenRunning(ready=True),
        fingerprint=fingerprint(WEB),
    )
    booted = Booted(at=11 * SECOND, epoch=2, rules=RULES, fences=True)
    looked = FleetObserved(at=12 * SECOND, complete=True)
    late: list[Event] = [booted, seen, looked, ReconcileRequested(at=MINUTE)]
    hypothesis = Hypothesis(specs=Table.of([("web", other)]), follows=False)
    web = only(answered(told(*begun(WEB), *up(1, 30), *late), hypothesis))
    assert web.imagined.phase == "running"
    assert web.imagined.totals.starts == 1
    fleet = fold(NOTHING, [*begun(WEB), *up(1, 30)])
    web = only(answered(told(*late, fleet=fleet), hypothesis, fleet))
    assert web.imagined.phase == "running"
    assert web.imagined.totals.starts == 0


def test_what_is_assumed_is_told_in_sentences() -> None:
    texts = [
        Assumption(kind=kind, name="web", count=count, recorded=5, run=4).text
        for kind in Supposed
        for count in (1, 2)
    ]
    assert all(text.startswith("web: ") for text in texts)
    assert "web: 1 run beyond the 5 recorded: ended as run 4 did" in texts
    assert "web: 2 runs beyond the 5 recorded: ended as run 4 did" in texts
    assert Assumption(kind=Supposed.OWN_LOOK, name="", count=3).text == (
        "3 looks at the platform that nobody took: nothing new is seen"
    )
    assert len(ALWAYS) == 4
    assert all(len(text) < 300 for text in ALWAYS)  # a screen shows no more


def test_who_is_not_concerned_keeps_the_spec_from_before_the_record() -> None:
    other = spec_of("db")
    fleet = fold(NOTHING, begun(WEB, other))
    hypothesis = Hypothesis(policies=Table.of([("web", never_restart_policy())]))
    entries = told(ReconcileRequested(at=SECOND), fleet=fleet)
    answer = answered(entries, hypothesis, fleet)
    assert answer.fleet.containers["db"].spec == other
    assert answer.fleet.containers["web"].spec != WEB


def test_a_policy_of_a_service_is_that_of_its_replicas() -> None:
    policies = Table.of([("web", never_restart_policy()), ("db", RestartPolicy())])
    spec = attrs.evolve(WEB, name="web-0", service="web")
    events = [*begun(spec), *up(1, 30, "web-0"), ended(1, SECOND, "web-0")]
    answer = answered(told(*events), Hypothesis(policies=policies))
    assert only(answer).imagined.phase == "failed"
    assert kinds(answer) == {Supposed.NOT_DECLARED: 1}


@pytest.mark.parametrize(
    ("hypothesis", "place", "found"),
    [
        (Hypothesis(skip=frozenset({99})), "skip", "99"),
        (Hypothesis(skip=frozenset({1})), "skip 1", "booted"),
        (Hypothesis(insert=(TimeReached(at=5),)), "insert 1", "time_reached"),
        (Hypothesis(insert=(ended(0, MINUTE * 9),)), "insert 1.at", "540000"),
        (Hypothesis(insert=(ended(0, 5, "x"),)), "insert 1.name", "'x'"),
        (
            Hypothesis(
                policies=Table.of((f"x{n}", RestartPolicy()) for n in range(10))
            ),
            "the hypothesis",
            "x0, x1, x2, x3, x4, x5, x6, x7 and 2 more",
        ),
    ],
)
def test_what_cannot_be_asked_is_refused_with_its_place(
    hypothesis: Hypothesis, place: str, found: str
) -> None:
    error = what_if(a_crash(), hypothesis).failure()
    assert isinstance(error, InvalidSpec)
    assert [(one.place, one.found) for one in error.problems] == [(place, found)]


def test_of_an_empty_record_there_is_nothing_to_ask() -> None:
    answer = answered([], Hypothesis())
    assert (answer.rows, answer.containers, answer.assumptions) == (0, (), ())


def test_a_custom_policy_that_nobody_registered_is_refused() -> None:
    strange = RestartPolicy(custom=CustomPolicyRef(name="strange", version=1))
    error = what_if(a_crash(), for_all(strange)).failure()
    assert isinstance(error, PolicyNotRegistered)
    behind = fold(NOTHING, begun(WEB))
    error = what_if([], for_all(strange), fleet=behind).failure()
    assert isinstance(error, PolicyNotRegistered)


def test_a_hypothesis_that_takes_too_many_steps_is_given_up() -> None:
    entries = recorded(fleet_of(spec_of("job")), until=5 * MINUTE)
    hypothesis = for_all(always_restart_policy())
    for follows in (True, False):
        asked = attrs.evolve(hypothesis, follows=follows)
        error = what_if(entries, asked, steps_most=10).failure()
        assert isinstance(error, InvalidSpec)
        assert "at most 10 steps" in error.message


@pytest.mark.parametrize(
    "path", sorted(GOLDEN.glob("journal.rules-*.jsonl.gz")), ids=lambda path: path.name
)
def test_where_nothing_is_supposed_a_golden_journal_goes_as_it_went(path: Path) -> None:
    with read_of(path) as read:
        entries = tuple(read.entries())
    answer = what_if(entries, Hypothesis(), policies=POLICIES).unwrap()
    assert answer.recorded == answer.imagined
    assert all(one.parted is None for one in answer.containers)
    assert set(kinds(answer)) <= {Supposed.DECIDED_OTHERWISE}
