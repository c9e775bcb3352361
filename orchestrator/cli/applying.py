"""``apply``: a fleet file is declared, and followed until all have settled."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any, Final

import attrs
import click

from orchestrator.cli.asks import WHY, duration_option
from orchestrator.cli.client import Client
from orchestrator.cli.failing import Failed
from orchestrator.cli.plain import cleaned
from orchestrator.cli.planning import is_empty, prune_option, show_plan
from orchestrator.cli.reach import Reach, reach_options
from orchestrator.cli.rollout_following import (
    BACK,
    AppliedRollouts,
    Showing,
    known_rollouts,
)
from orchestrator.cli.shown import clock_time, now_ms, output_option
from orchestrator.cli.state import kept
from orchestrator.cli.tools import read_file
from orchestrator.cli.trees import TREES, show_tree
from orchestrator.codec.fleet_file import FleetFile
from orchestrator.codec.wire import tree_of
from orchestrator.core.moments import Millis, format_duration

__all__ = ("apply",)

TIMED_OUT: Final = 3
FAILED: Final = 4
UNREACHABLE: Final = 5
CONFLICT: Final = 6

TRIES: Final = 5
"""Plans that are made anew, where somebody else changes the fleet at that moment."""

LOOK_S: Final = 0.2
STEADY_S: Final = 1.0
"""What dies within it has not come up."""

LOOKS: Final = 4
"""A look may take so much less time than there is between two, at most."""

_SETTLED: Final = frozenset(
    {"stopped", "completed", "failed", "asleep", "crash_looping", "unknown"}
)
_BAD: Final = frozenset({"failed", "crash_looping"})

Info = dict[str, Any]


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--expect-revision",
    type=click.IntRange(0),
    metavar="N",
    help="Refuse where the fleet is not at revision N any more.",
)
@prune_option
@click.option("--detach", is_flag=True, help="Do not wait until all have settled.")
@duration_option("5m")
@WHY
@output_option("table", "json", "yaml")
@reach_options
def apply(
    file: Path,
    expect_revision: int | None,
    prune: str | None,
    timeout: int,
    why: str,
    output: str,
    reach: Reach,
    *,
    detach: bool,
) -> int:
    """Make the fleet of FILE the declared one, and wait until it has settled.

    Only what `plan FILE` shows is changed. Leaves with 3 when the time is up, with 4
    where a container of FILE has failed, is crash-looping, or waits for one that will
    not come, with 6 where the fleet has another revision than expected, with 9 where a
    rollout of it was reverted, held or aborted, now or when it was applied before.
    """
    fleet = read_file(file)
    reach = reach.of_fleet(fleet.spec.name)
    _tell_what_stays(reach, fleet)
    client, tree = reach.client(), tree_of(fleet.spec)
    before = known_rollouts(client)
    plan = _applied(client, tree, expect_revision, prune, why)
    if output == "table":
        show_plan(plan, output)
    outcome, code = "detached", 0
    infos: list[Info] = []
    is_json = output in TREES
    rolling = AppliedRollouts(
        client=client,
        services=frozenset(service.name for service in fleet.spec.services),
        before=before,
        showing=Showing(err=is_json),
    )
    if not detach:
        following = _Following(
            client=client,
            names=frozenset(spec.name for spec in fleet.spec.containers),
            plan=plan,
            rolling=rolling,
        )
        outcome, infos, code = following.until_settled(timeout, err=is_json)
    elif rolling.judged(is_news=not is_empty(plan)) is not None:
        code = BACK
    rollouts = list(rolling.found.values())
    if output in TREES:
        answer = {
            "plan": plan,
            "outcome": outcome,
            "containers": infos,
            "rollouts": rollouts,
        }
        show_tree(answer, output)
    return code


def _tell_what_stays(reach: Reach, fleet: FleetFile) -> None:
    """Say that a platform is not changed by an apply, where it is another one."""
    folder = reach.folder()
    try:
        known = None if folder is None else kept(folder)
    except Failed:
        return  # whoever answers, if anybody does, has left no word
    if known is not None and known.platform != fleet.platform:
        what = "platform of the file is another one: that needs a new `orchestrator up`"
        click.echo(f"warning: the {what}", err=True)


def _applied(
    client: Client, tree: Any, expected: int | None, prune: str | None, why: str
) -> dict[str, Any]:
    """Plan, and apply just that; the plan that was applied is returned.

    Where somebody else changes the fleet between the two, it is planned again, unless
    the caller has said which revision is expected.
    """
    tries = 0
    while True:
        tries += 1
        plan: dict[str, Any] = client.plan(tree, revision=expected, prune=prune)
        if is_empty(plan):
            return plan
        revision = plan["revision_before"]
        try:
            client.apply(tree, revision=revision, prune=prune, why=why)
        except Failed as error:
            if error.code != CONFLICT or expected is not None or tries == TRIES:
                raise
        else:
            return plan


@attrs.define(kw_only=True)
class _Following:
    """Follows what an apply leads to: containers of the file, rollouts, who leaves."""

    client: Client
    names: frozenset[str]
    plan: dict[str, Any]
    rolling: AppliedRollouts
    shown: dict[str, tuple[Any, ...]] = attrs.field(factory=dict)

    def until_settled(
        self, limit_ms: Millis, *, err: bool
    ) -> tuple[str, list[Info], int]:
        """Show each change until all have settled, for a while.

        *err*: to the error stream. The answer says how it ended, with which containers,
        and the exit code.
        """
        end = time.monotonic() + limit_ms / 1_000
        calm_since: float | None = None
        while True:
            began = time.monotonic()
            infos, is_rolling = self._looked()
            now = time.monotonic()
            self._show(infos, err=err)
            ours = [info for info in infos if self._is_ours(info)]
            rest = self._unsettled(infos)
            calm_since = None if rest or is_rolling else (calm_since or now)
            if calm_since is not None and now - calm_since >= STEADY_S:
                return self._judged(ours)
            if now > end:
                return self._late(ours, rest, limit_ms)
            time.sleep(max(LOOK_S, (now - began) * LOOKS))

    def _looked(self) -> tuple[list[Info], bool]:
        """Ask for all containers, and whether anything is rolled out."""
        try:
            infos: list[Info] = self.client.get("containers")
            return infos, self.rolling.look()
        except Failed as error:
            if error.code != UNREACHABLE:
                raise
            told = "the fleet is declared so; it settles when its operator runs again"
            raise Failed(f"{error.message}\n{told}", UNREACHABLE) from None

    def _is_ours(self, info: Info) -> bool:
        """Say whether a container is one of the file, also under another name."""
        name = info["name"]
        return name in self.names or _BESIDE.sub("", name) in self.names

    def _unsettled(self, infos: list[Info]) -> list[Info]:
        """Return who is not yet where it stays, or not yet gone."""
        stopped = {
            change["name"]
            for change in self.plan["changes"]
            if change["action"] == "stop"
        }
        return [
            info
            for info in infos
            if (self._is_ours(info) and not _is_settled(info))
            or (info["name"] in stopped and info["desired"] == "stopped")
        ]

    def _show(self, infos: list[Info], *, err: bool) -> None:
        planned = {change["name"] for change in self.plan["changes"]}
        for info in infos:
            name = info["name"]
            now = (info["phase"], info["ready"], info["run"])
            is_new = name not in self.shown and name not in planned
            if self.shown.get(name) != now and not (is_new and _is_settled(info)):
                _say(name, _said(info), err=err)
            self.shown[name] = now
        for name in sorted(set(self.shown) - {info["name"] for info in infos}):
            _say(name, "is not in the fleet any more", err=err)
            del self.shown[name]

    def _judged(self, ours: list[Info]) -> tuple[str, list[Info], int]:
        bad = [info for info in ours if info["phase"] in _BAD or _is_stuck(info)]
        for info in bad:
            line = f"{info['name']} is {info['phase']}: {info['why']}"
            click.echo(cleaned(line), err=True)
        back = self.rolling.judged(is_news=not is_empty(self.plan))
        if back is not None:
            return back, ours, BACK
        return ("failed", ours, FAILED) if bad else ("settled", ours, 0)

    def _late(
        self, ours: list[Info], rest: list[Info], limit_ms: Millis
    ) -> tuple[str, list[Info], int]:
        click.echo(f"not settled after {format_duration(limit_ms)}:", err=True)
        self.rolling.tell_late()
        for info in rest:
            click.echo(cleaned(f"  {info['name']} {_said(info)}"), err=True)
        return "timed_out", ours, TIMED_OUT


_BESIDE: Final = re.compile(r"\.r[0-9]+$")
"""What the name of a replica ends in that was made beside the one it replaces."""


def _is_settled(info: Info) -> bool:
    return bool(info["ready"]) or info["phase"] in _SETTLED or _is_stuck(info)


def _is_stuck(info: Info) -> bool:
    """Say whether it waits for what does not come by itself."""
    return bool(info.get("stuck"))


def _said(info: Info) -> str:
    ready = " (ready)" if info["ready"] else ""
    return f"{info['phase']:<14} run {info['run']}{ready}: {info['why']}"


def _say(name: str, text: str, *, err: bool) -> None:
    click.echo(cleaned(f"{clock_time(now_ms())}  {name:<16} {text}"), err=err)
