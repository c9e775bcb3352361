"""The reference of the fleet file, written from the classes that it is read into."""

from __future__ import annotations

import inspect
import typing
from enum import Enum
from typing import Any

import attrs

from orchestrator.codec.api_choice import ApiChoice
from orchestrator.codec.fleet_autoscaling import NAMED
from orchestrator.codec.fleet_groups import GROUP_KEYS
from orchestrator.codec.fleet_health import PROBES
from orchestrator.codec.fleet_policies import MATCHES
from orchestrator.codec.journal_choice import JournalChoice, LeaseChoice
from orchestrator.codec.platform_choices import (
    CHOICES,
    CloudflareChoice,
    LocalChoice,
    SimulatedChoice,
)
from orchestrator.core.autoscaling import Autoscaling, Metric
from orchestrator.core.backoff import Backoff
from orchestrator.core.exit_rules import ExitAction, ExitKind
from orchestrator.core.fleet_specs import FleetSettings
from orchestrator.core.groups import GroupStrategy
from orchestrator.core.health import HealthCheck, HttpProbe, TcpProbe
from orchestrator.core.hosting import (
    INSTANCE_TYPES,
    JURISDICTIONS,
    LOCATION_HINTS,
    REGIONS,
    InstanceType,
    Placement,
)
from orchestrator.core.moments import format_duration
from orchestrator.core.notify import Notify
from orchestrator.core.policies import CrashLimit, CustomPolicyRef, RestartPolicy
from orchestrator.core.rollout_policies import (
    BUILT_IN,
    CanaryStep,
    OnFailure,
    Promotion,
    RolloutPolicy,
    Share,
)
from orchestrator.core.specs import ContainerSpec

__all__ = ("fields_of", "fleet_file")


def _words(known: typing.Iterable[object]) -> str:
    """List words as one would write them in the file."""
    *before, last = (f"`{word}`" for word in known)
    return f"{', '.join(before)} or {last}"


