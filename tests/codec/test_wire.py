"""What is persisted is strict, canonical, and still read when it is old."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import attrs
import pytest

from orchestrator.codec.digests import EMPTY, GENESIS, chain
from orchestrator.codec.json_values import DEPTH_MAX, freeze_json, thaw_json
from orchestrator.codec.problems import Wrong, invalid, shown, suggestion, told
from orchestrator.codec.schema import SCHEMA, UPCASTERS, upcast
from orchestrator.codec.wire import (
    TAGGED,
    decode_commands,
    decode_container,
    decode_event,
    decode_fleet,
    encode_commands,
    encode_container,
    encode_event,
    encode_fleet,
    read_tree,
    tree_of,
)
from orchestrator.core.autoscaling import Autoscaling, Metric
from orchestrator.core.backoff import Backoff
from orchestrator.core.commands import ObserveFleet, StartContainer
from orchestrator.core.dependencies import Awaited
from orchestrator.core.events import (
    Booted,
    Declaration,
    Event,
    OwnerEvent,
    SpecApplied,
    StartRequested,
    StopRequested,
)
from orchestrator.core.exit_rules import (
    Codes,
    ExitAction,
    ExitKind,
    ExitRule,
    Kinds,
    Signals,
)
from orchestrator.core.fields import LATER
from orchestrator.core.fleet_specs import FleetSettings
from orchestrator.core.groups import GroupStrategy, Membership
from orchestrator.core.health import (
    CommandProbe,
    HealthCheck,
    HealthChecks,
    HttpProbe,
    TcpProbe,
)
from orchestrator.core.hosting import Placement
from orchestrator.core.lineages import (
    Lineage,
    Moved,
    PlatformRoll,
    Revision,
    Rollout,
    RolloutStatus,
    Roster,
)
from orchestrator.core.loads import Loads
from orchestrator.core.notices import Notice, Notices
from orchestrator.core.notify import Notify
from orchestrator.core.phases import Pending
from orchestrator.core.policies import CrashLimit, CustomPolicyRef, RestartPolicy
from orchestrator.core.requests import Start, Stop
from orchestrator.core.rollout_policies import CanaryStep, RolloutPolicy, Share
from orchestrator.core.services import Service
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import Container, Desired, Fleet, History, LastRun
from orchestrator.core.table import Table
from orchestrator.core.tickets import Ticket, Tickets, Used
from tests.core.examples import Story, spec

GOLDEN = Path(__file__).parent.parent / "golden" / "events.1.jsonl"


def message(data: str, schema: int = SCHEMA) -> str:
    return decode_event(data.encode(), schema).failure().message


def test_the_tag_comes_first_and_what_says_nothing_is_left_out() -> None:
    event = Booted(at=1, epoch=2, rules=3)
    assert encode_event(event) == b'{"type":"booted","at":1,"epoch":2,"rules":3}'


def test_every_problem_is_told_with_its_place() -> None:
    told_all = message('{"type":"booted","at":"7","epok":1,"rules":true}')
    assert "$.at: expected an integer, found '7'" in told_all
    assert "$.rules: expected an integer, found true" in told_all
    assert "$.epoch: expected a value, found nothing" in told_all
    assert "$.epok: expected a known key, found 'epok'; did you mean \"epoch\"?" in (
        told_all
    )


def test_an_unknown_tag_is_refused_with_a_suggestion() -> None:
    assert 'did you mean "booted"?' in message('{"type":"bootd"}')
    assert "found None" in message("{}")
    assert "found 7" in message('{"type":7}')
    assert "expected a table, found an array" in message("[]")


def test_places_lead_through_arrays_and_tables() -> None:
    event = SpecApplied(at=0, fleet="demo", settings=FleetSettings(), declarations=())
    tree: dict[str, Any] = json.loads(encode_event(event))
    tree["declarations"] = [{"spec": {"name": 7}, "salt": 1}, 5, {}]
    told_all = message(json.dumps(tree))
    assert "$.declarations[0].spec.name: expected a text, found 7" in told_all
    assert "$.declarations[1]: expected a table, found 5" in told_all
    assert "$.declarations[2].salt: expected a value, found nothing" in told_all
    tree["declarations"] = "none"
    assert "$.declarations: expected an array" in message(json.dumps(tree))


def test_what_the_core_refuses_is_told_with_its_place() -> None:
    event = SpecApplied(at=0, fleet="demo", settings=FleetSettings(), declarations=())
    tree: dict[str, Any] = json.loads(encode_event(event))
    tree["settings"]["max_concurrent_starts"] = 0
    tree["settings"]["prune"] = "stopp"
    told_all = message(json.dumps(tree))
    assert "one of stop, keep, forget" in told_all
    assert 'did you mean "stop"?' in told_all
    tree["settings"]["prune"] = 7
    assert "found 7" in message(json.dumps(tree))
    tree["settings"]["prune"] = "stop"
    told_all = message(json.dumps(tree))
    assert told_all == "$.settings.max_concurrent_starts: expected >= 1, found 0"


def test_rubbish_is_told_with_its_byte() -> None:
    assert message('{"type":').startswith("byte 8: expected JSON")
    assert decode_event(b"\xff\xfe").failure().message
    assert decode_container(b"7").failure().message
    assert decode_fleet(b"7").failure().message
    assert "$[0]" in decode_commands(b"[7]").failure().message
    assert "$: expected an array" in decode_commands(b"7").failure().message


def test_floats_are_numbers_and_nothing_else() -> None:
    container = Story(spec()).container()
    tree = json.loads(encode_container(container))
    tree["spec"]["restart"]["backoff"]["factor"] = 2
    assert decode_container(json.dumps(tree).encode()).unwrap() == container
    tree["spec"]["restart"]["backoff"]["factor"] = "2"
    assert (
        "expected a number"
        in decode_container(json.dumps(tree).encode()).failure().message
    )


def test_tables_are_tables() -> None:
    tree = json.loads(encode_container(Story(spec()).container()))
    tree["spec"]["ports"] = []
    refusal = decode_container(json.dumps(tree).encode()).failure()
    assert "$.spec.ports: expected a table, found an array" in refusal.message
    tree["spec"]["ports"] = {"http": "x"}
    refusal = decode_container(json.dumps(tree).encode()).failure()
    assert "expected an integer, found 'x'" in refusal.message


def test_a_whole_fleet_is_read_as_it_was_written() -> None:
    settings = FleetSettings(max_concurrent_starts=1, ad_hoc=spec("any"))
    story = Story(spec("a"), spec("b"), settings=settings)
    story.asked(Start(name="c", config=Table.of([("deep", (1, None, "x"))])))
    assert len(story.fleet.waiting) == 2
    assert decode_fleet(encode_fleet(story.fleet)).unwrap() == story.fleet
    tree = json.loads(encode_fleet(story.fleet))
    tree["waiting"] = [[1]]
    refusal = decode_fleet(json.dumps(tree).encode()).failure()
    assert "expected an array of 2" in refusal.message


def test_commands_are_read_as_they_were_written() -> None:
    commands = (StartContainer(name="web", run=1, revision=1), ObserveFleet())
    assert decode_commands(encode_commands(commands)).unwrap() == commands
    assert encode_commands(()) == b"[]"


def test_frozen_json_is_bounded_and_plain() -> None:
    deep: Any = 1
    for _ in range(DEPTH_MAX + 1):
        deep = [deep]
    with pytest.raises(Wrong):
        freeze_json(deep)
    with pytest.raises(Wrong):
        freeze_json({"a": object()})
    tree = json.loads(encode_container(Story(spec()).container()))
    tree["spec"]["config"] = {"a": deep}
    assert "at most 16 levels" in (
        decode_container(json.dumps(tree).encode()).failure().message
    )
    plain = {"a": [1, {"b": None}], "c": "x"}
    assert thaw_json(freeze_json(plain)) == plain


def test_problems_are_short() -> None:
    assert len(shown("x" * 1_000)) < 80
    assert shown({}) == "a table"
    assert suggestion("zzz", ["abc"]) == ""
    assert invalid("a", "b", "c").message == "a: expected b, found 'c'"
    assert told(ValueError()).message == "$: expected a valid value, found ValueError"


def test_an_older_version_rises_step_by_step() -> None:
    steps = {
        1: lambda tree: {**tree, "two": True},
        2: lambda tree: {**tree, "three": True},
    }
    assert upcast(1, {}, steps).unwrap() == {"two": True, "three": True}
    assert upcast(2, {}, steps).unwrap() == {"three": True}
    assert upcast(3, {}, steps).unwrap() == {}
    assert upcast(0, {}, steps).failure().message.startswith("schema: expected")


def test_a_newer_version_is_refused() -> None:
    assert "use a newer release" in message('{"type":"booted"}', SCHEMA + 1)
    assert "expected a table" in message("7", SCHEMA + 1)


def test_golden_events_are_read_for_ever() -> None:
    lines = GOLDEN.read_bytes().splitlines()
    events = [decode_event(line, 1).unwrap() for line in lines]
    assert {type(event) for event in events} == set(get_args(Event))
    assert [encode_event(event) for event in events] == lines


def shape(kind: type, *, later: bool = False) -> dict[str, str]:
    """Name the fields of a class: of its first records, or those that came later."""
    return {
        field.name: str(field.type)
        for field in attrs.fields(attrs.resolve_types(kind))
        if (field.metadata == LATER) is later
    }


def test_the_shape_of_what_is_persisted_changes_only_with_the_schema() -> None:
    path = GOLDEN.parent / "shape.1.json"
    kinds = sorted(persisted(), key=lambda kind: f"{kind.__module__}.{kind.__name__}")
    now = {f"{kind.__module__}.{kind.__name__}": shape(kind) for kind in kinds}
    assert now == json.loads(path.read_text()), (
        "what is persisted has changed its shape: write an upcaster, raise SCHEMA,"
        " and add the golden files of the new version"
    )


def test_a_field_that_came_later_leaves_old_records_as_they_were() -> None:
    """So it needs no new schema: it is read as its default, and not written then."""
    assert shape(ContainerSpec, later=True) == {
        "wait_for": "tuple[str, ...] | None",
        "internet": "<class 'bool'>",
        "instance_type": "<class 'orchestrator.core.hosting.InstanceType'>",
        "placement": "<class 'orchestrator.core.hosting.Placement'>",
        "health": "<class 'orchestrator.core.health.HealthChecks'>",
        "group": "orchestrator.core.groups.Membership | None",
        "depends_on": "orchestrator.core.table.Table[str, "
        "orchestrator.core.dependencies.Condition]",
    }
    assert set(shape(Container, later=True)) == {"stops_after", "generation", "place"}
    assert set(shape(Placement, later=True)) == {"spread"}
    assert set(shape(Service, later=True)) == {"rollout", "autoscaling"}
    assert set(shape(Notice, later=True)) == {"why"}
    assert set(shape(Rollout, later=True)) == {"roll", "wakes_at"}
    assert set(shape(Pending, later=True)) == {"waits_for"}
    assert set(shape(RestartPolicy, later=True)) == {
        "max_restarts",
        "start_budget",
        "success_codes",
        "exit_rules",
        "custom",
    }
    assert set(shape(Backoff, later=True)) == {"delays_ms"}
    assert set(shape(History, later=True)) == {
        "start_failures",
        "unhealthy",
        "failed_in_a_row",
    }
    assert set(shape(Fleet, later=True)) == {
        "groups",
        "observed_at",
        "tickets",
        "notices",
        "services",
        "evicting",
        "awaited",
        "lineages",
        "rolling",
        "loads",
        "rolls",
        "rolls_at",
    }
    assert set(shape(FleetSettings, later=True)) == {"notify"}
    assert set(shape(SpecApplied, later=True)) == {"ticket", "prune", "services"}
    for kind in set(get_args(OwnerEvent)) - {SpecApplied}:
        assert set(shape(kind, later=True)) == {"ticket"}
    spec = ContainerSpec(name="web", image="x")
    assert not shape(ContainerSpec, later=True).keys() & tree_of(spec).keys()
    placed = attrs.evolve(spec, placement=Placement(jurisdiction="eu"))
    assert tree_of(placed)["placement"]["jurisdiction"] == "eu"
    assert read_tree(tree_of(placed), ContainerSpec).unwrap() == placed
    assert read_tree(tree_of(spec), ContainerSpec).unwrap() == spec


def full_spec() -> ContainerSpec:
    """Return a spec that says all that came later."""
    rules = (
        ExitRule(match=Codes(values=(3,)), action=ExitAction.FAIL),
        ExitRule(match=Signals(values=(9,), negated=True), action=ExitAction.IGNORE),
        ExitRule(match=Kinds(values=(ExitKind.LOST,)), action=ExitAction.COMPLETE),
    )
    policy = RestartPolicy(
        max_restarts=7,
        start_budget=2,
        success_codes=(143,),
        exit_rules=rules,
        backoff=Backoff(delays_ms=(1_000, 5_000)),
        custom=CustomPolicyRef(name="own", version=2, params=Table.of([("a", (1,))])),
    )
    http = HttpProbe(port="http", headers=Table.of([("X", "${name}")]), statuses=(204,))
    health = HealthChecks(
        startup=HealthCheck(probe=CommandProbe(command=("true",))),
        readiness=HealthCheck(probe=TcpProbe(port="http"), success_threshold=2),
        liveness=HealthCheck(probe=http, initial_delay_ms=5),
    )
    return ContainerSpec(
        name="web",
        image="x",
        ports=Table.of([("http", 80)]),
        restart=policy,
        health=health,
        group=Membership(group="core", strategy=GroupStrategy.REST_FOR_ONE, position=1),
    )


def test_policies_checks_and_groups_are_read_as_they_were_written() -> None:
    spec = full_spec()
    assert read_tree(tree_of(spec), ContainerSpec).unwrap() == spec
    tree = tree_of(spec)
    assert tree["restart"]["exit_rules"][1] == {
        "match": {"type": "signals", "values": [9], "negated": True},
        "action": "ignore",
    }
    assert tree["health"]["readiness"]["probe"] == {"type": "tcp_probe", "port": "http"}
    event = StartRequested(
        at=5, name="web", declaration=Declaration(spec=spec, salt=1), by="owner"
    )
    assert decode_event(encode_event(event)).unwrap() == event


def test_tickets_are_read_as_they_were_written() -> None:
    story = Story(spec("web"))
    for key in ("one", "two"):
        ticket = Ticket(key=key, digest="00")
        _ = story.asked(Stop(name="web", ticket=ticket), at=5)
    event = StopRequested(at=5, name="web", ticket=Ticket(key="one", digest="00"))
    assert encode_event(event) == (
        b'{"type":"stop_requested","at":5,"name":"web",'
        b'"ticket":{"key":"one","digest":"00"}}'
    )
    assert decode_event(encode_event(event)).unwrap() == event
    fleet = decode_fleet(encode_fleet(story.fleet)).unwrap()
    assert fleet == story.fleet
    assert tree_of(fleet)["tickets"]["order"] == [(1, "one"), (2, "two")]
    assert "tickets" not in tree_of(Story(spec("web")).fleet)
    bad = b'{"type":"stop_requested","at":5,"name":"web","ticket":{"key":"a b"}}'
    assert "$.ticket.digest" in decode_event(bad).failure().message


def test_the_default_policy_is_written_as_the_first_records_had_it() -> None:
    assert set(tree_of(RestartPolicy())) == set(shape(RestartPolicy))
    assert set(tree_of(Backoff())) == set(shape(Backoff))


def persisted() -> set[type]:
    return {
        *TAGGED,
        Awaited,
        CustomPolicyRef,
        ExitRule,
        HealthCheck,
        HealthChecks,
        Autoscaling,
        CanaryStep,
        Lineage,
        Loads,
        Moved,
        PlatformRoll,
        Revision,
        Rollout,
        RolloutPolicy,
        Roster,
        Service,
        Share,
        Membership,
        Declaration,
        Backoff,
        CrashLimit,
        RestartPolicy,
        ContainerSpec,
        FleetSettings,
        Container,
        Desired,
        Fleet,
        History,
        LastRun,
        Notice,
        Notices,
        Notify,
        Ticket,
        Tickets,
        Used,
    }


def test_rollouts_and_loads_are_read_as_they_were_written() -> None:
    web = ContainerSpec(name="web", image="x")
    policy = RolloutPolicy(
        strategy="canary",
        max_surge=Share(25, is_percent=True),
        steps=(CanaryStep(share=Share(1), soak_ms=5),),
        params=Table.of([("a", (1, None))]),
    )
    roster = Roster(
        old=Table.of([((0, "web-0"), None)]),
        moved=Table.of([("web-1", Moved(armed_at=3, ready_at=4))]),
        twins=Table.of([("1", "web-1.r2")]),
    )
    rollout = Rollout(
        service="web",
        target=2,
        previous=1,
        policy=policy,
        status=RolloutStatus.SOAKING,
        since=2,
        began_at=1,
        progress_at=2,
        roster=roster,
        roll=PlatformRoll(revision=2, id="r-1"),
    )
    lineage = Lineage(
        count=2,
        serving=1,
        revisions=(Revision(number=1, template=web, at=1),),
        rollout=rollout,
    )
    scaling = Autoscaling(metric=Metric.CPU, target_milli=70_000, most=3)
    service = Service(template=web, replicas=2, rollout=policy, autoscaling=scaling)
    fleet = Fleet(
        name="demo",
        services=Table.of([("web", service)]),
        lineages=Table.of([("web", lineage)]),
        rolling=Table.of([("web", None)]),
        loads=Table.of([("web", Loads(samples=((1, 2), (3, 4)), scaled_at=1))]),
        rolls=True,
    )
    tree = json.loads(encode_fleet(fleet))
    assert decode_fleet(encode_fleet(fleet)).unwrap() == fleet
    written = tree["lineages"]["web"]["rollout"]
    assert written["policy"]["max_surge"] == {"value": 25, "is_percent": True}
    assert written["roster"]["old"] == [[0, "web-0"]]
    tree["services"]["web"]["rollout"]["max_surge"]["value"] = 101
    refusal = decode_fleet(json.dumps(tree).encode()).failure()
    assert "at most 100%, found 101%" in refusal.message


def test_a_digest_covers_every_part_and_the_one_before() -> None:
    row = (GENESIS, 1, 2, b"event", b"commands", EMPTY)
    digest = chain(*row)
    others = [
        (digest, *row[1:]),
        (GENESIS, 2, *row[2:]),
        (GENESIS, 1, 3, *row[3:]),
        (*row[:3], b"other", *row[4:]),
        (*row[:4], b"other", EMPTY),
        (*row[:5], GENESIS),
    ]
    assert len({digest, *(chain(*other) for other in others)}) == 7


def test_an_event_of_an_older_version_is_brought_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def renamed(tree: dict[str, Any]) -> dict[str, Any]:
        return {**{k: v for k, v in tree.items() if k != "era"}, "epoch": tree["era"]}

    monkeypatch.setattr("orchestrator.codec.wire.SCHEMA", 2)
    monkeypatch.setitem(UPCASTERS, 1, renamed)
    old = b'{"type":"booted","at":1,"era":2,"rules":3}'
    assert decode_event(old, schema=1).unwrap() == Booted(at=1, epoch=2, rules=3)
    assert decode_event(b"[]", schema=1).failure().problems[0].expected == "a table"
