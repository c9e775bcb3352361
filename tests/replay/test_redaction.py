"""What is shared says nothing of the owner's words, and decides as the original did."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from enum import Enum
from typing import Any

import attrs
import pytest

from orchestrator.codec.wire import TAGGED, encode_event, encode_fleet
from orchestrator.core import errors, events, exits
from orchestrator.core.commands import StopContainer
from orchestrator.core.events import (
    Booted,
    CommandFailed,
    CommandKind,
    ContainerEnded,
    ContainerErrored,
    ContainerObserved,
    ContainerReady,
    ContainerStarted,
    Declaration,
    Event,
    FleetObserved,
    HealthChanged,
    SpecApplied,
    StartRequested,
    StopRequested,
)
from orchestrator.core.exits import Exited, StartFailed, Unhealthy
from orchestrator.core.fingerprints import fingerprint
from orchestrator.core.fleet_specs import FleetSettings
from orchestrator.core.groups import GroupStrategy, Membership
from orchestrator.core.health import (
    CheckKind,
    CommandProbe,
    HealthCheck,
    HealthChecks,
    HttpProbe,
    TcpProbe,
)
from orchestrator.core.hosting import REGIONS, InstanceType, Placement
from orchestrator.core.names import is_env_key, is_name, is_port_name
from orchestrator.core.observations import SeenRunning
from orchestrator.core.origins import Prune
from orchestrator.core.policies import CustomPolicyRef, RestartPolicy
from orchestrator.core.reduce import step_of
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import RULES, Container, Fleet
from orchestrator.core.table import Table
from orchestrator.replay.history import NOTHING
from orchestrator.replay.redacted.pseudonyms import Kept, Kind, Pseudonyms, Vocabulary
from orchestrator.replay.redacted.redaction import DECIDED, redact

KEY = b"chance, drawn by a test"
SECRETIVE = "zq7"
"""Every text of the owner's below holds it."""


def hears(*values: Any, kept: tuple[Kept, ...] = ()) -> Pseudonyms:
    vocabulary = Vocabulary()
    for value in values:
        assert redact(value, vocabulary) == value
    return Pseudonyms.of(vocabulary, key=KEY, kept=kept)


# -- nothing is forgotten


def texts_of(hint: Any) -> bool:
    """Say whether a type holds texts that no class of ours holds."""
    if isinstance(hint, str | typing.ForwardRef):
        return True  # the owner's JSON names itself
    if isinstance(hint, type) and not typing.get_origin(hint):
        return issubclass(hint, str) and not issubclass(hint, Enum)
    return any(texts_of(inner) for inner in typing.get_args(hint))


def classes_of(hint: Any) -> Iterator[type]:
    if isinstance(hint, type) and attrs.has(hint):
        yield hint
    for inner in typing.get_args(hint):
        yield from classes_of(inner)


def persisted() -> dict[type, dict[str, Any]]:
    """Return every class that a journal may hold, with the types of its fields."""
    found: dict[type, dict[str, Any]] = {}
    rest: list[type] = [*TAGGED, Container, Fleet]
    while rest:
        kind = rest.pop()
        if kind not in found:
            hints = typing.get_type_hints(kind)
            found[kind] = {f.name: hints[f.name] for f in attrs.fields(kind)}
            rest += [c for hint in found[kind].values() for c in classes_of(hint)]
    return found


def test_somebody_has_decided_about_every_text_that_a_journal_may_hold() -> None:
    """Where this fails a field is new: say in ``DECIDED`` what becomes of it."""
    holds_texts = {
        (kind.__name__, field)
        for kind, fields in persisted().items()
        for field, hint in fields.items()
        if texts_of(hint)
    }
    decided = {(kind.__name__, f) for kind, fields in DECIDED.items() for f in fields}
    assert holds_texts == decided
    assert len(persisted()) > 60


def test_a_text_that_nobody_has_decided_about_is_not_shown() -> None:
    @attrs.frozen
    class New:
        note: str

    with pytest.raises(AssertionError, match="expected a decision about a str"):
        redact(New("a text"), hears())


