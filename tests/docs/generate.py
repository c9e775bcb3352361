"""The reference pages and the state diagram, written from the code.

``python -m tests.docs.generate`` writes them; a test compares what is there with what
the code says.
"""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import click

from orchestrator.api.statuses import EXITS, STATUSES
from orchestrator.cli.commands import COMMANDS
from orchestrator.cli.main import cli
from orchestrator.cli.replay import SHOW, replay
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
from orchestrator.core.observations import (
    SeenAbsent,
    SeenEnded,
    SeenRunning,
    SeenUnreachable,
    Sight,
)
from orchestrator.core.origins import Origin
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
    CrashLimit,
    OnLost,
    RestartPolicy,
    When,
)
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import Container, Desired, History, LastRun
from orchestrator.core.terms import FixedTerms
from tests.docs.generate_api import api_page, openapi_file
from tests.docs.generate_failures import failures
from tests.docs.generate_fleet_file import fleet_file
from tests.docs.generate_gateway import gateway_page
from tests.docs.generate_metrics import metrics_page
from tests.docs.generate_policies import policies_page

DOCS = Path(__file__).parents[2] / "docs"

Edges = dict[tuple[str, str], set[str]]


# The state diagram


def edges() -> Edges:
    """Try every event in every phase, and note which phase follows."""
    found: Edges = defaultdict(set)
    for container in _containers():
        for event in _events(live_run(container.phase) or container.run):
            after, _ = advance(container, event, FixedTerms(fences=True))
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


# Commands and errors


CONVENTIONS = (
    "`-o json` and `-o yaml` are for programs, and say the same; a stream comes as",
    "a JSON object a line, or a YAML document each. `list` and `status` go on with",
    "what changes with `--watch`, `events` and `logs` with `--follow`. Where a command",
    "takes NAME..., what fails for one name holds up no other: each failure is told,",
    "and the exit code is that of the first. [Exit codes](errors.md#exit-codes).",
    "",
    "`orchestrator --color always|never COMMAND` has colours, or none; else a terminal",
    "shows them, unless `NO_COLOR` is set. What others have written (a name, a reason,",
    "a log) never steers a terminal.",
)


def commands() -> str:
    """Return the page of the commands."""
    lines = ["# Commands", "", "`orchestrator COMMAND`; each says more with `--help`."]
    lines += ["", "The state folder of a fleet is `--state DIR`, or"]
    lines += ["`ORCHESTRATOR_STATE`, or, where this user has one fleet only, its own."]
    lines += ["An operator that listens to HTTP is reached from anywhere: by `--url`,"]
    lines += ["`--context` or `ORCHESTRATOR_URL`, or by the context in use."]
    lines += ["", *CONVENTIONS]
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
        if not isinstance(command, click.Group):
            yield name, command
            continue
        for inner in command.list_commands(context):
            below = command.get_command(context, inner)
            assert below is not None, inner
            # orchestrator replay JOURNAL: the one question that needs no word.
            is_unsaid = command is replay and inner == SHOW
            yield name if is_unsaid else f"{name} {inner}", below


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
    "explanation/what-counts-as-a-failure.md": failures,
    "reference/fleet-file.md": fleet_file,
    "reference/restart-policies.md": policies_page,
    "reference/commands.md": commands,
    "reference/errors.md": errors,
    "reference/api.md": api_page,
    "reference/openapi.json": openapi_file,
    "reference/gateway.md": gateway_page,
    "reference/metrics.md": metrics_page,
}


def main() -> None:
    """Write every page."""
    for name, make in PAGES.items():
        (DOCS / name).write_text(make(), encoding="utf-8")


if __name__ == "__main__":
    main()