ABOUT: dict[type, dict[str, str]] = {
    FleetSettings: {
        "reconcile_interval_ms": "between two looks at the platform; 0 disables them",
        "allow_ad_hoc_containers": "whether a request may start what is not declared",
        "container_name_env_key": "the variable that holds a container's name",
        "min_restart_delay_ms": "the least time before any restart",
        "max_concurrent_starts": "how many may be starting at the same time",
        "max_starts_per_minute": "how many may be started within a minute",
        "prune": "what becomes of a container that has left the file: it is stopped"
        " and forgotten, kept as an ad-hoc one, or left running and forgotten",
    },
    JournalChoice: {
        "kind": "where it is: `sqlite`, in the state folder of the one operator, or"
        " `durable_object`, behind the gateway, for whichever operator leads; the"
        ' latter only with `platform.kind = "cloudflare"`',
        "snapshot_every": "after so many rows the fleet is saved beside them, so that"
        " neither a boot nor a look into the past folds many more; 1 to 1000000",
        "keep_ms": "rows are kept for so long, counted back from the newest one, 1m at"
        " least; older ones go while the operator works; unsaid, all are kept",
        "keep_rows": "so many rows are kept, the newest ones, 100 at least; with"
        " `keep`, what either lets go goes",
        "archive": "whether the rows that go are written to files beside the journal,"
        " `journal.db.rows-1-5000.jsonl.gz`",
    },
    LeaseChoice: {
        "duration_ms": "an operator that was not heard of for so long leads no more,"
        " and another may take over; 3s to 10m",
    },
    ApiChoice: {
        "listen": "where HTTP is served, beside the Unix socket: `127.0.0.1:8400`,"
        " `[::1]:8400`; port 0 is any that is free; unsaid, nowhere; an address that"
        " other machines reach needs a token",
        "read_only": "whether nobody may change anything over HTTP",
        "hosts": "further names under which it is reached, such as that of a proxy,"
        " with a port or with any",
        "tls_cert": "the certificate, with its chain, a file in PEM, relative to the"
        " file's folder; read anew when it is renewed",
        "tls_key": "its key, without a passphrase; the two go together",
        "requests_per_second": "so many of one client in the long run, twice as many,"
        " and 100 at least, at once; 1 to 1000000",
        "body_max_bytes": "the longest body of a request; 64 MiB at most",
        "metrics_max_names": "so many containers have metrics of their own; 0: none",
    },
    Notify: {
        "url": "where notices are posted to, http or https; `${secret.NAME}` may stand"
        " in it; needed",
        "secret": "the name of the secret that signs them; unsaid, none is signed",
        "events": "what is told: `crash_looping`, `failed`, `recovered`; unsaid, all",
        "timeout_ms": "how long the receiver may take to answer, 5m at most",
        "attempts": "so often each is tried, then it is given up; 1000 at most",
        "backoff": "how long to wait before the next attempt, keys as of a restart"
        " policy; unsaid, 1s, then three times as long each time, 10m at most",
    },
    LocalChoice: {"log_max_bytes": "bytes of a log; one older file is as large"},
    SimulatedChoice: {"seed": "what every fate is drawn from"},
    CloudflareChoice: {
        "url": "where the gateway is: https, or http on this machine; `up` needs it",
        "token_secret": "the secret that holds the gateway's token",
        "access_secrets": "where Access stands before the gateway: what the secrets of"
        " the service token begin with, `_CLIENT_ID` and `_CLIENT_SECRET` follow",
        "scheduling_policy": "`default` or `durable_object`: who chooses image and"
        " size, an application once or each start",
        "worker": "the name of the gateway's Worker; unsaid, that of the fleet with"
        " `-gateway`",
        "headroom": "`default`: how many containers more than declared each"
        " application may run",
        "orphan_after_ms": "stop the containers after so long without an operator, 1m"
        " at least; unsaid, never",
        "account_id": "the account, 32 hexadecimal digits; wrangler deploys there, and"
        " the REST API rolls services out and is asked how lost runs ended",
        "api_token_secret": "the secret that holds a token for the REST API",
        "timeout_ms": "how long an answer of the gateway may take, 2m at most",
    },
    ContainerSpec: {
        "name": "letters, digits, `.`, `_` and `-`; with replicas, `-0`, `-1` follow",
        "image": "what runs on Cloudflare: the path of a Dockerfile, relative to the"
        " file's, or a reference with its registry; needed there",
        "command": "the words of what runs; on `local` it must be there, on Cloudflare"
        " it stands for the image's own",
        "working_dir": "its folder, relative to the file's; not on Cloudflare",
        "ports": "by name; on `local` each replica gets a free one for each",
        "config": "user config, given to the env-vars builder and `${config.KEY}`",
        "env": "the environment; may hold placeholders",
        "restart": "as the section below, laid over it",
        "stop_signal": "asks it to stop: TERM, INT, QUIT, HUP, USR1, USR2 or KILL",
        "stop_grace_ms": "after the signal, before SIGKILL",
        "start_timeout_ms": "until it must be ready",
        "sleep_after_ms": "idle time after which the platform stops it (Cloudflare)",
        "keep_alive": "start it again when the platform stopped it for idleness",
        "wait_for": "the names of the ports that must listen before it is ready;"
        " unsaid, all of them",
        "internet": "whether it may reach the internet (Cloudflare)",
        "instance_type": "how large it is: a name, or the table below (Cloudflare)",
        "placement": "where it may be (Cloudflare)",
        "health": "its health checks, a table for each",
        "depends_on": "on which entries of the file it depends, and what each must be"
        " before it starts: `started`, `ready` or `completed`",
    },
    HealthCheck: {
        "initial_delay_ms": "after the ports listen, before it is first asked",
        "period_ms": "between two questions",
        "timeout_ms": "how long an answer may take; none in time has failed",
        "success_threshold": "so many answers in a row pass it; 1 for `startup` and"
        " `liveness`",
        "failure_threshold": "so many answers in a row fail it",
    },
    HttpProbe: {
        "port": "the name of one of its ports; needed",
        "path": "what is asked for with GET",
        "headers": "sent along; values may hold placeholders, secrets too",
        "statuses": "what passes; unsaid, 200 to 399",
    },
    TcpProbe: {"port": "the name of one of its ports; needed"},
    CustomPolicyRef: {
        "name": "as it is registered; needed",
        "version": "as it is registered; needed",
        "params": "handed to the function",
    },
    InstanceType: {
        "vcpu": "virtual processors, 1 to 4",
        "memory_mib": "memory in MiB: 3072 at least for each processor, 12288 at most",
        "disk_mb": "disk in MB, 20000 at most",
    },
    Placement: {
        "regions": "where its application may be held, each once; not under"
        f" `durable_object`: {', '.join(REGIONS)}",
        "jurisdiction": "whose law it stays under, its object too:"
        f" {', '.join(JURISDICTIONS)}",
        "location_hint": "where its object is asked to be made; counts once:"
        f" {', '.join(LOCATION_HINTS)}",
        "spread": "location hints of the replicas of a service, one each in turn",
    },
    RestartPolicy: {
        "when": "`always`, `on_failure` or `never`",
        "crash": "how many crashes are too many",
        "backoff": "how long to wait before a restart",
        "min_interval_ms": "least time between starts after clean ends (`always`)",
        "lost_after_ms": "how long it may be unknown before `on_lost`",
        "on_lost": "`replace` or `wait`; unsaid, replace where the platform fences",
        "max_restarts": "so many failures in a row are answered with a restart, the"
        " next one gives it up for good; unsaid, any number",
        "start_budget": "so many starts in a row may fail, the next one is a crash"
        " loop; they do not count in the window",
        "success_codes": "exit codes that are a success, beside 0",
        "exit_rules": "what other ends count as; the first that matches decides, 20 at"
        " most",
        "custom": "a policy of the embedding program, in place of `when`, the limits"
        " and the backoff",
    },
    RolloutPolicy: {
        "strategy": f"{_words(BUILT_IN)}, or the name of one of the program's own, that"
        " `policies` of the fleet names",
        "version": "of a strategy of the program's own",
        "max_unavailable": "so many of the replicas asked for may be missing, rounded"
        " down; 1 where this and `max_surge` come to nothing; above 0 where"
        " `max_surge` is 0",
        "max_surge": "so many may run beside them, rounded up",
        "steps": "of `canary`, needed there: so many replicas are new, each with more"
        " than the one before; 100 at most",
        "promote": f"of `canary` and `blue_green`: {_words(Promotion)}, an owner says"
        " that it goes on",
        "keep_old_ms": "of `blue_green`: how long the old replicas stay beside the new",
        "min_ready_ms": "ready for so long, a new replica counts",
        "container_deadline_ms": "a new replica that does not count by then is a"
        " failure; longer than `min_ready`",
        "progress_deadline_ms": "without progress for so long it has failed; longer"
        " than `min_ready`",
        "failure_budget": "so many failures of new replicas are borne, rounded up",
        "on_failure": f"{_words(OnFailure)}: back to the last revision that was wholly"
        " healthy, or all stays as it is, or it waits for its owner",
        "params": "handed to a strategy of the program's own",
    },
    CanaryStep: {
        "share": "so many replicas are new; needed",
        "soak_ms": "how long all waits then",
    },
    Autoscaling: {
        "metric": f"{_words(Metric)}: requests in flight, percent of the processors it"
        " may use, or what somebody tells; needed",
        "target_milli": "what each replica is to be measured at; needed",
        "least": "so many at least",
        "most": "so many at most; needed",
        "window_ms": "what was measured is averaged over it",
        "tolerance_percent": "nothing changes within so much of the target",
        "up_after_ms": "so long after a change before there are more",
        "down_after_ms": "so long after a change before there are fewer",
    },
    CrashLimit: {
        "window_ms": "the window in which crashes count",
        "allowed_crashes": "so many are no crash loop yet",
        "on_loop": "`cooldown` or `hold`; unsaid, hold for ad-hoc containers only",
    },
    Backoff: {
        "initial_ms": "before the first restart",
        "factor": "each further wait is so many times as long",
        "max_ms": "the longest wait",
        "jitter": "spreads the waits by this part of them",
        "reset_after_ms": "ready for so long, its crashes are forgiven",
        "delays_ms": "the waits, one after the other, in place of the three above; the"
        " last holds for all that follow; `delays` lists them as text",
    },
}
HIDDEN = {
    FleetSettings: {"ad_hoc", "notify"},
    ContainerSpec: {"service", "replica", "group"},
    HealthCheck: {"probe"},
    InstanceType: {"name"},
}