# -- a history full of the owner's words

CHECK = HealthCheck(
    probe=HttpProbe(
        port="zq7-http",
        path="/zq7/ready",
        headers=Table.of([("X-Zq7", "zq7 ${secret.ZQ7_TOKEN}"), ("Host", "zq7.test")]),
    )
)
WEB = ContainerSpec(
    name="zq7-web-0",
    service="zq7-web",
    image="registry.test/zq7:1",
    command=("zq7", "--at=${config.zq7.deep}", "${port.zq7-http}$${zq7}${name}"),
    working_dir="/srv/zq7",
    ports=Table.of([("zq7-http", 80), ("zq7-admin", 81)]),
    config=Table.of(
        [
            ("zq7", Table.of([("deep", "zq7"), ("account", 77_777_777)])),
            ("zq7-list", ("zq7", 1, True, None, 2.5, 3.0)),
        ]
    ),
    env=Table.of([("ZQ7_KEY", "zq7=${secret.ZQ7_TOKEN}"), ("PLAIN_ZQ7", "")]),
    wait_for=("zq7-http",),
    instance_type=InstanceType(
        name="zq7-large", vcpu=1.0, memory_mib=3_072, disk_mb=1_000
    ),
    placement=Placement(regions=("WEUR", "EEUR"), jurisdiction="eu"),
    health=HealthChecks(
        startup=HealthCheck(probe=CommandProbe(command=("zq7-check",))),
        readiness=HealthCheck(probe=TcpProbe(port="zq7-admin")),
        liveness=CHECK,
    ),
    group=Membership(group="zq7-group", strategy=GroupStrategy.ONE_FOR_ALL, position=0),
    restart=RestartPolicy(
        custom=CustomPolicyRef(
            name="strikes", version=1, params=Table.of([("zq7", "zq7")])
        )
    ),
)
DB = ContainerSpec(
    name="zq7-db",
    image="zq7",
    group=Membership(group="zq7-group", strategy=GroupStrategy.ONE_FOR_ALL, position=1),
)
SETTINGS = FleetSettings(
    container_name_env_key="ZQ7_NAME", ad_hoc=ContainerSpec(name="zq7-any", image="zq7")
)


def applied(at: int, *specs: ContainerSpec, settings: FleetSettings = SETTINGS) -> Any:
    return SpecApplied(
        at=at,
        fleet="zq7-fleet",
        settings=settings,
        declarations=tuple(
            Declaration(spec=spec, salt=number) for number, spec in enumerate(specs)
        ),
        by="ann.zq7",
        why="zq7 asked",
    )


HISTORY: tuple[Event, ...] = (
    Booted(at=0, epoch=1, rules=RULES),
    applied(1, WEB, DB),
    FleetObserved(
        at=2, complete=True, strangers=Table.of([("zq7-lost", 4)]), cause="zq7"
    ),
    ContainerStarted(at=3, name="zq7-db", run=1, cursor="zq7/17"),
    ContainerReady(
        at=4,
        name="zq7-db",
        run=1,
        addresses=Table.of([("zq7-http", "zq7.test:80")]),
    ),
    ContainerErrored(at=5, name="zq7-db", run=1, cause="zq7 is out of reach"),
    HealthChanged(
        at=6,
        name="zq7-web-0",
        run=1,
        check=CheckKind.LIVENESS,
        passing=False,
        cause="zq7",
    ),
    CommandFailed(
        at=7,
        name="zq7-web-0",
        run=1,
        kind=CommandKind.START,
        error=errors.SecretMissing(name="zq7-web-0", key="ZQ7_TOKEN"),
    ),
    ContainerEnded(at=8, name="zq7-db", run=1, exit=StartFailed(reason="zq7 failed")),
    ContainerObserved(
        at=9,
        name="zq7-db",
        run=1,
        sight=SeenRunning(
            ready=True, addresses=Table.of([("zq7-http", "10.0.0.9:zq7")])
        ),
        fingerprint="zq7",
    ),
    StartRequested(at=10, name="zq7-new", by="zq7", why="zq7"),
    StopRequested(at=11, name="zq7-db", by="zq7", why="zq7"),
    ContainerEnded(at=12, name="zq7-db", run=1, exit=Unhealthy(check="zq7")),
)


