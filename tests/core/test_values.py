"""The value types: what may be built, what may not, and how it reads."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from orchestrator.codec.wire import decode_event, encode_event
from orchestrator.core import errors
from orchestrator.core.backoff import Backoff
from orchestrator.core.events import Declaration, StartRequested
from orchestrator.core.exits import (
    Exit,
    Exited,
    GroupEnded,
    Lost,
    OutOfMemory,
    RolledOut,
    Signaled,
    Slept,
    StartFailed,
    Stopped,
    Unhealthy,
    exit_text,
)
from orchestrator.core.fields import is_json_table
from orchestrator.core.fingerprints import fingerprint
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.groups import GroupStrategy, Membership
from orchestrator.core.hosting import (
    INSTANCE_TYPES,
    LITE,
    InstanceType,
    Placement,
)
from orchestrator.core.moments import DURATION_MAX, format_duration, parse_duration
from orchestrator.core.mutable_table import MutableTable
from orchestrator.core.names import is_env_key, is_name, is_port_name
from orchestrator.core.phases import PHASE_NAMES, Phase
from orchestrator.core.policies import (
    CrashLimit,
    When,
    always_restart_policy,
    default_restart_policy,
    never_restart_policy,
)
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.table import Table
from orchestrator.core.templates import parse_template, placeholders, render

from .examples import spec


@pytest.mark.parametrize("text", ["a", "web-0", "a.b_c-d", "0" * 63])
def test_names(text: str) -> None:
    assert is_name(text)


@pytest.mark.parametrize("text", ["", "-a", "a-", "A", "a/b", "a..b", "0" * 64, "ä"])
def test_no_names(text: str) -> None:
    assert not is_name(text)


def test_port_names_and_env_keys() -> None:
    assert is_port_name("http")
    assert not is_port_name("-http")
    assert is_env_key("_A1")
    assert not is_env_key("1A")


@pytest.mark.parametrize(
    ("text", "millis"),
    [("250ms", 250), ("10s", 10_000), ("1.5s", 1_500), ("1h30m", 5_400_000), ("0s", 0)],
)
def test_durations(text: str, millis: int) -> None:
    assert parse_duration(text).unwrap() == millis


@pytest.mark.parametrize(
    "text", ["", "10", "s", "10s ", "1s x", "1s 2s", "0.5ms", "9999d"]
)
def test_no_durations(text: str) -> None:
    assert parse_duration(text).failure().startswith("expected")


@pytest.mark.parametrize("millis", [0, 1, 999, 60_000, 90_061_001, DURATION_MAX])
def test_durations_are_written_with_their_two_largest_units(millis: int) -> None:
    text = format_duration(millis)
    assert parse_duration(text).unwrap() <= millis
    assert format_duration(-millis) in {text, f"-{text}"}


@pytest.mark.parametrize(
    "bad",
    [
        {"ports": Table.of([("http", 0)])},
        {"ports": Table.of([("HTTP", 80)])},
        {"ports": {"http": 80}},
        {"env": Table.of([("1", "x")])},
        {"env": Table.of([("A", "${nope}")])},
        {"env": {}},
        {"command": ["run"]},
        {"command": ("${",)},
        {"command": ()},
        {"stop_signal": "STOP"},
        {"stop_grace_ms": -1},
        {"replica": -1},
        {"replica": 2**63},
    ],
)
def test_an_impossible_spec_cannot_be_built(bad: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError)):
        spec(**bad)  # type: ignore[arg-type]


def test_the_index_of_a_replica_is_one_that_a_journal_can_hold() -> None:
    highest = spec("web-9", service="web", replica=2**63 - 1)
    event = StartRequested(
        at=0, name="web-9", declaration=Declaration(spec=highest, salt=0)
    )
    assert decode_event(encode_event(event)).unwrap() == event


def test_a_word_holds_no_zero_byte() -> None:
    with pytest.raises(ValueError, match="words with known placeholders"):
        ContainerSpec(name="web", command=("a\0b",))


def test_an_image_alone_is_something_to_run() -> None:
    assert ContainerSpec(name="a", image="b").command == ()


def test_a_fleet_declares_a_name_once() -> None:
    with pytest.raises(ValueError, match="more than once"):
        FleetSpec(name="demo", containers=(spec(), spec()))


def test_a_backoff_begins_below_its_longest_wait() -> None:
    with pytest.raises(ValueError, match="must not exceed"):
        Backoff(initial_ms=2, max_ms=1)
    with pytest.raises(ValueError, match="allowed_crashes"):
        CrashLimit(allowed_crashes=-1)


def test_a_fingerprint_names_what_runs_only() -> None:
    one = spec(config=Table.of([("a", (1, Table.of([("b", None)])))]))
    assert fingerprint(one) == fingerprint(attrs.evolve(one, stop_signal="INT"))
    other = attrs.evolve(one, config=Table.of([("a", 2)]))
    assert fingerprint(one) != fingerprint(other)


@pytest.mark.parametrize(
    ("exit_", "text"),
    [
        (Exited(code=3), "exit 3"),
        (Signaled(signal=9), "signal 9"),
        (OutOfMemory(), "out of memory"),
        (StartFailed(reason="no image"), "start failed: no image"),
        (Unhealthy(check="live"), "unhealthy: live"),
        (RolledOut(), "rolled out"),
        (Slept(), "slept"),
        (Stopped(), "stopped"),
        (Lost(), "lost"),
        (
            GroupEnded(group="g", by="db", restart_at=None),
            "ended with db of group g",
        ),
        (errors.NoCapacity(), "no capacity"),
    ],
)
def test_exits_read_well(exit_: Exit, text: str) -> None:
    assert exit_text(exit_) == text


EXAMPLES: dict[str, object] = {
    "why": "it failed",
    "name": "web",
    "run": 1,
    "highest": 2,
    "epoch": 1,
    "crash_count": 4,
    "window_ms": 600_000,
    "current_status": "running",
    "cause": "because",
    "key": "KEY",
    "cause_type": "KeyError",
    "failed": ("a", "b"),
    "success_count": 1,
    "problems": (errors.Problem(place="a", expected="b", found="c", hint="d"),),
    "expected": 1,
    "found": 2,
    "place": "row",
    "holder": "pid 1",
    "known": 1,
    "expected_seq": 1,
    "found_seq": 2,
    "seq": 7,
    "what": "commands",
    "event": "time_reached",
    "differences": (
        errors.Difference(place="web.run", recorded="1", recomputed="2"),
        errors.Difference(place="web.phase", recorded="3", recomputed="4"),
    ),
    "asked": 3,
    "base": 10,
    "after_ms": 5,
    "retry_after_ms": 1_000,
    "policy": "careful",
    "version": 2,
    "service": "web",
    "action": "pause",
    "status": "done",
    "since": 1,
    "expires_in_ms": 2_500,
}
CLASSES = [
    kind for name in errors.__all__ if hasattr(kind := getattr(errors, name), "code")
]


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_says_what_happened(kind: type) -> None:
    fields = [field for field in attrs.fields(kind) if field.default is attrs.NOTHING]
    error = kind(**{field.name: EXAMPLES[field.name] for field in fields})
    assert error.message
    assert error.code == error.code.lower()


def test_error_codes_are_unique() -> None:
    codes = [kind.code for kind in CLASSES]
    assert len(codes) == len(set(codes))


def test_messages_with_and_without_their_optional_facts() -> None:
    corrupt = errors.JournalCorrupt(seq=3, place="row", expected="a", found="b")
    assert "at row 3" in corrupt.message
    assert errors.RateLimited(retry_after_ms=1_000).message == "rate limited for 1s"
    assert errors.Unauthorized(cause="expired").message == "not authorized: expired"
    plain = errors.Problem(place="a", expected="b", found="c")
    assert plain.message == "a: expected b, found c"
    newer = errors.JournalTooNew(found=9, known=4)
    assert newer.message.startswith("the journal has schema 9, this release knows")
    ruled = errors.JournalTooNew(found=9, known=4, seq=7)
    assert "was written under rules 9 from row 7 on" in ruled.message
    assert errors.NotLeader().message.endswith("a standby: nobody leads now")
    led = errors.NotLeader(leader="machine-1/ab", since=1)
    assert led.message == "this operator is a standby: machine-1/ab leads"


def test_every_phase_has_a_name() -> None:
    assert set(PHASE_NAMES) == set(Phase.__args__)


def test_templates() -> None:
    assert parse_template("$${name}").unwrap() == ("${", "name}")
    assert [found.key for found in placeholders("${config.a.b} ${name}")] == ["a.b", ""]
    assert placeholders("${secret.X}")[0].family == "secret"
    assert parse_template("${name").failure() == "unclosed placeholder ${name"
    assert render("${name}", {"name": "${x}"}).unwrap() == "${x}"
    assert render("${bad}", {}).unwrap() == "${bad}"
    assert placeholders("${bad}") == ()
    assert render("${config.x}", {}).failure() == "config.x"


def test_the_ready_made_policies() -> None:
    kinds = (default_restart_policy(), always_restart_policy(), never_restart_policy())
    assert [policy.when for policy in kinds] == [
        When.ON_FAILURE,
        When.ALWAYS,
        When.NEVER,
    ]
    assert {policy.crash for policy in kinds} == {CrashLimit()}


def test_a_table_that_was_large_can_be_emptied() -> None:
    table = Table.of((n, n) for n in range(3_000))
    for n in range(3_000):
        assert table[n] == n
        table = table.drop(n)
        assert table.get(n) is None
    assert (len(table), list(table), table.first()) == (0, [], None)
    with pytest.raises(KeyError):
        table[1]
    assert table.put(1, 2)[1] == 2


def test_tables_compare_by_content() -> None:
    one = Table.of((n, n) for n in range(100))
    two: Table[int, int] = Table()
    for n in reversed(range(100)):
        two = two.put(n, n)
    assert one == two
    assert hash(one) == hash(two)
    assert one != two.put(5, 6)
    assert one != two.drop(5)
    assert one != {n: n for n in range(100)}
    assert repr(Table.of([(1, 2)])) == "Table.of([(1, 2)])"
    assert one.get(1_000) is None
    assert one.drop(1_000) is one
    assert one.first() == (0, 0)
    assert list(one) == list(range(100))


def test_a_mutable_table_agrees_with_the_persistent_one() -> None:
    table = Table.of((n, n) for n in range(0, 20, 2))
    mutable = MutableTable(table)
    assert mutable.first() == (0, 0)
    for n in (5, 5, 4, 99):
        mutable, table = mutable.put(n, 1), table.put(n, 1)
        mutable, table = mutable.drop(n - 3), table.drop(n - 3)
    assert mutable.freeze() == table
    assert list(mutable) == list(table)
    assert list(mutable.values()) == list(table.values())
    assert (len(mutable), 5 in mutable, mutable.get(7)) == (len(table), True, None)
    untouched = MutableTable(table)
    assert untouched.drop(5).get(5) is None
    assert untouched.drop(5).first() == table.first()


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ({"vcpu": 0.5, "memory_mib": 4_096, "disk_mb": 1}, "vcpu: expected at least 1"),
        ({"vcpu": 2.0, "memory_mib": 6_143, "disk_mb": 1}, "expected at least 6144"),
        ({"vcpu": 5.0, "memory_mib": 12_288, "disk_mb": 1}, "vcpu"),
        ({"vcpu": 1.0, "memory_mib": 12_289, "disk_mb": 1}, "memory_mib"),
        ({"vcpu": 1.0, "memory_mib": 4_096, "disk_mb": 20_001}, "disk_mb"),
    ],
)
def test_no_size_that_is_not_offered(size: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        InstanceType(**size)


def test_a_size_of_ones_own_within_the_bounds() -> None:
    own = InstanceType(vcpu=1.5, memory_mib=4_608, disk_mb=20_000)
    assert (own.name, own.vcpu) == ("custom", 1.5)


def test_parameters_are_json() -> None:
    inner = Table.of([("b", (1, 2.5, None, True, "c"))])
    assert is_json_table(Table.of([("a", inner)]))
    numbered = Table.of([(1, 2)])
    assert not is_json_table({})
    assert not is_json_table(numbered)
    assert not is_json_table(Table.of([("a", (numbered,))]))
    assert not is_json_table(Table.of([("a", [1])]))
    assert not is_json_table(Table.of([("a", b"c")]))


def test_a_group_has_one_strategy_and_a_fleet_one_container_of_a_name() -> None:
    def member(name: str, strategy: GroupStrategy, group: str = "g") -> ContainerSpec:
        place = Membership(group=group, strategy=strategy, position=0)
        return spec(name, group=place)

    both = tuple(GroupStrategy)
    first, other = member("a", both[0]), member("b", both[1])
    with pytest.raises(ValueError, match="group 'g' has two strategies"):
        FleetSpec(name="demo", containers=(first, other))
    with pytest.raises(ValueError, match="'a' is declared more than once"):
        FleetSpec(name="demo", containers=(first, spec("a")))
    elsewhere = member("b", both[1], "h")
    alike = member("c", both[0])
    fleet = FleetSpec(name="demo", containers=(first, elsewhere, alike, spec("d")))
    assert len(fleet.containers) == 4


def test_sizes_grow_by_their_names() -> None:
    sizes = list(INSTANCE_TYPES.values())
    assert sizes[0] == LITE
    assert sizes == sorted(sizes, key=lambda size: (size.vcpu, size.memory_mib))
    assert [size.name for size in sizes] == list(INSTANCE_TYPES)


def test_a_region_is_named_once() -> None:
    with pytest.raises(ValueError, match="each region once"):
        Placement(regions=("WEUR", "WEUR"))


def test_it_waits_for_all_its_ports_unless_it_says() -> None:
    both = Table.of([("a", 1), ("b", 2)])
    assert spec(ports=both).awaited_ports == ("a", "b")
    assert spec(ports=both, wait_for=("b",)).awaited_ports == ("b",)
    assert spec(ports=both, wait_for=()).awaited_ports == ()
    with pytest.raises(ValueError, match="expected names of its ports, found 'c'"):
        spec(ports=both, wait_for=("c",))
    with pytest.raises(ValueError, match="expected names of ports"):
        spec(ports=both, wait_for=["b"])


def test_where_and_how_large_is_part_of_what_was_started() -> None:
    one = spec()
    for change in (
        {"instance_type": INSTANCE_TYPES["basic"]},
        {"placement": Placement(jurisdiction="eu")},
        {"internet": False},
    ):
        assert fingerprint(attrs.evolve(one, **change)) != fingerprint(one)
