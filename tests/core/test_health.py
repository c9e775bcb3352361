"""Health checks as values, and the counting of their answers."""

from __future__ import annotations

from itertools import pairwise

import attrs
import pytest

from orchestrator.core.exits import Stopped
from orchestrator.core.health import (
    CheckKind,
    CommandProbe,
    HealthCheck,
    HealthChecks,
    HttpProbe,
    Probe,
    TcpProbe,
)
from orchestrator.core.moments import DURATION_MAX
from orchestrator.core.phases import (
    Pending,
    Phase,
    Rule,
    Running,
    Starting,
    Stopping,
    Unknown,
)
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.table import Table
from orchestrator.core.tallies import Answer, Tally, begin, count, due_checks

from .examples import Story, spec

TCP = HealthCheck(probe=TcpProbe(port="http"))
PORTS = Table.of([("http", 80)])
PASSED, FAILED, UNKNOWN = Answer.PASSED, Answer.FAILED, Answer.UNKNOWN


def checked(**checks: HealthCheck) -> ContainerSpec:
    return spec(ports=PORTS, health=HealthChecks(**checks))


def test_the_defaults_are_those_of_kubernetes() -> None:
    assert attrs.asdict(TCP, recurse=False) == {
        "probe": TcpProbe(port="http"),
        "initial_delay_ms": 0,
        "period_ms": 10_000,
        "timeout_ms": 1_000,
        "success_threshold": 1,
        "failure_threshold": 3,
    }


@pytest.mark.parametrize(
    ("statuses", "passing", "failing"),
    [
        ((), (200, 204, 302, 399), (100, 199, 400, 404, 503)),
        ((204, 503), (204, 503), (200, 203, 302, 500)),
    ],
)
def test_which_answers_of_http_pass(
    statuses: tuple[int, ...], passing: tuple[int, ...], failing: tuple[int, ...]
) -> None:
    probe = HttpProbe(port="http", statuses=statuses)
    assert [probe.passes(status) for status in passing] == [True] * len(passing)
    assert [probe.passes(status) for status in failing] == [False] * len(failing)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (HttpProbe, {"port": "80"}),
        (HttpProbe, {"port": "http", "path": "ready"}),
        (HttpProbe, {"port": "http", "path": "/a b"}),
        (HttpProbe, {"port": "http", "path": "/a#b"}),
        (HttpProbe, {"port": "http", "path": "/é"}),
        (HttpProbe, {"port": "http", "path": "/a\n"}),
        (HttpProbe, {"port": "http", "path": None}),
        (HttpProbe, {"port": "http", "headers": {}}),
        (HttpProbe, {"port": "http", "headers": Table.of([("a b", "c")])}),
        (HttpProbe, {"port": "http", "headers": Table.of([("", "c")])}),
        (HttpProbe, {"port": "http", "headers": Table.of([(1, "c")])}),
        (HttpProbe, {"port": "http", "headers": Table.of([("a", 1)])}),
        (HttpProbe, {"port": "http", "headers": Table.of([("a", "b\r\nc: d")])}),
        (HttpProbe, {"port": "http", "headers": Table.of([("a", "${b")])}),
        (HttpProbe, {"port": "http", "statuses": (99,)}),
        (HttpProbe, {"port": "http", "statuses": (600,)}),
        (HttpProbe, {"port": "http", "statuses": (True,)}),
        (HttpProbe, {"port": "http", "statuses": [200]}),
        (TcpProbe, {"port": ""}),
        (CommandProbe, {"command": ()}),
        (CommandProbe, {"command": ["true"]}),
        (CommandProbe, {"command": ("${unclosed",)}),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused(
    kind: type[Probe], fields: dict[str, object]
) -> None:
    with pytest.raises((ValueError, TypeError)):
        kind(**fields)  # type: ignore[arg-type]


def test_questions_that_can_be_asked() -> None:
    headers = Table.of([("Authorization", "Bearer ${secret.TOKEN}"), ("X-A.b", "")])
    probe = HttpProbe(
        port="http", path="/ready?full=1", headers=headers, statuses=(100, 599)
    )
    assert probe.headers == headers
    assert CommandProbe(command=("test", "${name}")).command[1] == "${name}"