def commutes(history: tuple[Event, ...], words: Pseudonyms) -> Fleet:
    """Hold every step of a redacted history to the redacted step; return the end."""
    fleet = NOTHING
    shown = redact(fleet, words)
    assert shown == fleet
    for event in history:
        step = step_of(fleet, event)
        other = step_of(shown, redact(event, words))
        fleet, shown = step.after, other.after
        assert other.commands == redact(step.commands, words)
        assert shown == redact(fleet, words)
        assert other.touched == tuple(words.text(Kind.NAME, n) for n in step.touched)
    return shown


def test_no_word_of_the_owner_is_left_and_all_is_decided_as_before() -> None:
    words = hears(*HISTORY, StopContainer(name="zq7", run=1, signal="TERM", grace_ms=1))
    shown = b"".join(encode_event(redact(event, words)) for event in HISTORY)
    shown += encode_fleet(commutes(HISTORY, words))
    assert SECRETIVE not in shown.decode().lower()
    assert "deep" not in shown.decode()
    assert "77777777" not in shown.decode()
    assert "registry" not in shown.decode()


def test_what_the_owner_allows_is_kept() -> None:
    everything = hears(*HISTORY, kept=tuple(Kept))
    for event in HISTORY:
        if not isinstance(event, ContainerObserved):  # its fingerprint is of no spec
            assert redact(event, everything) == event
    words = hears(*HISTORY, kept=(Kept.NAMES,))
    shown = redact(applied(1, WEB), words)
    assert isinstance(shown, SpecApplied)
    assert (shown.fleet, shown.by != "ann.zq7") == ("zq7-fleet", True)
    spec = shown.declarations[0].spec
    assert (spec.name, spec.service) == ("zq7-web-0", "zq7-web")
    assert spec.group == WEB.group
    assert spec.image != WEB.image
    assert SECRETIVE not in str(spec.config)
    assert Kept.PARAMS in Pseudonyms.of(Vocabulary(), key=KEY).kept


def test_pseudonyms_are_valid_where_a_spec_is_checked() -> None:
    words = hears(WEB)
    spec = redact(WEB, words)
    assert is_name(spec.name)
    assert all(map(is_port_name, spec.ports))
    assert all(map(is_env_key, spec.env))
    assert list(spec.ports.values()) == [81, 80]
    assert spec.placement.jurisdiction is not None
    assert set(spec.placement.regions) <= set(REGIONS)
    assert spec.command[1].startswith("word-")
    assert spec.command[1].endswith("${config.k3.k2}")
    assert spec.command[2].endswith("${name}")
    assert "${config" not in spec.command[2]


def test_a_dotted_path_may_name_one_key() -> None:
    spec = ContainerSpec(
        name="a",
        command=("${config.a.b}", "${config.a.c}"),
        config=Table.of([("a.b", 1), ("a", Table.of([("c", 2)]))]),
    )
    shown = redact(spec, hears(spec))
    assert shown.command == ("${config.k2}", "${config.k1.k4}")
    assert list(shown.config) == ["k1", "k2"]


def test_a_template_that_is_kept_is_kept_to_the_letter() -> None:
    spec = ContainerSpec(name="a", command=("$$${x}$${${name}$$${y}${port.b}",))
    assert redact(spec, hears(spec, kept=(Kept.CONFIG,))).command == spec.command
    shown = redact(spec, hears(spec)).command[0]
    assert shown.count("word-") == 2
    assert shown.endswith("${port.p1}")


# -- what the core makes of texts

