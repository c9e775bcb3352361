"""A fleet file is read whole, or every problem in it is told with its line."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from orchestrator.codec.fleet_file import BYTES_MAX, FleetFile, read_fleet_file
from orchestrator.codec.fleet_policies import SIGNALS
from orchestrator.codec.fleet_tables import DURATIONS, LISTS
from orchestrator.codec.journal_choice import JournalChoice, JournalKind, LeaseChoice
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
from orchestrator.core.autoscaling import Autoscaling
from orchestrator.core.backoff import Backoff
from orchestrator.core.commands import ObserveFleet
from orchestrator.core.exit_rules import (
    Codes,
    ExitAction,
    ExitKind,
    ExitRule,
    Kinds,
    Signals,
)
from orchestrator.core.fleet_specs import FleetSettings
from orchestrator.core.groups import MEMBERS_MAX, GroupStrategy, Membership
from orchestrator.core.health import (
    CommandProbe,
    HealthCheck,
    HealthChecks,
    HttpProbe,
    TcpProbe,
)
from orchestrator.core.hosting import INSTANCE_TYPES, InstanceType, Placement
from orchestrator.core.origins import Prune
from orchestrator.core.policies import (
    CrashLimit,
    CustomPolicyRef,
    OnLoop,
    RestartPolicy,
    When,
)
from orchestrator.core.rollout_policies import CanaryStep, RolloutPolicy
from orchestrator.core.specs import ContainerSpec
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
[journal]
snapshot_every = 250
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
    assert file.journal == JournalChoice(snapshot_every=250)
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
    ("journal = 3", "fleet.toml:1: journal: expected a table, found 3"),
    (
        "[journal]\nsnapshot_evry = 3",
        "fleet.toml:2: journal.snapshot_evry: expected a known key, found"
        " 'snapshot_evry'; did you mean \"snapshot_every\"?",
    ),
    (
        "[journal]\nsnapshot_every = 0",
        "fleet.toml:2: journal.snapshot_every: expected >= 1, found 0",
    ),
    (
        "[journal]\nsnapshot_every = 1000001",
        "fleet.toml:2: journal.snapshot_every: expected <= 1000000, found 1000001",
    ),
    ("[journal]\nsnapshot_every = true", "snapshot_every: expected an integer, found"),
    ('[journal]\nsnapshot_every = "1h"', "snapshot_every: expected an integer, found"),
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


def test_durable_objects_may_be_placed_by_anything_but_regions() -> None:
    choice = 'scheduling_policy = "durable_object"\nurl = "https://fleet.example.com"'
    lines = 'image = "x"\nplacement = {jurisdiction = "eu", location_hint = "weur"}'
    (placed,) = read(on_cloudflare(lines, choice)).spec.containers
    assert placed.placement == Placement(jurisdiction="eu", location_hint="weur")


def test_a_policy_that_never_restarts_needs_no_window() -> None:
    lines = '\nrestart = { when = "never" }'
    assert read(container(RUN + lines)).warnings == ()
    lines = '\nrestart = { when = "never", crash = { window_ms = 5 } }'
    (warning,) = read(container(RUN + lines)).warnings
    assert warning == "web: crash has no effect: `never` restarts no failure"


POLICIES = """
[fleet]
name = "shop"
policies = "ours.policies:ALL"
[restart]
max_restarts = 7
start_budget = 2
success_codes = [143]
backoff.delays = ["1s", "1m30s"]
custom = { name = "any", version = 1, params = { most = 3 } }
exit_rules = [{ codes = [0], action = "complete" }]
[[containers]]
name = "db"
command = ["serve"]
ports = { db = 5432 }
[[containers.restart.exit_rules]]
codes_not_in = [3, 4]
action = "fail"
[[containers.restart.exit_rules]]
signals = ["KILL", "SIGSEGV", 34]
action = "restart"
[[containers.restart.exit_rules]]
signals_not_in = [15]
action = "ignore"
[[containers.restart.exit_rules]]
kinds = ["lost", "unhealthy"]
action = "complete"
[[containers.restart.exit_rules]]
kinds_not_in = ["exited"]
action = "restart"
[containers.restart.custom]
name = "own"
version = 2
[containers.health.startup]
tcp = { port = "db" }
initial_delay = "1s"
[containers.health.readiness]
command = ["pg_isready", "-p", "${port.db}"]
period_ms = 2500
timeout = "500ms"
success_threshold = 2
failure_threshold = 4
[containers.health.liveness.http]
port = "db"
path = "/alive?full=1"
statuses = [200, 204]
headers = { Authorization = "Bearer ${secret.TOKEN}" }
[[containers]]
name = "api"
command = ["serve"]
replicas = 2
restart = { backoff = { delays_ms = [5] } }
[groups.core]
strategy = "rest_for_one"
members = ["db", "api"]
"""


def test_everything_that_a_file_can_say_of_policies_checks_and_groups() -> None:
    file = read(POLICIES)
    assert file.policies == "ours.policies:ALL"
    db, api_0, api_1 = file.spec.containers
    assert db.restart == RestartPolicy(
        max_restarts=7,
        start_budget=2,
        success_codes=(143,),
        backoff=Backoff(delays_ms=(1_000, 90_000)),
        custom=CustomPolicyRef(name="own", version=2),
        exit_rules=(
            ExitRule(match=Codes(values=(3, 4), negated=True), action=ExitAction.FAIL),
            ExitRule(match=Signals(values=(9, 11, 34)), action=ExitAction.RESTART),
            ExitRule(
                match=Signals(values=(15,), negated=True), action=ExitAction.IGNORE
            ),
            ExitRule(
                match=Kinds(values=(ExitKind.LOST, ExitKind.UNHEALTHY)),
                action=ExitAction.COMPLETE,
            ),
            ExitRule(
                match=Kinds(values=(ExitKind.EXITED,), negated=True),
                action=ExitAction.RESTART,
            ),
        ),
    )
    assert db.health == HealthChecks(
        startup=HealthCheck(probe=TcpProbe(port="db"), initial_delay_ms=1_000),
        readiness=HealthCheck(
            probe=CommandProbe(command=("pg_isready", "-p", "${port.db}")),
            period_ms=2_500,
            timeout_ms=500,
            success_threshold=2,
            failure_threshold=4,
        ),
        liveness=HealthCheck(
            probe=HttpProbe(
                port="db",
                path="/alive?full=1",
                statuses=(200, 204),
                headers=Table.of([("Authorization", "Bearer ${secret.TOKEN}")]),
            )
        ),
    )
    custom = CustomPolicyRef(name="any", version=1, params=Table.of([("most", 3)]))
    assert api_0.restart.custom == custom
    assert api_0.restart.backoff.delays_ms == (5,)
    assert [len(each.restart.exit_rules) for each in (db, api_0)] == [5, 1]
    core = Membership(group="core", strategy=GroupStrategy.REST_FOR_ONE, position=0)
    assert db.group == core
    assert api_0.group == api_1.group == attrs.evolve(core, position=1)


def test_the_signals_have_the_numbers_of_linux() -> None:
    import signal

    for name in ("HUP", "KILL", "USR1", "SEGV", "TERM", "STOP", "SYS"):
        assert SIGNALS[name] == getattr(signal, f"SIG{name}")


def grouped(lines: str) -> str:
    return container(RUN) + f"[groups.core]\n{lines}\n"


def policy(lines: str) -> str:
    return container(RUN) + f"[containers.restart]\n{lines}\n"


def rules(*each: str) -> str:
    return policy(f"exit_rules = [{', '.join(each)}]")


def health(lines: str, kind: str = "liveness") -> str:
    head = container(f"{RUN}\nports = {{ http = 80 }}")
    return f"{head}[containers.health.{kind}]\n{lines}\n"


MATCHES_ONE = "expected one of codes, codes_not_in, signals, signals_not_in, kinds,"

NEW_PROBLEMS = [
    (policy('backoff = { delays = ["1s", 3] }'), "backoff.delays[1]: expected a dur"),
    (
        policy('backoff = { delays = ["1s"], delays_ms = [1] }'),
        "restart.backoff.delays: expected delays or delays_ms, found both",
    ),
    (
        policy('backoff = { delays = "1s" }'),
        "backoff.delays: expected an array of durations, found '1s'",
    ),
    (policy("exit_rules = 3"), "restart.exit_rules: expected an array, found 3"),
    (rules("3"), "restart.exit_rules[0]: expected a table, found 3"),
    (rules('{ action = "fail" }'), f"{MATCHES_ONE} kinds_not_in, found none"),
    (
        rules('{ codes = [1], kinds = ["lost"], action = "fail" }'),
        "kinds_not_in, found codes and kinds",
    ),
    (
        rules('{ code = [1], action = "fail" }'),
        "exit_rules[0].code: expected a known key, found 'code'; did you mean \"codes",
    ),
    (
        rules("{ codes = [1] }"),
        "exit_rules[0].action: expected one of restart, complete, fail, ignore, found"
        " nothing",
    ),
    (rules('{ codes = [1], action = "stop" }'), "found 'stop'"),
    (rules('{ codes = [], action = "fail" }'), "expected an array of one at least,"),
    (rules('{ codes = 3, action = "fail" }'), "codes: expected an array of one at"),
    (rules('{ codes = [256], action = "fail" }'), "an exit code from 0 to 255, found"),
    (rules('{ codes = [true], action = "fail" }'), "codes[0]: expected an exit code"),
    (rules('{ codes = ["1"], action = "fail" }'), "codes[0]: expected an exit code"),
    (rules('{ signals = ["KIL"], action = "fail" }'), 'did you mean "KILL"?'),
    (rules('{ signals = [65], action = "fail" }'), "its name or from 1 to 64, found"),
    (rules('{ kinds = ["lots"], action = "fail" }'), 'did you mean "lost"?'),
    (
        rules(*['{ codes = [1], action = "fail" }'] * 21),
        "exit_rules: expected at most 20 rules, found 21",
    ),
    (
        policy('custom = { name = "own", version = 1 }'),
        "restart.custom: expected a fleet that names its policies, found 'own'",
    ),
    (policy("custom = 3"), "restart.custom: expected a fleet that names its policies,"),
    (container(RUN + "\nhealth = 3"), "containers[0].health: expected a table"),
    (health("tcp = 3"), "health.liveness.tcp: expected a table, found 3"),
    (health("period = 3"), "health.liveness: expected one of http, tcp, command, fou"),
    (
        health('tcp = { port = "http" }\ncommand = ["x"]'),
        "expected one of http, tcp, command, found tcp and command",
    ),
    (health("command = []"), "command: expected an array of one word at least, found"),
    (health("command = [3]"), "health.liveness.command[0]: expected a text, found 3"),
    (
        health('tcp = { port = "htp" }'),
        "health.liveness.tcp.port: expected a port of this container, found 'htp';"
        ' did you mean "http"?',
    ),
    (health("http = {}"), "health.liveness.http.port: expected a value, found nothing"),
    (health("http = { port = 3 }"), "liveness.http.port: expected a text, found 3"),
    (
        health('http = { port = "http", path = "x" }'),
        "health.liveness.http.path: expected a path that begins with /, found 'x'",
    ),
    (
        health('http = { port = "http", type = "x" }'),
        "health.liveness.http.type: expected no such key here",
    ),
    (health('probe = 3\ncommand = ["x"]'), "liveness.probe: expected a known key"),
    (
        health('tcp = { port = "http" }\nsuccess_threshold = 2'),
        "health.liveness.success_threshold: expected 1 for liveness, found 2",
    ),
    (
        health('tcp = { port = "http" }', "livenes"),
        "health.livenes: expected a known key, found 'livenes'; did you mean \"liven",
    ),
    (container(f"{RUN}\nhealth.startup = 3"), "startup: expected a table, found 3"),
    (health('command = ["${secret.X}"]'), "command[0]: expected no secret"),
    (health('command = ["${port.x}"]'), "liveness.command[0]: expected a port of"),
    (
        health('http = { port = "http", headers = { A = "${config.x}" } }'),
        "health.liveness.http.headers.A: expected a key of this container's config",
    ),
    (container(RUN + '\ngroup = "x"'), "group: expected no such key here, found 'x';"),
    ("groups = 3", "groups: expected a table, found 3"),
    (container(RUN) + "[groups]\ncore = 3", "groups.core: expected a table, found 3"),
    (container(RUN) + "[groups.Core]", "groups.Core: expected a name of a-z"),
    (grouped("strategie = 3"), 'did you mean "strategy"?'),
    (grouped('members = ["web"]'), "groups.core.strategy: expected one of one_for_all"),
    (grouped('strategy = "rest_for_on"'), 'did you mean "rest_for_one"?'),
    (grouped('strategy = "one_for_all"'), "expected an array of names of containers,"),
    (grouped("members = []"), "members: expected an array of names of containers, fou"),
    (grouped('members = ["wbe"]'), 'did you mean "web"?'),
    (grouped("members = [3]"), "members[0]: expected the name of a container of this"),
    (grouped('members = ["web", "web"]'), "members[1]: expected a member once, found"),
    (
        grouped('members = ["web"]') + '[groups.more]\nmembers = ["web"]',
        "groups.more.members[0]: expected a member once, found 'web'; group 'core' nam",
    ),
    (
        grouped(f"members = [{', '.join(['1'] * (MEMBERS_MAX + 1))}]"),
        f"members: expected at most {MEMBERS_MAX} members, found {MEMBERS_MAX + 1}",
    ),
]


@pytest.mark.parametrize(("text", "expected"), NEW_PROBLEMS)
def test_a_problem_of_policies_checks_and_groups_is_told(
    text: str, expected: str
) -> None:
    assert any(expected in problem for problem in problems(text)), problems(text)


def test_a_rule_in_a_table_of_its_own_is_told_with_its_line() -> None:
    text = policy("when = 'always'") + (
        "[[containers.restart.exit_rules]]\ncodes = [1]\naction = 'fail'\n"
        "[[containers.restart.exit_rules]]\ncodes = [1]\naction = 'fial'\n"
    )
    (problem,) = problems(text)
    assert problem.startswith("fleet.toml:13: containers[0].restart.exit_rules[1].act")


def test_what_is_good_to_know_is_a_note() -> None:
    lines = 'image = "x"\nhealth.liveness.command = ["true"]'
    file = read(on_cloudflare(lines, 'url = "https://fleet.example.com"'))
    assert file.warnings == ()
    (note,) = file.notes
    assert note.startswith("web: its liveness check runs a command")


def test_a_sentence_about_many_is_told_once() -> None:
    text = '[fleet]\nname = "x"\n[restart]\nsuccess_codes = [0]\n'
    for name in "abcde":
        text += f'[[containers]]\nname = "{name}"\n{RUN}\n'
    (warning,) = read(text).warnings
    assert (
        warning == "a, b, c and 2 more: success_codes names 0, which is a success"
        " anyway"
    )


def test_every_duration_of_the_core_may_be_a_text() -> None:
    classes = (
        ContainerSpec,
        FleetSettings,
        RestartPolicy,
        CrashLimit,
        Backoff,
        HealthCheck,
        CloudflareChoice,
        RolloutPolicy,
        CanaryStep,
        Autoscaling,
        JournalChoice,
        LeaseChoice,
    )
    fields = {field.name for kind in classes for field in attrs.fields(kind)}
    assert {name for name in fields if name.endswith("_ms")} == (DURATIONS | LISTS)


FAR = """
[fleet]
name = "x"
[platform]
kind = "cloudflare"
url = "https://gateway.example"
[journal]
kind = "durable_object"
"""


def test_a_journal_may_be_behind_the_gateway_and_have_a_lease() -> None:
    file = read(FAR)
    assert file.journal == JournalChoice(kind=JournalKind.DURABLE_OBJECT)
    assert file.lease is None
    assert read(f"{FAR}[lease]\n").lease == LeaseChoice(duration_ms=15_000)
    said = read(f'{FAR}[lease]\nduration = "1m"\n').lease
    assert said == LeaseChoice(duration_ms=60_000)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            FAR.replace("cloudflare", "local").replace("url =", "# url ="),
            "fleet.toml:8: journal.kind: expected 'sqlite', on the platform 'local',"
            " found 'durable_object'; a gateway keeps it: platform.kind ="
            ' "cloudflare"',
        ),
        (
            FAR.replace("durable_object", "durable"),
            "fleet.toml:8: journal.kind: expected one of sqlite, durable_object, found"
            " 'durable'; did you mean \"durable_object\"?",
        ),
        (
            FAR.replace("durable_object", "sqlite") + "[lease]\n",
            "fleet.toml:9: lease: expected no such table beside a journal of one"
            ' operator, found one; journal.kind = "durable_object" has it shared',
        ),
        (
            FAR + '[lease]\nduration = "2s"\n',
            "fleet.toml:9: lease.duration_ms: expected >= 3000, found 2000",
        ),
        (
            FAR + '[lease]\nduration = "11m"\n',
            "fleet.toml:9: lease.duration_ms: expected <= 600000, found 660000",
        ),
        (
            FAR + "[lease]\nholder = 1\n",
            "fleet.toml:10: lease.holder: expected a known key, found 'holder'",
        ),
        ("lease = 1\n" + FAR, "fleet.toml:1: lease: expected a table, found 1"),
    ],
)
def test_what_a_far_journal_and_a_lease_need_is_told(text: str, told: str) -> None:
    assert problems(text) == [told]


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
