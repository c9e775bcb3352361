"""The reference pages and the state diagram, written from the code.

``python -m tests.docs.generate`` writes them; a test compares what is there with what
the code says.
"""

from __future__ import annotations

import inspect
import typing
from collections import defaultdict
from collections.abc import Iterator
from enum import Enum
from itertools import product
from pathlib import Path
from typing import Any

import attrs
import click

from orchestrator.api.statuses import EXITS, STATUSES
from orchestrator.cli.main import COMMANDS, cli
from orchestrator.codec.fleet_file import PlatformChoice
from orchestrator.core.advance import advance
from orchestrator.core.drafts import is_removable
from orchestrator.core.errors import ContainerStartFailed, NoCapacity
from orchestrator.core.events import (
    CommandFailed,
    CommandKind,
    ContainerEnded,
    ContainerErrored,
    ContainerEvent,
    ContainerObserved,
    ContainerReady,
    ContainerStarted,
    CrashHistoryCleared,
    RemoveRequested,
    RestartRequested,
    SpecApplied,
    StartRequested,
    StopRequested,
    TimeReached,
)
from orchestrator.core.exits import (
    Exit,
    Exited,
    Lost,
    RolledOut,
    Signaled,
    Slept,
    StartFailed,
)
from orchestrator.core.exits import Stopped as ExitStopped
from orchestrator.core.moments import format_duration
from orchestrator.core.observations import (
    SeenAbsent,
    SeenEnded,
    SeenRunning,
    SeenUnreachable,
    Sight,
)
from orchestrator.core.phases import (
    PHASE_NAMES,
    Asleep,
    BackingOff,
    Completed,
    CrashLooping,
    Failed,
    Pending,
    Phase,
    Rule,
    Running,
    Starting,
    Stopped,
    Stopping,
    Unknown,
    live_run,
    phase_name,
)
from orchestrator.core.policies import (
    Backoff,
    CrashLimit,
    OnLost,
    RestartPolicy,
    When,
)
from orchestrator.core.specs import ContainerSpec, FleetSettings, Origin
from orchestrator.core.state import Container, Desired, History, LastRun

DOCS = Path(__file__).parents[2] / "docs"

Edges = dict[tuple[str, str], set[str]]


# The state diagram


def edges() -> Edges:
    """Try every event in every phase, and note which phase follows."""
    found: Edges = defaultdict(set)
    for container in _containers():
        for event in _events(live_run(container.phase) or container.run):
            after, _ = advance(container, event, FleetSettings(), fences=True)
            ends = phase_name(container.phase), phase_name(after.phase)
            if ends[0] != ends[1]:
                found[ends].add(type(event).__name__)
            if is_removable(after):
                found[ends[1], "[*]"].add(RemoveRequested.__name__)
    seen = {end for ends in found for end in ends}
    assert set(PHASE_NAMES.values()) <= seen, "a phase that nothing leads to"
    found["[*]", "pending"] |= {SpecApplied.__name__, StartRequested.__name__}
    found["pending", "starting"].add("a start is granted")
    return found


AT = 1_000_000
FAR = AT + 10_000_000
LONG_AGO = AT - 900_000


def _containers() -> Iterator[Container]:
    """Yield containers in every phase that the owner's wish allows."""
    for when, crashes, alive, origin in product(When, (0, 9), (True, False), Origin):
        spec = ContainerSpec(
            name="web",
            command=("run",),
            keep_alive=alive,
            restart=RestartPolicy(
                when=when, crash=CrashLimit(allowed_crashes=3), on_lost=OnLost.REPLACE
            ),
        )
        history = History(failures=(AT,) * crashes, attempts=crashes)
        for phase, running in _phases():
            yield Container(
                name="web",
                spec=spec,
                salt=1,
                revision=1,
                origin=origin,
                desired=Desired(running=running, by="owner", why="", at=0),
                phase=phase,
                run=3,
                started_revision=1,
                history=history,
                last=LastRun(run=2, exit=Exited(code=1), ended_at=LONG_AGO),
            )


