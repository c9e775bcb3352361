"""A fleet declared in Python is the one that a file declares, told of as well."""

from __future__ import annotations

import typing
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import Any

import attrs
import pytest

import orchestrator
from orchestrator import (
    Backoff,
    CommandProbe,
    ContainerSpec,
    CrashLimit,
    ExitAction,
    ExitRule,
    FleetFile,
    HealthCheck,
    HealthChecks,
    HttpProbe,
    InvalidFleet,
    Kinds,
    Placement,
    RestartPolicy,
    When,
    container,
    fleet,
)
from orchestrator.codec import fleet_keys, fleet_service_keys
from orchestrator.codec.api_choice import ApiChoice
from orchestrator.codec.fleet_autoscaling import NAMED
from orchestrator.codec.fleet_entries import ContainerEntry
from orchestrator.codec.fleet_file import read_fleet_file
from orchestrator.codec.fleet_functions import in_folder
from orchestrator.codec.fleet_tables import DURATIONS, LISTS
from orchestrator.codec.journal_choice import JournalChoice, JournalKind, LeaseChoice
from orchestrator.codec.platform_choices import CloudflareChoice, SimulatedChoice
from orchestrator.core.autoscaling import Autoscaling
from orchestrator.core.exit_rules import ExitKind
from orchestrator.core.fleet_specs import FleetSettings
from orchestrator.core.health import TcpProbe
from orchestrator.core.notify import Notify
from orchestrator.core.policies import CustomPolicyRef
from orchestrator.core.rollout_policies import CanaryStep, RolloutPolicy
from orchestrator.core.table import Table
from tests.codec.test_fleet_file import FULL

anything: Any = fleet
entry: Any = container
"""The same, for what a type checker refuses."""


def in_srv(**keys: Any) -> FleetFile:
    made: FleetFile = anything("demo", folder="/srv", **keys)
    return made


def one(**keys: Any) -> ContainerSpec:
    """Return the only container of a fleet in which it is declared."""
    return in_srv(containers=[entry("web", **keys)]).spec.containers[0]


def problems(name: object = "demo", **keys: Any) -> list[str]:
    with pytest.raises(InvalidFleet) as caught:
        anything(name, **keys)
    told = [problem.message for problem in caught.value.error.problems]
    assert str(caught.value) == "\n".join(told)
    return told


def wrong(**keys: Any) -> list[str]:
    return problems(containers=[entry("web", **({"command": ["run"]} | keys))])


def test_it_is_what_the_file_says() -> None:
    made = fleet(
        "demo",
        folder="/srv",
        reconcile_interval="10s",
        container_name_env_key="NAME_OF_CONTAINER",
        min_restart_delay_ms=50,
        max_concurrent_starts=4,
        max_starts_per_minute=60,
        prune="keep",
        env_vars="ours.env:build",
        hooks="ours.hooks:Hooks",
        platform={"kind": "local", "log_max_bytes": 1000},
        journal={"snapshot_every": 250},
        restart={
            "when": "on_failure",
            "crash": {"window": "10m", "allowed_crashes": 3, "on_loop": "hold"},
            "backoff": {"initial_ms": 100, "factor": 3},
        },
        containers=(
            container(
                "web",
                command=("serve", "${port.http}"),
                ports={"http": 8080},
                config={"log_level": "debug", "nested": {"list": [1, 2.5, True]}},
                env={"LOG_LEVEL": "${config.log_level}", "N": "${config.nested.list}"},
                restart={"when": "always", "backoff": {"max": "30s"}},
                replicas=2,
                stop_grace="5s",
                working_dir="sub/folder",
            ),
            container("alone", image="registry/alone:1", command=["run"]),
        ),
        ad_hoc={"command": ["work", "${config.queue}"]},
    )
    read = read_fleet_file(FULL.encode(), file="fleet.toml", folder="/srv")
    assert made == read.unwrap()


def test_the_face_has_them() -> None:
    assert orchestrator.fleet is fleet
    assert orchestrator.container is container