REASONS = (
    errors.ContainerStartFailed(name="web", cause="no image zq7"),
    errors.ContainerStartFailed(name="we'b", cause=""),
    errors.ContainerStopFailed(name="db", cause="a: 'web' could not be started: b"),
    errors.Refused(cause="zq7"),
    errors.Refused(cause=""),
    errors.Unreachable(cause="zq7"),
    errors.TimedOut(after_ms=5),
    errors.StaleRun(name="web", run=1, highest=4),
    errors.StaleOperator(epoch=1, highest=2),
    errors.Unauthorized(cause="zq7"),
    errors.RateLimited(retry_after_ms=7),
    errors.SecretMissing(name="web", key="zq7"),
    errors.EnvVarsFailed(name="web", cause_type="zq7Error"),
)
WEB_ALONE = ContainerSpec(
    name="web",
    command=("run",),
    start_timeout_ms=1_250,
    restart=RestartPolicy(start_budget=9),
    ports=Table.of([("http", 80)]),
    health=HealthChecks(startup=HealthCheck(probe=TcpProbe(port="http"))),
)
BEGUN: tuple[Event, ...] = (
    Booted(at=0, epoch=1, rules=RULES),
    applied(1, WEB_ALONE),
    FleetObserved(at=2, complete=True),
)


@pytest.mark.parametrize("error", REASONS, ids=str)
def test_why_a_start_failed_is_renamed_as_the_core_would_say_it(error: Any) -> None:
    failed = CommandFailed(at=3, name="web", run=1, kind=CommandKind.START, error=error)
    for kept in ((), (Kept.TEXTS,), (Kept.NAMES,)):
        words = hears(*BEGUN, failed, kept=kept)
        _ = commutes((*BEGUN, failed), words)


@pytest.mark.parametrize("cause", ["", "zq7 answered 503"])
def test_a_failed_startup_check_is_renamed_as_the_core_would_say_it(cause: str) -> None:
    checked = HealthChanged(
        at=4, name="web", run=1, check=CheckKind.STARTUP, passing=False, cause=cause
    )
    started = ContainerStarted(at=3, name="web", run=1)
    history = (*BEGUN, started, checked)
    shown = commutes(history, hears(*history))
    verdict = getattr(shown.containers["c1"].phase, "verdict", None)
    assert isinstance(verdict, StartFailed)
    assert verdict.reason.startswith("its startup check failed")
    assert "zq7" not in verdict.reason


def test_a_start_that_took_too_long_says_so_still() -> None:
    history = (*BEGUN, events.TimeReached(at=1_252, name="web"))
    shown = commutes(history, hears(*history))
    verdict = getattr(shown.containers["c1"].phase, "verdict", None)
    assert verdict == StartFailed(reason="not started within 1s250ms")


def test_what_only_looks_like_a_word_of_the_core_is_replaced() -> None:
    for reason in (
        "not ready within 5 zq7",
        "container zq7 could not be started: zq7",
        "container 'zq7 could not be started: zq7",
        "the image of zq7 is missing",
    ):
        failed = StartFailed(reason=reason)
        shown = redact(failed, hears(failed)).reason
        assert SECRETIVE not in shown


def test_one_who_leaves_with_the_file_is_told_so_still() -> None:
    for prune in Prune:
        settings = attrs.evolve(SETTINGS, prune=prune)
        history = (*BEGUN, applied(5, settings=settings))
        shown = commutes(history, hears(*history))
        if prune is Prune.STOP:
            desired = shown.containers["c1"].desired
            assert desired.why == "its spec has left the fleet"


def test_a_run_is_adopted_by_the_fingerprint_of_its_spec() -> None:
    ended = ContainerEnded(at=3, name="web", run=1, exit=Exited(code=1))

    def seen(mark: str) -> ContainerObserved:
        return ContainerObserved(
            at=4, name="web", run=7, sight=SeenRunning(), fingerprint=mark
        )

    marks = ("", fingerprint(WEB_ALONE), fingerprint(WEB), "f" * 16)
    for mark in marks:
        history = (*BEGUN, ended, seen(mark))
        shown = commutes(history, hears(*history))
        phase = type(shown.containers["c1"].phase).__name__
        assert phase == ("Running" if mark in marks[:2] else "Stopping")


# -- how words become others


