"""``rollout``: how a service goes from one revision to the next, and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from orchestrator.cli.asks import WHY, duration_option
from orchestrator.cli.completing import SERVICE
from orchestrator.cli.plain import cleaned
from orchestrator.cli.reach import Reach, reach_options
from orchestrator.cli.rollout_following import followed, known_rollouts
from orchestrator.cli.rollout_words import facts_of, hint_of, line_of, plain_table
from orchestrator.cli.shown import age, now_ms, output_option, show_facts, show_table
from orchestrator.cli.trees import TREES, show_tree

__all__ = ("rollout",)

F = TypeVar("F", bound=Callable[..., Any])

Info = dict[str, Any]

DONE: Final = frozenset({"done"})
BACK_AGAIN: Final = frozenset({"reverted"})

_HEADS: Final = ("REPLICA", "NAME", "REVISION", "STATE")
_ALL: Final = ("SERVICE", "STATUS", "REVISION", "COUNTED", "FAILURES", "REASON")
_REVISIONS: Final = ("REVISION", "AGE", "BY", "OUTCOME", "SERVING", "CHANGES", "WHY")
_ENDED: Final = ("REVISION", "FROM", "STRATEGY", "STATUS", "ENDED", "REASON")


@click.group()
def rollout() -> None:
    """Roll services out to another revision, step by step, and back."""


def _asking(function: F) -> F:
    """Add the options of what asks something of a rollout."""
    for option in (
        reach_options,
        output_option("table", "json", "yaml"),
        WHY,
        duration_option("1h"),
        click.option(
            "--wait/--detach",
            default=False,
            help="Follow it to its end, or leave at once (the default).",
        ),
        click.argument("service", type=SERVICE),
    ):
        function = option(function)
    return function


@rollout.command()
@_asking
def start(
    service: str, timeout: int, why: str, output: str, reach: Reach, *, wait: bool
) -> int:
    """Roll all replicas of SERVICE out anew, or once more to what was reverted.

    With --wait it leaves with 3 when the time is up, with 9 where the rollout was
    reverted, held or aborted.
    """
    limit_ms = timeout if wait else None
    asked, body = (service, "start"), {"why": why}
    return _asked(reach, asked, body, output=output, limit_ms=limit_ms)


@rollout.command()
@_asking
def pause(
    service: str, timeout: int, why: str, output: str, reach: Reach, *, wait: bool
) -> int:
    """Have the rollout of SERVICE wait, as it is, until it is resumed."""
    limit_ms = timeout if wait else None
    asked, body = (service, "pause"), {"why": why}
    return _asked(reach, asked, body, output=output, limit_ms=limit_ms)


@rollout.command()
@_asking
def resume(
    service: str, timeout: int, why: str, output: str, reach: Reach, *, wait: bool
) -> int:
    """Have the paused rollout of SERVICE go on."""
    limit_ms = timeout if wait else None
    asked, body = (service, "resume"), {"why": why}
    return _asked(reach, asked, body, output=output, limit_ms=limit_ms)


@rollout.command()
@_asking
def promote(
    service: str, timeout: int, why: str, output: str, reach: Reach, *, wait: bool
) -> int:
    """Have the rollout of SERVICE go on that waits for it, or watches what is new."""
    limit_ms = timeout if wait else None
    asked, body = (service, "promote"), {"why": why}
    return _asked(reach, asked, body, output=output, limit_ms=limit_ms)


@rollout.command()
@_asking
def abort(
    service: str, timeout: int, why: str, output: str, reach: Reach, *, wait: bool
) -> int:
    """Have the rollout of SERVICE go back to the revision before.

    With --wait it leaves with 0 once it has gone back.
    """
    return _asked(
        reach,
        (service, "abort"),
        {"why": why},
        output=output,
        limit_ms=timeout if wait else None,
        good=BACK_AGAIN,
    )


@rollout.command()
@click.option(
    "--to",
    type=click.IntRange(1),
    metavar="N",
    help="The revision to go back to; else the newest good one that is not serving.",
)
@_asking
def undo(
    service: str,
    to: int | None,
    timeout: int,
    why: str,
    output: str,
    reach: Reach,
    *,
    wait: bool,
) -> int:
    """Roll SERVICE out to an earlier revision, as a new revision.

    Its fleet file stays as it is: the next change of it rolls out what it says then.
    """
    body: Info = {"why": why} if to is None else {"why": why, "to": to}
    limit_ms = timeout if wait else None
    return _asked(reach, (service, "undo"), body, output=output, limit_ms=limit_ms)


def _asked(
    reach: Reach,
    asked: tuple[str, str],
    body: Info,
    *,
    output: str,
    limit_ms: int | None,
    good: frozenset[str] = DONE,
) -> int:
    """Ask for something; show what came of it, or follow it for *limit_ms*."""
    client = reach.client()
    service, action = asked
    info = client.post("services", service, "rollout", action, **body)
    code = 0
    if limit_ms is not None:
        is_json = output in TREES
        info, code = followed(client, service, limit_ms, good=good, err=is_json)
    _show(info, output)
    return code


@rollout.command()
@click.argument("service", required=False, type=SERVICE)
@click.option("--wait", is_flag=True, help="Follow it to its end.")
@duration_option("1h")
@output_option("table", "json", "yaml")
@reach_options
def status(
    service: str | None, timeout: int, output: str, reach: Reach, *, wait: bool
) -> int:
    """Show the newest rollout of SERVICE, or of all services.

    With --wait it leaves with 3 when the time is up, with 9 where the rollout was
    reverted, held or aborted.
    """
    client = reach.client()
    if service is None:
        if wait:
            raise click.UsageError("--wait needs a SERVICE.")
        _show_all(list(known_rollouts(client).values()), output)
        return 0
    if wait:
        is_json = output in TREES
        info, code = followed(client, service, timeout, good=DONE, err=is_json)
    else:
        info, code = client.get("services", service, "rollout"), 0
    _show(info, output)
    return code


def _show(info: Info, output: str) -> None:
    if output in TREES:
        show_tree(info, output)
        return
    click.echo(cleaned(line_of(info)))
    show_facts(facts_of(info), output)
    hint = hint_of(info)
    if hint is not None:
        click.echo(cleaned(hint))
    rows = [
        (
            str(one["index"]),
            one["name"],
            str(one["revision"]),
            one["state"].replace("_", " "),
        )
        for one in info["members"]
    ]
    show_table(plain_table(_HEADS, rows))


def _show_all(infos: list[Info], output: str) -> None:
    if output in TREES:
        show_tree(infos, output)
        return
    rows = [
        (
            info["service"],
            info["status"].replace("_", " "),
            f"{info['previous']} -> {info['revision']}",
            f"{info['counted']} of {info['replicas']}",
            f"{info['failures']} of {info['budget']}",
            info["reason"],
        )
        for info in infos
    ]
    show_table(plain_table(_ALL, rows))


@rollout.command()
@click.argument("service", type=SERVICE)
@output_option("table", "json", "yaml")
@reach_options
def history(service: str, output: str, reach: Reach) -> None:
    """Show the revisions of SERVICE that are kept, and how its rollouts ended."""
    told = reach.client().get("services", service, "rollout", "history")
    if output in TREES:
        show_tree(told, output)
        return
    now = now_ms()
    revisions = [
        (
            str(one["number"]),
            age(one["at"], now),
            one["by"],
            one["outcome"],
            "yes" if one["serving"] else "",
            ", ".join(map(_change, one["changes"])) or "-",
            one["why"] or "-",
        )
        for one in told["revisions"]
    ]
    show_table(plain_table(_REVISIONS, revisions))
    ended = [
        (
            str(one["revision"]),
            str(one["previous"]),
            one["strategy"],
            one["status"],
            f"{age(one['ended_at'], now)} ago",
            one["reason"],
        )
        for one in told["rollouts"]
    ]
    if ended:
        click.echo()
        show_table(plain_table(_ENDED, ended))


def _change(change: Info) -> str:
    def said(value: str | None) -> str:
        return "nothing" if value is None else value

    return f"{change['path']}: {said(change['before'])} -> {said(change['after'])}"
