"""A fleet file is read whole, or every problem in it is told with its line."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from orchestrator.codec.fleet_file import BYTES_MAX, FleetFile, read_fleet_file
from orchestrator.codec.fleet_tables import _DURATIONS
from orchestrator.codec.json_values import INT_MAX, freeze_json
from orchestrator.codec.platform_choices import (
    CloudflareChoice,
    LocalChoice,
    SchedulingPolicy,
    SimulatedChoice,
    is_safe_url,
)
from orchestrator.codec.problems import Wrong
from orchestrator.codec.toml_lines import line_of, lines_of
from orchestrator.codec.wire import frozen_config, tree_of
from orchestrator.core.backoff import Backoff
from orchestrator.core.commands import ObserveFleet
from orchestrator.core.hosting import INSTANCE_TYPES, InstanceType, Placement
from orchestrator.core.policies import CrashLimit, OnLoop, RestartPolicy, When
from orchestrator.core.specs import ContainerSpec, FleetSettings, Prune
from orchestrator.core.table import Table

FULL = """
[fleet]
name = "demo"
reconcile_interval = "10s"
allow_ad_hoc_containers = true
container_name_env_key = "NAME_OF_CONTAINER"
min_restart_delay_ms = 50
max_concurrent_starts = 4
max_starts_per_minute = 60
prune = "keep"
env_vars = "ours.env:build"
hooks = "ours.hooks:Hooks"
[platform]
kind = "local"
log_max_bytes = 1000
[restart]
when = "on_failure"
crash = { window = "10m", allowed_crashes = 3, on_loop = "hold" }
[restart.backoff]
initial_ms = 100
factor = 3
[[containers]]
name = "web"
command = [
    "serve", "${port.http}", # [not a header]
]
ports = { http = 8080 }
config = { log_level = "debug", nested = { list = [1, 2.5, true] } }
env = { LOG_LEVEL = "${config.log_level}", N = "${config.nested.list}" }
restart = { when = "always", backoff = { max = "30s" } }
replicas = 2
stop_grace = "5s"
working_dir = "sub/folder"
[[containers]]
name = "alone"
image = "registry/alone:1"
command = ["run"]
[ad_hoc]
command = ["work", "${config.queue}"]
"""


def read(text: str) -> FleetFile:
    answer = read_fleet_file(text.encode(), file="fleet.toml", folder="/srv")
    if not answer.value_or(None):
        raise AssertionError(answer.failure().message)
    return answer.unwrap()


def problems(text: str | bytes) -> list[str]:
    data = text if isinstance(text, bytes) else text.encode()
    answer = read_fleet_file(data, file="fleet.toml", folder="/srv")
    return [problem.message for problem in answer.failure().problems]


def container(lines: str) -> str:
    return f'[fleet]\nname = "x"\n[[containers]]\nname = "web"\n{lines}\n'


def test_everything_that_a_file_can_say() -> None:
    file = read(FULL)
    web_0, web_1, alone = file.spec.containers
    assert (web_0.name, web_1.name, alone.name) == ("web-0", "web-1", "alone")
    assert (web_1.service, web_1.replica) == ("web", 1)
    assert web_0.restart == RestartPolicy(
        when=When.ALWAYS,
        crash=CrashLimit(window_ms=600_000, allowed_crashes=3, on_loop=OnLoop.HOLD),
        backoff=Backoff(initial_ms=100, factor=3, max_ms=30_000),
    )
    assert alone.restart.when is When.ON_FAILURE
    assert web_0.working_dir == "/srv/sub/folder"
    assert alone.working_dir == "/srv"
    assert web_0.stop_grace_ms == 5_000
    assert web_0.command == ("serve", "${port.http}")
    settings = file.spec.settings
    assert settings.ad_hoc is not None
    assert settings.ad_hoc.command == ("work", "${config.queue}")
    assert attrs.evolve(settings, ad_hoc=None) == FleetSettings(
        reconcile_interval_ms=10_000,
        container_name_env_key="NAME_OF_CONTAINER",
        min_restart_delay_ms=50,
        max_concurrent_starts=4,
        max_starts_per_minute=60,
        prune=Prune.KEEP,
    )
    assert (file.env_vars, file.hooks) == ("ours.env:build", "ours.hooks:Hooks")
    assert file.platform == LocalChoice(log_max_bytes=1_000)
    assert file.warnings == ()


def test_the_shipped_example_is_valid() -> None:
    path = Path(__file__).parents[2] / "docs" / "examples" / "quickstart.toml"
    assert len(read(path.read_text()).spec.containers) == 5


def test_a_simulated_fleet_has_no_folder_of_its_own() -> None:
    text = container('image = "x"') + '[platform]\nkind = "simulated"\nseed = 3\n'
    file = read(text)
    assert file.platform == SimulatedChoice(seed=3)
    assert file.spec.containers[0].working_dir is None


CLOUDFLARE = """
[fleet]
name = "demo"
[platform]
kind = "cloudflare"
url = "https://fleet.example.com"
token_secret = "TOKEN"
access_secrets = "ACCESS"
scheduling_policy = "default"
worker = "demo-gateway"
headroom = 3
orphan_after = "10m"
account_id = "0123456789abcdef0123456789abcdef"
timeout = "5s"
[[containers]]
name = "web"
image = "registry.example/web:1"
ports = { http = 8080, admin = 9000 }
wait_for = ["http"]
internet = false
instance_type = "standard-1"
placement = { regions = ["WEUR", "EEUR"], jurisdiction = "eu", location_hint = "weur" }
sleep_after = "10m"
[[containers]]
name = "own-size"
image = "./Dockerfile"
instance_type = { vcpu = 2, memory_mib = 6144, disk_mb = 9000 }
"""


def test_everything_that_a_file_can_say_of_cloudflare() -> None:
    file = read(CLOUDFLARE)
    assert file.platform == CloudflareChoice(
        url="https://fleet.example.com",
        token_secret="TOKEN",
        access_secrets="ACCESS",
        scheduling_policy=SchedulingPolicy.DEFAULT,
        worker="demo-gateway",
        headroom=3,
        orphan_after_ms=600_000,
        account_id="0123456789abcdef0123456789abcdef",
        timeout_ms=5_000,
    )
    web, own = file.spec.containers
    assert web.instance_type == INSTANCE_TYPES["standard-1"]
    assert web.awaited_ports == ("http",)
    assert not web.internet
    assert web.working_dir is None
    assert web.placement == Placement(
        regions=("WEUR", "EEUR"), jurisdiction="eu", location_hint="weur"
    )
    assert own.instance_type == InstanceType(vcpu=2.0, memory_mib=6_144, disk_mb=9_000)
    assert own.awaited_ports == ()
    assert file.warnings == ()


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "https://user@example.com",
        "https://x.example/?q=1",
        "https://x.example:port",
        "ftp://x.example",
        "https://",
        3,
    ],
)
def test_a_token_is_sent_to_no_such_url(url: object) -> None:
    assert not is_safe_url(url)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8787", "http://[::1]:1", "https://x.example/path"]
)
def test_a_token_may_be_sent_to(url: str) -> None:
    assert is_safe_url(url)


RUN = 'command = ["run"]'


def on_cloudflare(lines: str, platform: str = "") -> str:
    return container(lines) + f'[platform]\nkind = "cloudflare"\n{platform}\n'


PROBLEMS = [
    (
        "",
        "fleet.toml: fleet.name: expected a name of a-z, 0-9, '.', '_' and '-', found",
    ),
    ("fleet = 3", "fleet.toml:1: fleet: expected a table, found 3"),
    (
        "[flet]",
        "fleet.toml:1: flet: expected a known key, found 'flet';"
        ' did you mean "fleet"?',
    ),
    ("[fleet]\nname = 3", "fleet.toml:2: fleet.name: expected a name of a-z"),
    ('[fleet]\nname = "A b"', "fleet.toml:2: fleet.name: expected a name of a-z"),
    ('[fleet]\nname = "x"\nhooks = 3', 'fleet.toml:3: fleet.hooks: expected "module:'),
    ('[fleet]\nname = "x"\nhooks = "a-b:c"', "fleet.toml:3: fleet.hooks: expected"),
    (
        "[platform]\nkind = 3",
        "platform.kind: expected one of local, simulated, cloudflare, found 3",
    ),
    (
        '[platform]\nkind = "locla"',
        "fleet.toml:2: platform.kind: expected one of local, simulated, cloudflare,"
        " found 'locla';"
        ' did you mean "local"?',
    ),
    ("[platform]\nlog_max = 3", 'did you mean "log_max_bytes"?'),
    (
        "containers = 3",
        "fleet.toml:1: containers: expected an array of tables, found 3",
    ),
    ("containers = [3]", "fleet.toml:1: containers[0]: expected a table, found 3"),
    (container(""), "expected a command or an image, found neither"),
    (container('image = "x"'), "command: expected a command, on the local platform"),
    (container(RUN + "\nreplicas = -1"), "replicas: expected a number from 0 to 10000"),
    (container(RUN + "\nreplica = 1"), "replica: expected no such key here, found 1"),
    (container(RUN + '\nstop_grace = "soon"'), "stop_grace: expected a duration such"),
    (
        container(RUN + '\nstop_grace = "1s"\nstop_grace_ms = 1'),
        "stop_grace: expected stop_grace or stop_grace_ms, found both",
    ),
    (container(RUN + "\nstop_grace_ms = -1"), "stop_grace_ms: expected >= 0, found -1"),
    (container(RUN + '\nstop_signal = "FOO"'), "expected in (TERM, INT, QUIT, HUP"),
    (container(RUN + '\nenv = { A = "${secrte.X}" }'), "env: expected keys with known"),
    (container('command = ["${secret.X}"]'), "command[0]: expected no secret, found"),
    (
        container('command = ["${port.htp}"]\nports = { http = 1 }'),
        "command[0]: expected a port of this container, found ${port.htp};"
        ' did you mean "http"?',
    ),
    (
        container(RUN + '\nenv = { A = "${config.levle}" }\nconfig = { level = 1 }'),
        "env.A: expected a key of this container's config, found ${config.levle};"
        ' did you mean "level"?',
    ),
    (
        container('command = ["${port.a}"]\nports = { a = "x" }'),
        "ports.a: expected an i",
    ),
    (container(RUN + "\nconfig = { when = 2026-01-01 }"), "config.when: expected text"),
    (container(RUN + "\nconfig = { a = nan }"), "config.a: expected a finite number"),
    (
        container(RUN + f"\nconfig = {{ a = {INT_MAX + 1} }}"),
        "config.a: expected a finite number of at most 64 bits",
    ),
    (container(RUN + "\nrestart = 3"), "restart: expected a table, found 3"),
    (container(RUN + '\nrestart = { when = "x" }'), "restart.when: expected one of"),
    (
        container(RUN) + '[restart]\nwhen = "alway"',
        "fleet.toml:7: restart.when: expected one of always, on_failure, never, found"
        " 'alway'; did you mean \"always\"?",
    ),
    (
        container(RUN) + '[[containers]]\nname = "web"\n' + RUN,
        "fleet.toml:7: containers[1].name: expected a name of its own, found 'web'",
    ),
    (
        container(RUN).replace("web", "w" * 63) + "replicas = 2",
        "name: expected at most 58 letters",
    ),
    (
        container(RUN + "\nreplicas = 2").replace("web", "Web"),
        "name: expected a name of",
    ),
    (
        container(RUN) + "[ad_hoc]\nreplicas = 2",
        "ad_hoc.replicas: expected no such key",
    ),
    (on_cloudflare(RUN), "containers[0].image: expected an image, on Cloudflare"),
    (
        on_cloudflare('image = "x"\nworking_dir = "/srv"'),
        "working_dir: expected no such key on Cloudflare, found one",
    ),
    (
        on_cloudflare('image = "x"\ninstance_type = "standard"'),
        "fleet.toml:6: containers[0].instance_type: expected one of lite, basic,",
    ),
    (
        on_cloudflare(
            'image = "x"\ninstance_type = {vcpu = 2, memory_mib = 1, disk_mb = 1}'
        ),
        "memory_mib: expected at least 6144 with 2.0 vcpu, found 1",
    ),
    (
        on_cloudflare(
            'image = "x"\nplacement = {regions = ["WEUR"]}',
            'scheduling_policy = "durable_object"',
        ),
        "placement.regions: expected none under durable_object",
    ),
    (
        on_cloudflare('image = "x"\nplacement = {regions = ["EU"]}'),
        "placement.regions: expected in (ENAM, WNAM",
    ),
    (
        on_cloudflare('image = "x"', 'url = "http://example.com"'),
        "platform.url: expected an https URL (http on this machine), found",
    ),
    (
        on_cloudflare('image = "x"', "orphan_after_ms = 5"),
        "platform.orphan_after_ms: expected >= 60000, found 5",
    ),
    (
        container(RUN + '\nwait_for = ["http"]'),
        "wait_for: expected names of its ports, found 'http'",
    ),
    ("[fleet", "fleet.toml: expected TOML, found an error: expected ']'"),
    (
        "a = 1" + "0" * 5_000,
        "fleet.toml: expected TOML, found an error: exceeds the limit",
    ),
    ("a = " + "[" * 9_000, "fleet.toml: expected TOML, found arrays or tables within"),
]


@pytest.mark.parametrize(("text", "expected"), PROBLEMS)
def test_a_problem_is_told_with_its_place(text: str, expected: str) -> None:
    assert any(expected in problem for problem in problems(text)), problems(text)


def test_all_problems_are_told_at_once() -> None:
    text = container(
        'command = ["${port.x}"]\nstop_grace_ms = -1\nrestart = { wen = "x" }\n'
        'stop_signal = "FOO"\nreplicsa = 3'
    )
    assert [problem.partition(": ")[0] for problem in problems(text)] == [
        "fleet.toml:5",
        "fleet.toml:6",
        "fleet.toml:7",
        "fleet.toml:8",
        "fleet.toml:9",
    ]


def test_what_is_no_text_is_told_with_its_line() -> None:
    assert problems(b"a = 1\n\xff") == ["fleet.toml:2: expected UTF-8, found byte 0xff"]
    assert "expected at most" in problems(b"#" * (BYTES_MAX + 1))[0]


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ('[fleet]\nname = "x"', "the fleet declares no containers"),
        (
            '[fleet]\nname = "x"\nallow_ad_hoc_containers = false\n[ad_hoc]\n' + RUN,
            "[ad_hoc] has no effect",
        ),
        (container(RUN + "\nrestart = { crash = { window_ms = 5 } }"), "is never seen"),
        (container(RUN + "\nstop_grace_ms = 0"), "kills it together"),
        (container(RUN + '\nsleep_after = "1m"'), "sleep_after_ms has no effect"),
        (container(RUN + '\nreplicas = 2\nsleep_after = "1m"'), "web: sleep_after_ms"),
        (container(RUN + "\ninternet = false"), "internet has no effect"),
        (container(RUN + '\ninstance_type = "basic"'), "instance_type has no effect"),
    ],
)
def test_what_can_hardly_be_meant_is_a_warning(text: str, warning: str) -> None:
    (found,) = read(text).warnings
    assert warning in found


def test_a_policy_that_never_restarts_needs_no_window() -> None:
    lines = '\nrestart = { when = "never", crash = { window_ms = 5 } }'
    assert read(container(RUN + lines)).warnings == ()


def test_every_duration_of_the_core_may_be_a_text() -> None:
    classes = (
        ContainerSpec,
        FleetSettings,
        RestartPolicy,
        CrashLimit,
        Backoff,
        CloudflareChoice,
    )
    fields = {field.name for kind in classes for field in attrs.fields(kind)}
    assert {name for name in fields if name.endswith("_ms")} == _DURATIONS


def test_lines_are_found_through_long_texts_and_arrays() -> None:
    text = 'a = """\nb = 1\n"""\nc = [\n  "]", # ]\n  d = 1\n]\n"e f".g = 2\n[h.i]\n'
    assert lines_of(text) == {"a": 1, "c": 4, "e f.g": 8, "h.i": 9}
    nested = "[[containers]]\n[containers.restart]\nwhen = 1\n"
    assert lines_of(nested)["containers[0].restart.when"] == 3
    assert line_of({}, "any.where[3]") is None


@pytest.mark.parametrize("value", ["\ud800", {1: 2}, object(), float("inf"), 2**70])
def test_what_json_cannot_hold_is_refused(value: object) -> None:
    with pytest.raises(Wrong):
        freeze_json({"key": value})
    assert frozen_config({"key": value}).failure().problems


def test_a_config_is_frozen_once() -> None:
    config = frozen_config({"a": [1, {"b": None}], "ß": "ü"}).unwrap()
    assert frozen_config(config).unwrap() == config
    assert frozen_config([1]).failure().problems[0].expected == "a table"


def test_any_value_becomes_plain_json() -> None:
    assert tree_of([ObserveFleet(), (1, Table.of([("a", 2)]))]) == [
        {"type": "observe_fleet"},
        [1, {"a": 2}],
    ]
