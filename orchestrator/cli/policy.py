"""``policy explain``: what a restart policy will do, before it has to do it."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import attrs
import click
from rich import box
from rich.table import Table

from orchestrator.cli.failing import Failed
from orchestrator.cli.named import policies_of
from orchestrator.cli.policy_svg import Drawn, draw_schedules
from orchestrator.cli.policy_words import (
    check_words,
    group_words,
    policy_words,
    rule_words,
    stop_words,
)
from orchestrator.cli.shown import Duration, output_option, show_table
from orchestrator.cli.tools import parsed_file
from orchestrator.cli.trees import TREES, show_tree
from orchestrator.codec.fleet_checks import services_of
from orchestrator.codec.fleet_file import FleetFile
from orchestrator.codec.platform_choices import CloudflareChoice
from orchestrator.codec.wire import tree_of
from orchestrator.core.advice import Advice, Weight
from orchestrator.core.exits import Exit, Exited, StartFailed, exit_text
from orchestrator.core.moments import Millis, format_duration
from orchestrator.core.origins import Origin
from orchestrator.core.schedule import Fate, Restart, Schedule, schedule
from orchestrator.core.spec_advice import group_advice, spec_advice
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.terms import FixedTerms

__all__ = ("policy",)

NOT_FOUND: Final = 11
RESTARTS_MAX: Final = 1_000
FAILS: Final = Exited(code=1)
REPEATS: Final = 30
"""Starts and clean ends in a row that are tried, to see what comes of them."""


@attrs.frozen(kw_only=True)
class _Explained:
    """One service, explained."""

    spec: ContainerSpec
    replicas: int
    words: tuple[str, ...]
    rules: tuple[str, ...]
    checks: tuple[str, ...]
    groups: tuple[str, ...]
    failures: Schedule
    starts: Schedule
    clean: Schedule
    advice: tuple[Advice, ...]


@click.group()
def policy() -> None:
    """Look at restart policies before they are needed."""


@policy.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("name", required=False)
@click.option(
    "--restarts",
    type=click.IntRange(1, RESTARTS_MAX),
    default=12,
    show_default=True,
    help="How many restarts to show.",
)
@click.option(
    "--lives",
    type=Duration(),
    default="0s",
    show_default=True,
    help="How long each run is up and ready before it fails, such as 30s.",
)
@click.option(
    "--svg",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Draw it into this file.",
)
@output_option("table", "json", "yaml")
def explain(
    file: Path,
    name: str | None,
    restarts: int,
    lives: Millis,
    svg: Path | None,
    output: str,
) -> None:
    """Say what the policy of each container of FILE does when it always fails.

    The first restarts, when it gives up or cools down, and how it recovers; what its
    exit rules and health checks do; and which settings contradict one another.
    """
    fleet = parsed_file(file)
    policies = policies_of(fleet, file.absolute().parent)
    terms = FixedTerms(settings=fleet.spec.settings, policies=policies)
    fate = Fate(exit=FAILS, lives_ms=lives, restarts=restarts)
    explained = [
        _explained(spec, fleet, terms, fate) for spec in _chosen(fleet, name, file)
    ]
    if svg is not None:
        drawn = [_drawn(one) for one in explained]
        picture = draw_schedules(drawn, file=file.name, fate=_fate_words(fate))
        svg.write_text(picture, encoding="utf-8")
    if output in TREES:
        trees = [_tree(one) for one in explained]
        show_tree(trees, output)
        return
    for one in explained:
        _show(one, fate)
    if svg is not None:
        click.echo(f"drawn into {svg}")


def _chosen(fleet: FleetFile, name: str | None, file: Path) -> list[ContainerSpec]:
    services = services_of(fleet.spec)
    if name is None:
        return list(services)
    names = {spec.service: spec for spec in services}
    names |= {spec.name: spec for spec in fleet.spec.containers}
    if name in names:
        return [names[name]]
    close = get_close_matches(name, list(names), n=1)
    hint = f'; did you mean "{close[0]}"?' if close else ""
    raise Failed(f"{file}: no container is called {name!r}{hint}", NOT_FOUND)


def _explained(
    spec: ContainerSpec, fleet: FleetFile, terms: FixedTerms, fate: Fate
) -> _Explained:
    template = fleet.spec.settings.ad_hoc
    origin = Origin.AD_HOC if spec is template else Origin.MIN_REPLICA_SET
    replicas = sum(other.service == spec.service for other in fleet.spec.containers)

    def tried(end: Exit) -> Schedule:
        return schedule(spec, terms, Fate(exit=end, restarts=REPEATS), origin=origin)

    has_exec = not isinstance(fleet.platform, CloudflareChoice)
    advice = spec_advice(spec, fleet.spec.settings, has_exec=has_exec)
    mine = spec.group.group if spec.group else None
    others = [
        other
        for other in fleet.spec.containers
        if other.group is not None and other.group.group == mine
    ]
    return _Explained(
        spec=spec,
        replicas=replicas,
        words=tuple(policy_words(spec.restart, origin)),
        rules=tuple(rule_words(spec.restart.exit_rules)),
        checks=tuple(check_words(spec)),
        groups=tuple(group_words(spec, others)),
        failures=schedule(spec, terms, fate, origin=origin),
        starts=tried(StartFailed(reason="it did not start")),
        clean=tried(Exited(code=0)),
        advice=(*advice, *group_advice(others)),
    )


# For people


def _fate_words(fate: Fate) -> str:
    lives = format_duration(fate.lives_ms)
    after = f"after {lives}" if fate.lives_ms else "at once"
    return f"fails {after} ({exit_text(fate.exit)})"


def _show(one: _Explained, fate: Fate) -> None:
    click.echo(_title(one))
    for words in (*one.words, *one.groups):
        click.echo(f"  - {words}")
    _show_list("exit rules, the first that matches decides", one.rules, numbered=True)
    _show_list("health checks", one.checks)
    click.echo(f"\n  if each run {_fate_words(fate)}:\n")
    show_table(_table(one.failures, one.spec))
    click.echo("")
    click.echo(f"  - {stop_words(one.failures, 'runs that fail so')}")
    click.echo(f"  - {stop_words(one.starts, 'starts that fail at once')}")
    click.echo(f"  - {stop_words(one.clean, 'runs that end with 0 at once')}")
    for advice in one.advice:
        click.echo(f"  {advice.weight}: {advice.text}")
    click.echo("")


def _title(one: _Explained) -> str:
    if one.replicas == 0:
        return f"{one.spec.service}: the template of ad-hoc containers"
    count = "one container" if one.replicas == 1 else f"{one.replicas} containers"
    return f"{one.spec.service}: {count}"


def _show_list(title: str, words: tuple[str, ...], *, numbered: bool = False) -> None:
    if words:
        click.echo(f"  {title}:")
    for index, each in enumerate(words):
        click.echo(f"    {f'{index}.' if numbered else '-'} {each}")


def _table(found: Schedule, spec: ContainerSpec) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=True, show_edge=False)
    heads = ("#", "STARTS AT", "FAILS AT", "IN WINDOW", "WAITS", "WITH JITTER", "WHY")
    for head in heads:
        table.add_column(head, no_wrap=head != "WHY", overflow="fold")
    for each in found.restarts:
        table.add_row(
            str(each.number),
            format_duration(each.began_at),
            format_duration(each.ended_at),
            f"{each.counted} of {spec.restart.crash.allowed_crashes}",
            _duration(each.wait_ms),
            _band(each),
            each.why,
        )
    return table


def _duration(duration: Millis | None) -> str:
    return "-" if duration is None else format_duration(duration)


def _band(each: Restart) -> str:
    if each.least_ms == each.most_ms:
        return "-"
    return f"{_duration(each.least_ms)} to {_duration(each.most_ms)}"


# For programs, and as a drawing


def _tree(one: _Explained) -> dict[str, Any]:
    def restarts(found: Schedule) -> list[Any]:
        return [tree_of(each) for each in found.restarts]

    def advised(weight: Weight) -> list[str]:
        return [each.text for each in one.advice if each.weight is weight]

    return {
        "name": one.spec.service,
        "replicas": one.replicas,
        "policy": tree_of(one.spec.restart),
        "words": list(one.words),
        "exit_rules": list(one.rules),
        "health": list(one.checks),
        "group": list(one.groups),
        "failures": restarts(one.failures),
        "failed_starts": restarts(one.starts),
        "clean_exits": restarts(one.clean),
        "warnings": advised(Weight.WARNING),
        "notes": advised(Weight.NOTE),
    }


def _drawn(one: _Explained) -> Drawn:
    crash = one.spec.restart.crash
    return Drawn(
        name=_title(one),
        words=one.words,
        schedule=one.failures,
        window_ms=crash.window_ms,
        allowed=crash.allowed_crashes,
    )