def _phases() -> Iterator[tuple[Phase, bool]]:
    since = LONG_AGO
    starting = Starting(since=since, run=3)
    accepted = Starting(since=since, run=3, accepted=True)
    running = Running(since=since, run=3, ready_at=since)
    unready = Running(since=since, run=3, deadline=AT)
    rule = Rule.FAILURE_BACKOFF
    for phase in (
        Pending(since=since, rule=rule),
        starting,
        accepted,
        running,
        unready,
        Unknown(since=since, run=3, was=running),
        BackingOff(since=since, until=AT, rule=rule),
        CrashLooping(since=since, until=AT, rule=rule),
        CrashLooping(since=since, until=None, rule=rule),
        Failed(since=since, rule=rule),
        Completed(since=since),
        Asleep(since=since),
    ):
        yield phase, True
    yield Stopped(since=since), False
    verdicts: tuple[Exit, ...] = (ExitStopped(), Lost())
    for running_again, verdict in product((True, False), verdicts):
        stopping = Stopping(since=since, run=3, deadline=FAR, verdict=verdict)
        yield stopping, running_again


def _events(run: int) -> Iterator[ContainerEvent | TimeReached]:
    exits = (
        Exited(code=0),
        Exited(code=1),
        Signaled(signal=9),
        Slept(),
        RolledOut(),
        ExitStopped(),
        Lost(),
        StartFailed(reason="no"),
        NoCapacity(),
    )
    seen: tuple[Sight, ...] = (
        SeenRunning(ready=True),
        SeenUnreachable(),
        SeenAbsent(),
        *(SeenEnded(exit=end) for end in exits),
    )
    for end in exits:
        yield ContainerEnded(at=AT, name="web", run=run, exit=end)
    for sight in seen:
        yield ContainerObserved(at=AT, name="web", run=run, sight=sight)
    for error in (NoCapacity(), ContainerStartFailed(name="web", cause="no")):
        yield CommandFailed(
            at=AT, name="web", run=run, kind=CommandKind.START, error=error
        )
    yield ContainerStarted(at=AT, name="web", run=run)
    yield ContainerReady(at=AT, name="web", run=run)
    yield ContainerErrored(at=AT, name="web", run=run, cause="cut off")
    yield TimeReached(at=AT, name="web")
    yield StartRequested(at=AT, name="web", force=True)
    yield StopRequested(at=AT, name="web")
    yield RestartRequested(at=AT, name="web")
    yield CrashHistoryCleared(at=AT, name="web")


def diagram(found: Edges) -> str:
    """Draw the edges for Mermaid."""
    lines = ["```mermaid", "stateDiagram-v2"]
    lines += [f"    {before} --> {after}" for before, after in sorted(found)]
    return "\n".join([*lines, "```"])


def edge_table(found: Edges) -> str:
    """List the edges with the events that lead along them."""
    lines = ["| from | to | on |", "|---|---|---|"]
    for (before, after), events in sorted(found.items()):
        ends = ["nothing" if end == "[*]" else f"*{end}*" for end in (before, after)]
        named = ", ".join(f"`{event}`" for event in sorted(events))
        lines.append(f"| {ends[0]} | {ends[1]} | {named} |")
    return "\n".join(lines)


def the_loop() -> str:
    """Return the page of the loop, with the diagram as the code draws it."""
    page = (DOCS / "explanation" / "the-loop.md").read_text(encoding="utf-8")
    head, begin, rest = page.partition("<!-- drawn from the code: begin -->\n")
    _, end, tail = rest.partition("<!-- drawn from the code: end -->")
    found = edges()
    drawn = f"{diagram(found)}\n\n{edge_table(found)}\n"
    return f"{head}{begin}\n{drawn}\n{end}{tail}"