KINDS = (
    "`local`: processes of this machine; `cloudflare`: Cloudflare Containers, behind a"
    " gateway; `simulated`: nothing is run"
)

FLEET_FILE = """\
# The fleet file

TOML. Every problem in it is told at once, with its line. A duration may be written as
text under its key without `_ms`: `stop_grace = "10s"` is `stop_grace_ms = 10000`.

The keys are those of `orchestrator.fleet` and `orchestrator.container`, too: [a fleet
can be written in Python](../how-to/write-the-fleet-in-python.md), and `orchestrator
fleet export` writes either form. Comments are not carried over.

{sections}
## `[ad_hoc]`

The template of containers that are started by request with a bare name: the keys of
`[[containers]]`, without `name` and `replicas` and what goes with these.

## Placeholders

In `command`, in the values of `env`, and in the `headers` and the `command` of health
checks:

| placeholder | stands for |
|---|---|
| `${{name}}` | the container's name |
| `${{fleet}}` | the fleet's name |
| `${{replica.index}}` | 0, 1, 2 ... among the replicas |
| `${{config.KEY}}` | a value of its config; `KEY` may be a dotted path |
| `${{port.NAME}}` | the number of a port |
| `${{secret.KEY}}` | a secret; in `env` and `headers` only, looked up each time |

`$${{` writes `${{`.
"""