@pytest.mark.parametrize(
    "fields",
    [
        {"probe": None},
        {"initial_delay_ms": -1},
        {"period_ms": 0},
        {"period_ms": DURATION_MAX + 1},
        {"timeout_ms": 0},
        {"success_threshold": 0},
        {"failure_threshold": 0},
        {"failure_threshold": 1_001},
    ],
)
def test_a_check_that_makes_no_sense_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError)):
        attrs.evolve(TCP, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", CheckKind)
def test_only_readiness_may_ask_for_a_row_of_successes(kind: CheckKind) -> None:
    twice = attrs.evolve(TCP, success_threshold=2)
    checks: dict[str, HealthCheck] = {kind.value: twice}
    if kind is CheckKind.READINESS:
        assert HealthChecks(**checks).get(kind) == twice
        return
    with pytest.raises(ValueError, match=f"{kind}.success_threshold: expected 1"):
        HealthChecks(**checks)


def test_the_checks_that_there_are() -> None:
    startup, live = TCP, attrs.evolve(TCP, period_ms=5)
    some = HealthChecks(startup=startup, liveness=live)
    assert list(some.all()) == [
        (CheckKind.STARTUP, startup),
        (CheckKind.LIVENESS, live),
    ]
    assert [some.get(kind) for kind in CheckKind] == [startup, None, live]
    assert list(HealthChecks().all()) == []


def test_a_check_names_a_port_that_there_is() -> None:
    elsewhere = HealthCheck(probe=HttpProbe(port="admin"))
    with pytest.raises(ValueError, match=r"health.readiness: expected one of its"):
        checked(readiness=elsewhere)
    command = HealthCheck(probe=CommandProbe(command=("true",)))
    assert spec(health=HealthChecks(liveness=command)).health.liveness == command


@pytest.mark.parametrize(
    ("thresholds", "answers", "verdicts"),
    [
        ((1, 3), [FAILED, FAILED, FAILED, PASSED], [True, True, False, True]),
        ((1, 3), [FAILED, FAILED, PASSED, FAILED], [True, True, True, True]),
        ((1, 1), [FAILED, PASSED, FAILED], [False, True, False]),
        ((2, 1), [FAILED, PASSED, PASSED], [False, False, True]),
        ((2, 1), [FAILED, PASSED, FAILED, PASSED], [False, False, False, False]),
        ((1, 2), [FAILED, UNKNOWN, FAILED], [True, True, False]),
        ((2, 1), [FAILED, PASSED, UNKNOWN, PASSED], [False, False, False, True]),
        ((1, 1), [UNKNOWN] * 9, [True] * 9),
    ],
)
def test_thresholds_count_answers_in_a_row_and_unknown_counts_for_nothing(
    thresholds: tuple[int, int], answers: list[Answer], verdicts: list[bool]
) -> None:
    success, failure = thresholds
    check = attrs.evolve(TCP, success_threshold=success, failure_threshold=failure)
    tally = Tally(passing=True)
    found = []
    for answer in answers:
        tally = count(check, tally, answer)
        found.append(tally.passing)
    assert found == verdicts


def test_rows_are_counted_and_an_answer_of_the_other_kind_ends_one() -> None:
    tally = Tally(passing=None)
    tallies = [
        tally := count(TCP, tally, answer) for answer in (FAILED, FAILED, PASSED)
    ]
    assert tallies == [
        Tally(passing=None, failures=1),
        Tally(passing=None, failures=2),
        Tally(passing=True, successes=1),
    ]
    assert count(TCP, tally, UNKNOWN) is tally
    assert all(one != other for one, other in pairwise(tallies))


RUNNING = Running(since=0, run=1)


@pytest.mark.parametrize(
    ("kind", "phase", "passing"),
    [
        (CheckKind.STARTUP, RUNNING, None),
        (CheckKind.READINESS, RUNNING, False),
        (CheckKind.READINESS, attrs.evolve(RUNNING, ready_at=5), True),
        (CheckKind.READINESS, attrs.evolve(RUNNING, readiness_passed=True), True),
        (CheckKind.LIVENESS, RUNNING, True),
    ],
)
def test_a_tally_begins_where_the_record_is(
    kind: CheckKind,
    phase: Running,
    passing: bool | None,  # noqa: FBT001 - a case
) -> None:
    assert begin(kind, phase) == Tally(passing=passing)


ALL = checked(startup=TCP, readiness=TCP, liveness=TCP)
LATER = (CheckKind.READINESS, CheckKind.LIVENESS)
UP = attrs.evolve(RUNNING, listening=True)


@pytest.mark.parametrize(
    ("one", "phase", "due"),
    [
        (ALL, RUNNING, ()),
        (ALL, UP, (CheckKind.STARTUP,)),
        (ALL, attrs.evolve(UP, startup_passed=True), LATER),
        (ALL, attrs.evolve(RUNNING, ready_at=9), LATER),
        (checked(readiness=TCP, liveness=TCP), UP, LATER),
        (checked(liveness=TCP), UP, (CheckKind.LIVENESS,)),
        (checked(readiness=TCP), UP, (CheckKind.READINESS,)),
        (spec(), UP, ()),
        (ALL, Pending(since=0, rule=Rule.DECLARED), ()),
        (ALL, Starting(since=0, run=1, accepted=True), ()),
        (ALL, Unknown(since=0, run=1, was=UP), ()),
        (ALL, Stopping(since=0, run=1, deadline=9, verdict=Stopped()), ()),
    ],
)
def test_which_checks_are_asked_now(
    one: ContainerSpec, phase: Phase, due: tuple[CheckKind, ...]
) -> None:
    container = attrs.evolve(Story(one).container(), phase=phase)
    assert due_checks(container) == due