def test_values_of_the_core_stand_for_tables() -> None:
    policy = RestartPolicy(when=When.NEVER, max_restarts=2)
    checks = HealthChecks(
        startup=HealthCheck(probe=CommandProbe(command=("check",)), period_ms=1),
        readiness=HealthCheck(probe=HttpProbe(port="http"), success_threshold=2),
        liveness=HealthCheck(probe=TcpProbe(port="http")),
    )
    placement = Placement(regions=("WEUR",))
    spec = one(
        command=["run"],
        ports=Table.of([("http", 80)]),
        restart=policy,
        health=checks,
        placement=placement,
    )
    assert (spec.restart, spec.health) == (policy, checks)
    assert spec.placement == placement
    tables = {
        "startup": checks.startup,
        "readiness": {"http": HttpProbe(port="http"), "success_threshold": 2},
        "liveness": {"tcp": TcpProbe(port="http")},
    }
    assert one(command=["run"], ports={"http": 1}, health=tables).health == checks
    for size in orchestrator.INSTANCE_TYPES.values():
        assert one(command=["run"], instance_type=size).instance_type == size
        assert one(command=["run"], instance_type=size.name).instance_type == size


def test_sections_may_be_values_too() -> None:
    notify = Notify(url="https://a.invalid/x", backoff=Backoff(jitter=0))
    made = in_srv(
        platform=SimulatedChoice(seed=3),
        journal=JournalChoice(snapshot_every=9),
        api=ApiChoice(tls_cert="/etc/c.pem", tls_key="/etc/k.pem"),
        notify=notify,
    )
    assert made.platform == SimulatedChoice(seed=3)
    assert made.journal.snapshot_every == 9
    assert made.api.tls_key == "/etc/k.pem"
    assert made.spec.settings.notify == notify


def test_a_shared_journal_and_a_lease_may_be_values_too() -> None:
    far = JournalChoice(kind=JournalKind.DURABLE_OBJECT)
    gateway = {"kind": "cloudflare", "url": "https://gateway.example"}
    made = in_srv(platform=gateway, journal=far, lease=LeaseChoice())
    assert (made.journal, made.lease) == (far, LeaseChoice(duration_ms=15_000))
    made = in_srv(platform=gateway, journal=far, lease={"duration": "4s"})
    assert made.lease == LeaseChoice(duration_ms=4_000)
    assert in_srv(platform=gateway, journal=far).lease is None


def test_a_policy_that_is_a_value_is_meant_whole() -> None:
    rule = ExitRule(match=Kinds(values=(ExitKind.LOST,)), action=ExitAction.FAIL)
    shared = RestartPolicy(
        max_restarts=1,
        exit_rules=(rule,),
        custom=CustomPolicyRef(name="gentle", version=1),
        crash=CrashLimit(allowed_crashes=0),
        backoff=Backoff(delays_ms=(5, 10)),
    )
    made = in_srv(
        policies="ours:POLICIES",
        restart=shared,
        containers=[
            entry("a", command=["run"]),
            entry("b", command=["run"], restart=RestartPolicy()),
            entry("c", command=["run"], restart={"backoff": Backoff()}),
            entry("d", command=["run"], restart={"crash": CrashLimit()}),
        ],
    )
    a, b, c, d = (spec.restart for spec in made.spec.containers)
    assert a == shared
    assert b == RestartPolicy()
    assert c == attrs.evolve(shared, backoff=Backoff())
    assert d == attrs.evolve(shared, crash=CrashLimit())


def test_durations_are_texts_milliseconds_or_timedeltas() -> None:
    for grace in ({"stop_grace": "1m30s"}, {"stop_grace_ms": 90_000}):
        assert one(command=["run"], **grace).stop_grace_ms == 90_000
    assert one(command=["run"], stop_grace=timedelta(seconds=90)).stop_grace_ms == (
        90_000
    )
    delays = {"backoff": {"delays": [timedelta(0), "2s"]}}
    assert one(command=["run"], restart=delays).restart.backoff.delays_ms == (0, 2_000)


def test_members_of_enumerations_are_their_words() -> None:
    spec = one(command=["run"], restart={"when": When.NEVER}, config={"w": When.ALWAYS})
    assert spec.restart.when is When.NEVER
    assert type(spec.config["w"]) is str


class Text(str):
    """A text of somebody else's kind, as many libraries have."""

    __slots__ = ()

    def __str__(self) -> str:
        return "something else"


def test_texts_of_another_kind_are_the_texts_that_they_are() -> None:
    made = one(command=[Text("run")], env={Text("A"): Text("x")}, image=Text("i"))
    assert made == one(command=["run"], env={"A": "x"}, image="i")
    spec = one(command=["run"], config={Text("k"): Text("v")})
    assert [type(key) for key in spec.config] == [str]
    assert type(spec.config["k"]) is str
    assert type(made.command[0]) is str