def test_the_order_of_names_is_kept_whatever_their_number() -> None:
    names = [f"n{number}" for number in range(120)]
    vocabulary = Vocabulary()
    for name in (*names, ""):
        assert vocabulary.text(Kind.NAME, name) == name
    words = Pseudonyms.of(vocabulary, key=KEY)
    shown = [words.text(Kind.NAME, name) for name in sorted(names)]
    assert shown == sorted(shown)
    assert (shown[0], shown[-1]) == ("c001", "c120")
    assert not words.text(Kind.NAME, "")


def test_the_word_that_every_fleet_begins_with_stays_in_its_place() -> None:
    keys = ("A_KEY", "CONTAINER_NAME", "PATH", "Z_KEY")
    spec = ContainerSpec(name="a", image="b", env=Table.of((key, "") for key in keys))
    assert list(redact(spec, hears(spec)).env) == ["B1", "CONTAINER_NAME", "E2", "E3"]


def test_equal_numbers_stay_equal_and_of_their_type() -> None:
    words = hears()
    pairs = [(7, 7.0), (-3, -3.0), (10**18, 1e18), (0, -0.0), (1, 1.0)]
    for one, other in pairs:
        shown = words.number(Kind.CONFIG_VALUE, one)
        twin = words.number(Kind.CONFIG_VALUE, other)
        assert shown == twin
        assert (type(shown), type(twin)) == (int, float)
    half = words.number(Kind.CONFIG_VALUE, 2.5)
    assert half != 2.5
    assert half % 1 == 0.5
    assert words.number(Kind.PARAM_VALUE, 1.25) != 1.25
    assert hears(kept=(Kept.PARAMS,)).number(Kind.PARAM_VALUE, 1.25) == 1.25


def test_words_of_a_closed_list_change_places() -> None:
    words = hears()
    shown = [words.choice(Kind.REGION, region, REGIONS) for region in REGIONS]
    assert sorted(shown) == sorted(REGIONS)
    assert shown != list(REGIONS)


def test_nobody_can_try_out_what_a_text_might_have_been() -> None:
    texts = {
        Pseudonyms.of(Vocabulary(), key=key, kept=()).text(Kind.TEXT, "no disk left")
        for key in (b"one" * 8, b"two" * 8)
    }
    assert len(texts) == 2


def test_a_signal_a_size_or_a_check_of_ours_is_no_secret() -> None:
    signal = StopContainer(name="a", run=1, signal="KILL", grace_ms=1)
    assert redact(signal, hears(signal)).signal == "KILL"
    odd = attrs.evolve(signal, signal="ZQ7")
    assert redact(odd, hears(odd)).signal.startswith("text-")
    ill = exits.Unhealthy(check="liveness")
    assert redact(ill, hears(ill)) == ill


def test_replicas_are_named_by_what_their_service_has_become() -> None:
    heard = Vocabulary()
    _ = heard.text(Kind.SERVICE, "web")
    for name in ("web-0", "web-api", "api", "web-1.r2", "web-00"):
        _ = heard.text(Kind.NAME, name)
    words = Pseudonyms.of(heard, key=bytes(16))
    assert words.text(Kind.NAME, "web") == "c2"
    assert words.text(Kind.NAME, "web-7.r3") == "c2-7.r3"
    others = [words.text(Kind.NAME, name) for name in sorted(heard.words[Kind.NAME])]
    assert others == ["c1", "c2-0", "c2-0-1", "c2-1.r2", "c2-1.r2-2"]
    assert others == sorted(others)
    with pytest.raises(KeyError):
        _ = words.text(Kind.NAME, "web-unheard")


def test_what_the_core_says_itself_is_kept_and_the_owner_s_words_are_not() -> None:
    words = Pseudonyms.of(Vocabulary(), key=bytes(16))
    own = (
        "autoscaler",
        "its rollout is over",
        "rollout",
        "all are stopped before new ones start",
        "its service needs one of its index alone",
        "a replica of revision 3 has taken its place",
        "its load is 412 on the average of 1m, 0.25 for each: 3 to 5 replicas",
    )
    assert tuple(words.text(Kind.TEXT, text) for text in own) == own
    assert words.text(Kind.TEXT, f"{own[5]}, said Ada").startswith("text-")