def fleet_file() -> str:
    """Return the page of the fleet file."""
    name = {"name": ("text", "", "the name of the fleet; needed")}
    functions = {
        "env_vars": ("text", "", '`"module:function"`, the env-vars builder'),
        "hooks": ("text", "", '`"module:object"`, what is told of starts and ends'),
        "policies": ("text", "", '`"module:object"`, the custom restart policies'),
    }
    replicas = {
        "replicas": (
            "number",
            "",
            "so many of it, numbered from 0, at most 10000;"
            " `orchestrator scale` changes it while it runs",
        ),
        "rollout": (
            "table",
            "",
            "how its replicas come to another template; unsaid, all at once; only"
            " beside `replicas`",
        ),
        "autoscaling": (
            "table",
            "",
            "how many replicas it has, by what it is measured at; only beside"
            " `replicas`, which is where it begins",
        ),
    }
    restart = "`[restart]`, and `restart` of a container"
    sections = [
        _section("`[fleet]`", name | fields_of(FleetSettings) | functions),
        _section("`[platform]`", {"kind": ("text", '`"local"`', KINDS)}),
        *(
            _section(f"`[platform]` of kind `{k}`", fields_of(c))
            for k, c in CHOICES.items()
        ),
        _section("`[journal]`", fields_of(JournalChoice)),
        _section("`[lease]`, beside a `durable_object`", fields_of(LeaseChoice)),
        _section("`[api]`", fields_of(ApiChoice)),
        _section("`[notify]`", fields_of(Notify)),
        _section("`[[containers]]`", fields_of(ContainerSpec) | replicas),
        _section("`instance_type` of a container", fields_of(InstanceType)) + _sizes(),
        _section("`placement` of a container", fields_of(Placement)),
        _section(restart, fields_of(RestartPolicy)),
        _section("`crash` of a restart policy", fields_of(CrashLimit)),
        _section("`backoff` of a restart policy", fields_of(Backoff)),
        _section("`exit_rules` of a restart policy, each", _rule()),
        _section("`custom` of a restart policy", fields_of(CustomPolicyRef)),
        _section(ROLLOUT, fields_of(RolloutPolicy)) + A_SHARE,
        _section("`steps` of a rollout, each", fields_of(CanaryStep)),
        _section("`autoscaling` of a container with replicas", _autoscaling()),
        _section(CHECKS, _probes() | fields_of(HealthCheck)),
        _section("`http` of a health check", fields_of(HttpProbe)),
        _section("`tcp` of a health check", fields_of(TcpProbe)),
        _section("`[groups.NAME]`", _group()),
    ]
    return FLEET_FILE.format(sections="\n".join(sections))


CHECKS = "`health.startup`, `health.readiness`, `health.liveness` of a container"


ROLLOUT = "`[rollout]`, and `rollout` of a container with replicas"
A_SHARE = """
A share of the replicas is a number of them, `2`, or a text, `"25%"`. What stands under
`[rollout]` holds for every entry with replicas, unless its own table says otherwise;
one with another strategy takes over nothing that only the strategy of `[rollout]` has.
"""


def _autoscaling() -> dict[str, tuple[str, str, str]]:
    """Describe the keys of autoscaling, some of which are fields under another name."""
    rows = {NAMED.get(key, key): row for key, row in fields_of(Autoscaling).items()}
    _, default, about = rows["tolerance"]
    return rows | {"tolerance": ("text", f'`"{default}%"`', about)}


