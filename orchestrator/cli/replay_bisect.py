"""``orchestrator replay bisect``: the first row after which a condition holds."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import attrs
import click
from returns.result import Failure, Success

from orchestrator.cli.asked_condition import condition_of
from orchestrator.cli.differing import (
    command_lines,
    difference_lines,
    differences_json,
    row_words,
)
from orchestrator.cli.failing import failed
from orchestrator.cli.journal_kinds import token_option
from orchestrator.cli.named import OPTION, policies_named
from orchestrator.cli.other_rules import OtherRules
from orchestrator.cli.plain import cleaned, counted
from orchestrator.cli.readings import (
    JOURNAL,
    beginning_of,
    expect_uncut,
    iso_time,
    policies_option,
    reading,
    shown_while,
    unregistered,
)
from orchestrator.cli.shown import output_option
from orchestrator.cli.trees import TREES, show_tree
from orchestrator.codec.wire import decode_fleet, tree_of
from orchestrator.core.custom import CustomPolicies
from orchestrator.core.explain import explain
from orchestrator.core.moments import format_duration
from orchestrator.core.state import RULES, Fleet
from orchestrator.journal.reading import Reading
from orchestrator.replay.bisection import (
    Finding,
    Found,
    HeldBefore,
    Known,
    Never,
    bisect_between,
)
from orchestrator.replay.bisection import (
    bisect as find,
)
from orchestrator.replay.conditions.checks import near
from orchestrator.replay.conditions.conditions import (
    Condition,
    lasts,
    names_in,
)
from orchestrator.replay.fleet_differences import compare_containers
from orchestrator.replay.history import Entry

__all__ = ("bisect",)

NOT_FOUND: Final = 1
TOUCHED_MAX: Final = 5
"""Containers that are shown where the condition names none."""

NAMES: Final = ("before", "after")


@click.command("bisect")
@click.argument("journal", type=JOURNAL)
@click.option(
    "--when",
    "text",
    required=True,
    metavar="CONDITION",
    help="What to look for, such as \"phase('web-1') == 'crash_looping'\".",
)
@click.option("--scan", is_flag=True, help="Look at every row; use no snapshot.")
@policies_option
@token_option
@output_option("text", "json", "yaml")
def bisect(
    journal: Path, text: str, policies: str | None, output: str, *, scan: bool
) -> int:
    """Find the first row of JOURNAL after which a condition holds.

    Conditions ask for facts of containers (phase, ready, restarts, crashes, failures,
    run, revision, desired, rule, last_exit, exit_kind, exit_code, in_phase, wait,
    changed), of the fleet (containers, count, strangers, observed, revision, epoch,
    at, seq), and of the row (event, event_name, command), compare them, and join
    comparisons with and, or, not. Exit code 1: it holds after no row.
    """
    condition = condition_of(text)
    known = policies_named(policies, Path.cwd(), OPTION)
    with reading(journal) as read:
        fleet = beginning_of(read, known)
        search = _Search(read, fleet, OtherRules(fleet))
        answer = _searched(search, condition, known, scan=scan)
        if read.error is not None:
            raise failed(read.error)
        if read.is_bare:
            expect_uncut(journal, read)
        if isinstance(answer, Found):
            _warn_of_strangers(condition, answer.step.after, answer.step.before)
        else:
            _warn_of_strangers(condition, answer.fleet, answer.fleet)
        if output in TREES:
            show_tree(_tree(answer, condition, read), output)
        else:
            click.echo(_shown_text(answer, condition, journal, read))
        search.rules.warn()
    return NOT_FOUND if isinstance(answer, Never) else 0


@attrs.frozen
class _Search:
    """A journal that is searched: where it begins, and the rules met on the way."""

    read: Reading
    fleet: Fleet
    rules: OtherRules

    @property
    def first(self) -> int:
        """Return the row that the rows begin behind."""
        base = self.read.source.base
        return 0 if base is None else base.seq

    def entries(self, after: int, fleet: Fleet) -> Iterable[Entry]:
        """Return the entries behind a row, after which the fleet was *fleet*."""
        entries = self.rules.passing(self.read.entries(after), fleet)
        if after != self.first:
            return entries
        return shown_while(entries, self.read, "searching")


def _searched(
    search: _Search, condition: Condition, policies: CustomPolicies, *, scan: bool
) -> Finding:
    """Search with the help of snapshots, where there are any and they may be used."""
    between = None if scan else _snapshots(search)
    if between is None or len(between.seqs) == 1:
        first, fleet = search.first, search.fleet
        entries = search.entries(first, fleet)
        answer = find(entries, condition, fleet=fleet, after=first, policies=policies)
    else:
        answer = bisect_between(between, condition, policies=policies)
    if isinstance(answer, Failure):
        raise unregistered(answer.failure())
    return answer.unwrap()


def _snapshots(search: _Search) -> Known:
    """Return what is known without folding: snapshots that the present rules made."""
    read, first = search.read, search.first
    seqs: list[int] = []
    until = first + (read.source.expected or 0)
    while (found := read.source.snapshot(until)) is not None and found.seq > first:
        if found.rules == RULES and isinstance(decode_fleet(found.body), Success):
            seqs.append(found.seq)
        until = found.seq - 1

    def fleet_at(seq: int) -> Fleet:
        snapshot = None if seq == first else read.source.snapshot(seq)
        if snapshot is None:
            return search.fleet
        return decode_fleet(snapshot.body).unwrap()

    return Known(
        seqs=(first, *reversed(seqs)),
        fleet_at=fleet_at,
        entries_after=lambda seq: search.entries(seq, fleet_at(seq)),
    )


def _warn_of_strangers(condition: Condition, fleet: Fleet, before: Fleet) -> None:
    """Warn of names that nobody has: misspelt, more often than meant."""
    for name in names_in(condition):
        if not any(
            name in one.containers or name in one.services for one in (fleet, before)
        ):
            hint = near(name, tuple(fleet.containers))
            click.echo(
                f"warning: there is no container {name!r} there"
                + (f"; {hint}" if hint else ""),
                err=True,
            )


def _shown_text(
    answer: Finding, condition: Condition, journal: Path, read: Reading
) -> str:
    search = answer.search
    states = f" and {counted(search.states, 'snapshot')}" if search.states else ""
    how = f"looked at {counted(search.rows, 'row')}{states}: {search.why}"
    base = read.source.base
    if isinstance(answer, Never):
        since = "" if base is None else f" behind row {base.seq}, where it begins,"
        return f"it holds after no row{since} up to row {answer.seq}\n{how}"
    if isinstance(answer, HeldBefore):
        began = f"row {answer.seq}, {iso_time(answer.fleet.at)}"
        return f"it held already after {began}, where the journal begins\n{how}"
    entry, step = answer.entry, answer.step
    lines = [row_words(entry.seq, entry.event)]
    if base is not None and not lasts(condition):
        since = f"the journal begins behind row {base.seq}"
        lines.append(f"  ({since}: it may have held before)")
    lines += [f"  causes {line}" for line in command_lines(step.commands)]
    if entry.commands != step.commands:
        lines.append("  (the journal recorded other commands: verify it)")
    for name in _names(condition, answer):
        lines += ["", *_container_lines(name, answer)]
    lines += ["", how]
    if str(journal) != "-":
        words = ("orchestrator", "replay", str(journal), "--until", str(entry.seq))
        lines.append(f"to see all of it: {shlex.join(words)}")
    return "\n".join(lines)


def _names(condition: Condition, found: Found) -> tuple[str, ...]:
    return names_in(condition) or found.step.touched[:TOUCHED_MAX]


def _container_lines(name: str, found: Found) -> list[str]:
    step = found.step
    was, now = step.before.containers.get(name), step.after.containers.get(name)
    changes = compare_containers(was, now, tree_of) if was and now else ()
    if now is None:
        return [f"{name} is not there{'' if was is None else ' any more'}"]
    told = explain(now, fences=step.after.fences, now=step.after.at)
    lines = [cleaned(f"{name} is {told.phase}: {told.why}")]
    lines += [f"  {line}" for line in difference_lines(changes)]
    if was is None:
        lines.append("  it was not there before")
    window = format_duration(told.window_ms)
    failures = counted(len(told.failures), "failure")
    lines.append(f"  {failures} within {window}, allowed: {told.allowed_crashes}")
    if told.next_change_at is not None:
        lines.append(f"  next change at {iso_time(told.next_change_at)}")
    return lines


def _tree(answer: Finding, condition: Condition, read: Reading) -> dict[str, Any]:
    base = read.source.base
    tree: dict[str, Any] = {
        "when": condition.text,
        "begins_after": 0 if base is None else base.seq,
        "search": tree_of(answer.search),
    }
    if isinstance(answer, Never):
        return {"found": False, "rows_end_at": answer.seq, **tree}
    if isinstance(answer, HeldBefore):
        held = {"found": True, "held_before": True, "seq": answer.seq}
        return {**held, "at": answer.fleet.at, **tree}
    entry, step = answer.entry, answer.step
    containers = [_container_json(name, answer) for name in _names(condition, answer)]
    found = {
        "found": True,
        "seq": entry.seq,
        "at": entry.event.at,
        "event": tree_of(entry.event),
        "commands": tree_of(step.commands),
        "recorded_commands": tree_of(entry.commands),
        "containers": containers,
    }
    return {**found, **tree}


def _container_json(name: str, found: Found) -> dict[str, Any]:
    step = found.step
    was, now = step.before.containers.get(name), step.after.containers.get(name)
    told = None
    if now is not None:
        told = tree_of(explain(now, fences=step.after.fences, now=step.after.at))
    changes = compare_containers(was, now, tree_of)
    return {
        "name": name,
        "explanation": told,
        "changes": differences_json(changes, NAMES),
    }