def test_two_entries_of_one_name_are_told() -> None:
    pair = [entry("web", command=["run"], **more) for more in ({}, {"replicas": 2})]
    for given in (pair, pair[::-1]):
        assert problems(containers=given) == [
            "container('web').name: expected a name of its own, found 'web'"
        ]


def test_what_is_none_is_not_said() -> None:
    assert one(command=["run"], image=None, ports=None) == one(command=["run"])
    assert in_srv(prune=None, containers=None) == in_srv()


def test_containers_may_come_one_by_one() -> None:
    names = (f"w{number}" for number in range(3))
    made = in_srv(containers=(entry(name, command=["run"]) for name in names))
    assert [spec.name for spec in made.spec.containers] == ["w0", "w1", "w2"]


def test_an_entry_shows_nothing_but_its_name() -> None:
    made = container("web", command=["run"], env={"TOKEN": "hunter2"})
    assert repr(made) == "container('web')"
    assert isinstance(made, ContainerEntry)


def test_paths_are_relative_to_the_folder_that_is_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def place(**keys: Any) -> str | None:
        made = anything("x", containers=[entry("a", command=["run"])], **keys)
        found: str | None = made.spec.containers[0].working_dir
        return found

    monkeypatch.chdir(tmp_path)
    assert place() == str(tmp_path)
    assert place(folder="sub") == str(tmp_path / "sub")
    with in_folder("/srv"):
        assert place() == "/srv"
        assert place(folder=PurePosixPath("/opt")) == "/opt"
    assert place() == str(tmp_path)
    assert one(command=["run"], working_dir=Path("a")).working_dir == "/srv/a"


CUSTOM = "restart.custom: expected a fleet that names its policies, found 'steps'"


def test_every_problem_is_told_with_its_path_in_python() -> None:
    told = problems(
        "A b",
        prun="keep",
        platform={"kind": "locla"},
        groups={"g": {"strategy": "one", "members": ["wep"]}},
        restart={"custom": {"name": "steps", "version": 1}},
        containers=[
            entry("web", comand=["x"], stop_grace="soon"),
            entry("web", command=["x"], replicas=-1),
            3,
            {"name": 4, "image": "x", "command": ["x"], "stop_signal": "FOO"},
        ],
    )
    for message in (
        "fleet.prun: expected a known key, found 'prun'; did you mean \"prune\"?",
        "platform.kind: expected one of local, simulated, cloudflare, found 'locla'",
        CUSTOM,
        "groups.g.members[0]: expected the name of a container of this file, found",
        "container('web').stop_grace: expected a duration such as",
        "container('web').comand: expected a known key, found 'comand'; did you mean",
        "container('web').command: expected a command or an image, found neither",
        "container('web').replicas: expected a number from 0 to 10000, found -1",
        "containers[2]: expected a table, found 3",
        "containers[3].stop_signal: expected in (TERM, INT,",
        "fleet.name: expected a name of a-z, 0-9, '.', '_' and '-', found 'A b'",
    ):
        assert any(each.startswith(message) for each in told), (message, told)


class Lost:
    """A path that nobody can tell."""

    def __fspath__(self) -> str:
        raise LookupError("hunter2")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {"command": (word for word in ("run",))},
            "command: expected an array, found a generator",
        ),
        (
            {"working_dir": Lost()},
            "working_dir: expected a text, found a path that raises LookupError",
        ),
        ({"replicsa": 2}, "replicsa: expected a known key, found 'replicsa'; did you"),
        ({"stop_grace": 5}, "stop_grace: expected a duration such as"),
        ({"stop_grace": timedelta(-1)}, "stop_grace: expected a duration such as"),
        (
            {"stop_grace": timedelta(microseconds=1)},
            "stop_grace: expected a duration such as",
        ),
        (
            {"config": {"a": timedelta(1)}},
            "config.a: expected text, number, true, false, array or table, found "
            "datetime.timedelta(days=1)",
        ),
        ({"config": {"a": RestartPolicy()}}, "config.a: expected text, number, true"),
        (
            {"env": {80: "x"}},
            "env: expected a table, found a table with the key 80, which is no text",
        ),
        ({"env": {"A": "${config.x}"}}, "env.A: expected a key of this container's"),
        ({"command": "run"}, "command: expected an array, found 'run'"),
        ({"command": ["${secret.X}"]}, "command[0]: expected no secret, found"),
        ({"restart": {"when": "alway"}}, "restart.when: expected one of always, on_f"),
        ({"health": {"startup": {}}}, "health.startup: expected one of http, tcp, c"),
        ({"instance_type": "ligth"}, "instance_type: expected one of lite, basic,"),
        ({"depends_on": {"wep": "ready"}}, "depends_on.wep: expected the name of a"),
        ({"group": "g"}, "group: expected no such key here, found 'g'"),
    ],
)
def test_what_is_wrong_with_a_container_is_told(
    keys: dict[str, Any], message: str
) -> None:
    told = wrong(**keys)
    assert any(each.startswith(f"container('web').{message}") for each in told), told