def _rule() -> dict[str, tuple[str, str, str]]:
    """Describe an exit rule: what it matches, exactly one of these, and its action."""
    values = {
        "codes": ("array of numbers", "exit codes, 0 to 255"),
        "signals": ("array of numbers or texts", "signals of Linux: `KILL`, or 9"),
        "kinds": ("array of texts", ", ".join(f"`{kind}`" for kind in ExitKind)),
    }
    rows = {}
    for key in MATCHES:
        kind, about = values[key.removesuffix("_not_in")]
        others = key.endswith("_not_in")
        about = f"all {key.removesuffix('_not_in')} but these" if others else about
        rows[key] = (kind, "", about)
    actions = ", ".join(f"`{action}`" for action in ExitAction)
    return rows | {"action": ("text", "", f"{actions}; needed, as one of the others")}


def _probes() -> dict[str, tuple[str, str, str]]:
    about = {
        "http": ("table", "", "asks with HTTP"),
        "tcp": ("table", "", "opens a connection"),
        "command": ("array of texts", "", "runs this within the container; 0 passes"),
    }
    assert tuple(about) == PROBES
    return {key: (k, d, f"{a}; one of the three") for key, (k, d, a) in about.items()}


def _group() -> dict[str, tuple[str, str, str]]:
    whom = {
        GroupStrategy.ONE_FOR_ALL: "the end of a member takes all others along",
        GroupStrategy.REST_FOR_ONE: "it takes along those that are listed after it",
    }
    strategies = "; ".join(f"`{each}`: {whom[each]}" for each in GroupStrategy)
    members = "names of entries of `[[containers]]`, each in one group only; needed"
    rows = {
        "strategy": ("text", "", f"{strategies}; needed"),
        "members": ("array of texts", "", members),
    }
    assert tuple(rows) == GROUP_KEYS
    return rows


def fields_of(kind: type) -> dict[str, tuple[str, str, str]]:
    """Return the fields of a class: type, default, meaning."""
    about = ABOUT[kind]
    hints = typing.get_type_hints(kind)
    hidden = HIDDEN.get(kind, ())
    names = [f.name for f in attrs.fields(kind) if f.name not in hidden]
    assert set(names) == set(about), set(names) ^ set(about)
    return {
        field.name: (_kind(hints[field.name]), _default(field), about[field.name])
        for field in attrs.fields(kind)
        if field.name in about
    }


def _kind(hint: Any) -> str:
    args = [arg for arg in typing.get_args(hint) if arg is not type(None)]
    if hint is InstanceType:
        return "text or table"
    if hint is Share:
        return "number or text"
    if typing.get_origin(hint) is tuple:
        (inner, _) = typing.get_args(hint)
        return f"array of {_kind(inner)}s"
    if inspect.isclass(hint) and issubclass(hint, Enum | str):
        return "text"
    if hint in (int, float, bool):
        return {int: "number", float: "number", bool: "true or false"}[hint]
    if args and typing.get_origin(hint) is not None and len(args) == 1:
        return _kind(args[0])
    return "table"


def _default(field: Any) -> str:
    default = field.default
    if default is attrs.NOTHING:
        return ""
    if field.name.endswith("_ms") and isinstance(default, int):
        return f"{default} ({format_duration(default)})"
    if isinstance(default, Enum):
        return f'`"{default.value}"`'
    if isinstance(default, Share):
        return f'`"{default}"`' if default.is_percent else str(default)
    if isinstance(default, InstanceType):
        return f'`"{default.name}"`'
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, str):
        return f'`"{default}"`'
    return str(default) if isinstance(default, int | float) else ""


def _section(title: str, rows: dict[str, tuple[str, str, str]]) -> str:
    lines = [f"## {title}", "", "| key | type | default | |", "|---|---|---|---|"]
    for key, (kind, default, about) in rows.items():
        lines.append(f"| `{key}` | {kind} | {default} | {about} |")
    return "\n".join([*lines, ""])


def _sizes() -> str:
    """List the sizes that have a name."""
    lines = ["", "Or one of these names:", "", "| name | vcpu | memory | disk |"]
    lines += ["|---|---|---|---|"]
    for size in INSTANCE_TYPES.values():
        gib, gb = size.memory_mib / 1_024, size.disk_mb / 1_000
        lines.append(f"| `{size.name}` | {size.vcpu:g} | {gib:g} GiB | {gb:g} GB |")
    return "\n".join([*lines, ""])
