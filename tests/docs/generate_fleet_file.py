"""The reference of the fleet file, written from the classes that it is read into."""

from __future__ import annotations

import inspect
import typing
from enum import Enum
from typing import Any

import attrs

from orchestrator.codec.platform_choices import (
    CHOICES,
    CloudflareChoice,
    LocalChoice,
    SimulatedChoice,
)
from orchestrator.core.backoff import Backoff
from orchestrator.core.hosting import (
    INSTANCE_TYPES,
    JURISDICTIONS,
    LOCATION_HINTS,
    REGIONS,
    InstanceType,
    Placement,
)
from orchestrator.core.moments import format_duration
from orchestrator.core.policies import CrashLimit, RestartPolicy
from orchestrator.core.specs import ContainerSpec, FleetSettings

__all__ = ("fleet_file",)

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
        " the REST API is asked how lost runs ended",
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
    },
    RestartPolicy: {
        "when": "`always`, `on_failure` or `never`",
        "crash": "how many crashes are too many",
        "backoff": "how long to wait before a restart",
        "min_interval_ms": "least time between starts after clean ends (`always`)",
        "lost_after_ms": "how long it may be unknown before `on_lost`",
        "on_lost": "`replace` or `wait`; unsaid, replace where the platform fences",
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
    },
}
HIDDEN = {
    FleetSettings: {"ad_hoc"},
    ContainerSpec: {"service", "replica"},
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

{sections}
## `[ad_hoc]`

The template of containers that are started by request with a bare name: the keys of
`[[containers]]`, without `name` and `replicas`.

## Placeholders

In `command` and in the values of `env`:

| placeholder | stands for |
|---|---|
| `${{name}}` | the container's name |
| `${{fleet}}` | the fleet's name |
| `${{replica.index}}` | 0, 1, 2 ... among the replicas |
| `${{config.KEY}}` | a value of its config; `KEY` may be a dotted path |
| `${{port.NAME}}` | the number of a port |
| `${{secret.KEY}}` | a secret; in `env` only, looked up at each start |

`$${{` writes `${{`.
"""


def fleet_file() -> str:
    """Return the page of the fleet file."""
    name = {"name": ("text", "", "the name of the fleet; needed")}
    functions = {
        "env_vars": ("text", "", '`"module:function"`, the env-vars builder'),
        "hooks": ("text", "", '`"module:object"`, what is told of starts and ends'),
    }
    replicas = {
        "replicas": ("number", "", "so many of it, numbered from 0, at most 10000")
    }
    restart = "`[restart]`, and `restart` of a container"
    sections = [
        _section("`[fleet]`", name | _fields(FleetSettings) | functions),
        _section("`[platform]`", {"kind": ("text", '`"local"`', KINDS)}),
        *(
            _section(f"`[platform]` of kind `{k}`", _fields(c))
            for k, c in CHOICES.items()
        ),
        _section("`[[containers]]`", _fields(ContainerSpec) | replicas),
        _section("`instance_type` of a container", _fields(InstanceType)) + _sizes(),
        _section("`placement` of a container", _fields(Placement)),
        _section(restart, _fields(RestartPolicy)),
        _section("`crash` of a restart policy", _fields(CrashLimit)),
        _section("`backoff` of a restart policy", _fields(Backoff)),
    ]
    return FLEET_FILE.format(sections="\n".join(sections))


def _fields(kind: type) -> dict[str, tuple[str, str, str]]:
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
    if typing.get_origin(hint) is tuple:
        return "array of texts"
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