# The fleet file

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
    PlatformChoice: {
        "kind": "`local`: processes of this machine; `simulated`: nothing is run",
        "log_max_bytes": "`local`: bytes of a log; one older file is as large",
        "seed": "`simulated`: what every fate is drawn from",
    },
    ContainerSpec: {
        "name": "letters, digits, `.`, `_` and `-`; with replicas, `-0`, `-1` follow",
        "image": "what runs on Cloudflare",
        "command": "the words of what runs; on `local` it must be there",
        "working_dir": "its folder, relative to the file's",
        "ports": "by name; on `local` each replica gets a free one for each",
        "config": "user config, given to the env-vars builder and `${config.KEY}`",
        "env": "the environment; may hold placeholders",
        "restart": "as the section below, laid over it",
        "stop_signal": "asks it to stop: TERM, INT, QUIT, HUP, USR1, USR2 or KILL",
        "stop_grace_ms": "after the signal, before SIGKILL",
        "start_timeout_ms": "until it must be ready",
        "sleep_after_ms": "idle time after which the platform stops it (Cloudflare)",
        "keep_alive": "start it again when the platform stopped it for idleness",
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
HIDDEN = {"service", "replica", "ad_hoc"}

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
        _section("`[platform]`", _fields(PlatformChoice)),
        _section("`[[containers]]`", _fields(ContainerSpec) | replicas),
        _section(restart, _fields(RestartPolicy)),
        _section("`crash` of a restart policy", _fields(CrashLimit)),
        _section("`backoff` of a restart policy", _fields(Backoff)),
    ]
    return FLEET_FILE.format(sections="\n".join(sections))


def _fields(kind: type) -> dict[str, tuple[str, str, str]]:
    about = ABOUT[kind]
    hints = typing.get_type_hints(kind)
    names = [f.name for f in attrs.fields(kind) if f.name not in HIDDEN]
    assert set(names) == set(about), set(names) ^ set(about)
    return {
        field.name: (_kind(hints[field.name]), _default(field), about[field.name])
        for field in attrs.fields(kind)
        if field.name in about
    }


def _kind(hint: Any) -> str:
    args = [arg for arg in typing.get_args(hint) if arg is not type(None)]
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


# Commands and errors


def commands() -> str:
    """Return the page of the commands."""
    lines = ["# Commands", "", "`orchestrator COMMAND`; each says more with `--help`."]
    lines += ["", "The state folder of a fleet is `--state DIR`, or"]
    lines += ["`ORCHESTRATOR_STATE`, or, where this user has one fleet only, its own."]
    for words, command in _all_commands():
        context = click.Context(command, info_name=f"orchestrator {words}")
        usage = command.get_usage(context).removeprefix("Usage: ")
        about = inspect.cleandoc(command.help or "").replace("\n\n", "\n\n")
        usage = " ".join(usage.split())
        lines += ["", f"## {words}", "", f"    {usage}", "", about]
        options = list(_options(command, context))
        if options:
            lines += ["", "| option | |", "|---|---|", *options]
    return "\n".join(lines) + "\n"


def _all_commands() -> Iterator[tuple[str, click.Command]]:
    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        if name == "ps" or command is None:
            continue
        if isinstance(command, click.Group):
            for inner, below in command.commands.items():
                yield f"{name} {inner}", below
        else:
            yield name, command


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    for option in command.params:
        record = option.get_help_record(context)
        if record is not None:
            words, about = record
            yield f"| `{words.replace('|', ' or ')}` | {about} |"


def errors() -> str:
    """Return the page of the errors and exit codes."""
    lines = [
        "# Errors and exit codes",
        "",
        "Every way to fail is a value with a stable `code`, its facts as fields, and a",
        "`message` for people. One table says how each shows at the edge:",
        "",
        "| code | class | HTTP | exit | |",
        "|---|---|---|---|---|",
    ]
    for kind, status in sorted(STATUSES.items(), key=lambda pair: pair[0].code):
        about = (kind.__doc__ or "").splitlines()[0]
        lines.append(
            f"| `{kind.code}` | `{kind.__name__}` | {status.http} |"
            f" {status.exit_code} | {about} |"
        )
    lines += ["", "## Exit codes", "", "| code | meaning |", "|---|---|"]
    lines += [f"| {code} | {meaning} |" for code, meaning in EXITS.items()]
    lines += [
        "",
        "`list` and `status` leave with 0 whatever they show; `up --once` and",
    ]
    lines += ["`wait` use 3 and 4."]
    return "\n".join(lines) + "\n"


PAGES = {
    "explanation/the-loop.md": the_loop,
    "reference/fleet-file.md": fleet_file,
    "reference/commands.md": commands,
    "reference/errors.md": errors,
}


def main() -> None:
    """Write every page."""
    for name, make in PAGES.items():
        (DOCS / name).write_text(make(), encoding="utf-8")


if __name__ == "__main__":
    main()