@pytest.mark.parametrize("containers", ["web", 3, {"web": 1}, entry("web")])
def test_what_is_no_list_of_containers_is_told(containers: object) -> None:
    (told,) = problems(containers=containers)
    assert told.startswith("containers: expected an array of tables, found ")


def test_what_holds_itself_has_an_end() -> None:
    table: dict[str, Any] = {}
    table["a"] = table
    array: list[Any] = []
    array.append(array)
    (told,) = wrong(config=table)
    assert told.endswith("expected at most 16 levels, found a table")
    (told,) = wrong(config={"a": array})
    assert told.endswith("expected at most 16 levels, found an array")
    assert "container('web').health.a: expected a known key" in wrong(health=table)[0]
    assert wrong(restart={"crash": table})


def keys_of(table: type) -> set[str]:
    return set(typing.get_type_hints(table))


def file_keys(*kinds: type, but: Iterable[str] = ()) -> set[str]:
    """Return the keys that a file has for fields, a duration with both of its."""
    names = {each.name for kind in kinds for each in attrs.fields(kind)} - {*but}
    timed = {name.removesuffix("_ms") for name in names & (DURATIONS | LISTS)}
    return names | timed


def test_every_key_of_a_file_has_its_type() -> None:
    spelt = ("service", "replica", "group")
    template = file_keys(ContainerSpec, but=("name", *spelt))
    assert keys_of(fleet_keys.TemplateKeys) == template
    assert keys_of(fleet_keys.ContainerKeys) == template | {
        *("replicas", "rollout", "autoscaling")
    }
    settings = file_keys(FleetSettings)
    assert keys_of(fleet_keys.FleetKeys) == settings | {
        *("containers", "restart", "groups", "platform", "journal", "lease", "api"),
        *("env_vars", "hooks", "policies", "folder", "rollout"),
    }
    assert keys_of(fleet_keys.RestartTable) == file_keys(RestartPolicy)
    assert keys_of(fleet_service_keys.RolloutTable) == file_keys(RolloutPolicy)
    assert keys_of(fleet_service_keys.StepTable) == file_keys(CanaryStep)
    scaling = file_keys(Autoscaling, but=NAMED) | {*NAMED.values()}
    assert keys_of(fleet_service_keys.AutoscalingTable) == scaling
    assert keys_of(fleet_keys.CrashTable) == file_keys(CrashLimit)
    assert keys_of(fleet_keys.BackoffTable) == file_keys(Backoff)
    assert keys_of(fleet_keys.CustomTable) == file_keys(CustomPolicyRef)
    assert keys_of(fleet_keys.PlacementTable) == file_keys(Placement)
    assert keys_of(fleet_keys.HttpTable) == file_keys(HttpProbe)
    assert keys_of(fleet_keys.TcpTable) == file_keys(TcpProbe)
    assert keys_of(fleet_keys.ApiTable) == file_keys(ApiChoice)
    assert keys_of(fleet_keys.JournalTable) == file_keys(JournalChoice)
    assert keys_of(fleet_keys.LeaseTable) == file_keys(LeaseChoice)
    assert keys_of(fleet_keys.NotifyTable) == file_keys(Notify)
    check = file_keys(HealthCheck, but=("probe",)) | {"http", "tcp", "command"}
    assert keys_of(fleet_keys.CheckTable) == check
    platforms = file_keys(CloudflareChoice) | {"kind", "seed", "log_max_bytes"}
    assert keys_of(fleet_keys.PlatformTable) == platforms
