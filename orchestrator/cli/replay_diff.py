"""``orchestrator replay diff``: two journals, or two moments of one, side by side."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import click
from returns.result import Failure

from orchestrator.cli.differing import (
    difference_lines,
    differences_json,
    event_words,
    fleets_json,
    fleets_lines,
    row_words,
)
from orchestrator.cli.failing import Failed, failed
from orchestrator.cli.journal_kinds import token_option
from orchestrator.cli.named import OPTION, policies_named
from orchestrator.cli.other_rules import OtherRules
from orchestrator.cli.plain import counted
from orchestrator.cli.readings import (
    JOURNAL,
    At,
    beginning_of,
    expect_kept,
    expect_uncut,
    iso_time,
    policies_option,
    reading,
    shown_while,
    unregistered,
)
from orchestrator.cli.shown import output_option
from orchestrator.cli.trees import TREES, show_tree
from orchestrator.codec.problems import invalid
from orchestrator.codec.wire import tree_of
from orchestrator.core.custom import CustomPolicies
from orchestrator.journal.reading import RECORDING, Reading
from orchestrator.replay.comparing import (
    Comparison,
    Parting,
    Side,
    Standing,
    compare,
    standings,
)
from orchestrator.replay.fleet_differences import FleetsDiffer, compare_fleets
from orchestrator.replay.history import Entry
from orchestrator.replay.places import AfterRow, AtMoment, Place

__all__ = ("diff",)

DIFFERENT: Final = 1
END: Final = AtMoment(2**63 - 1)
"""Behind every row."""

ONE_AND_OTHER: Final = ("a", "b")
FROM_AND_TO: Final = ("from", "to")


@click.command("diff")
@click.argument("one", metavar="A", type=JOURNAL)
@click.argument("other", metavar="[B]", type=JOURNAL, required=False)
@click.option(
    "--from",
    "since",
    type=At(),
    metavar="ROW|TIME",
    help="With one journal: the place to compare from.",
)
@click.option(
    "--to",
    "until",
    type=At(),
    metavar="ROW|TIME",
    help="The place to compare with; the end, unless said.",
)
@policies_option
@token_option
@output_option("text", "json", "yaml")
def diff(
    one: Path,
    other: Path | None,
    since: Place | None,
    until: Place | None,
    policies: str | None,
    output: str,
) -> int:
    """Compare two journals, or one journal at two places.

    Of journals A and B: the first row that differs, field by field, and how the fleets
    at their ends differ. Of one journal: how the fleet at --to differs from that at
    --from. Exit code 0: no difference; 1: there is one.
    """
    known = policies_named(policies, Path.cwd(), OPTION)
    if other is not None:
        if since is not None or until is not None:
            raise click.UsageError("--from and --to are for one journal.")
        if str(one) == str(other) == "-":
            raise click.UsageError("Only one journal can come from standard input.")
        return _journals((one, other), known, output)
    if since is None:
        raise click.UsageError("Compare with what? Name another journal, or --from.")
    return _places(one, (since, until or END), known, output)


# Two journals


def _journals(names: tuple[Path, Path], policies: CustomPolicies, output: str) -> int:
    with reading(names[0]) as one, reading(names[1]) as other:
        entries = shown_while(one.entries(), one, "comparing")
        rules = [OtherRules(beginning_of(read, policies)) for read in (one, other)]
        sides = (
            _side(one, rules[0].passing(entries), policies),
            _side(other, rules[1].passing(other.entries()), policies),
        )
        answer = compare(*sides, RECORDING, policies=policies)
        for name, read in zip(names, (one, other), strict=True):
            _expect_whole(name, read)
        if isinstance(answer, Failure):
            raise unregistered(answer.failure())
        found: Comparison = answer.unwrap()
        is_copied = found.is_nothing and one.head.digest != other.head.digest
        if output in TREES:
            tree = _journals_json(found)
            show_tree({**tree, "chained_anew": is_copied}, output)
        else:
            click.echo("\n".join(_journals_lines(found, names, is_copied=is_copied)))
        for name, seen in zip(names, rules, strict=True):
            seen.warn(of=str(name))
    return 0 if found.is_nothing else DIFFERENT


def _side(read: Reading, entries: Iterable[Entry], policies: CustomPolicies) -> Side:
    base = read.source.base
    after = 0 if base is None else base.seq
    return Side(entries=entries, fleet=beginning_of(read, policies), after=after)


def _expect_whole(name: Path, read: Reading) -> None:
    """Fail with the name of a journal whose rows ended early, for a damage."""
    if read.error is not None:
        error = failed(read.error)
        raise Failed(f"{name}: {error.message}", error.code)
    if read.is_bare:
        expect_uncut(name, read)


def _journals_lines(
    found: Comparison, names: tuple[Path, Path], *, is_copied: bool
) -> list[str]:
    lines: list[str] = []
    if found.first > 1:
        begin = found.first - 1
        lines.append(f"compared behind row {begin}, where the compacted one begins")
    if found.parting is None:
        lines.append(f"the same {counted(found.alike, 'row')}")
        if is_copied:
            lines.append("one of them was chained anew: their digests differ")
    else:
        lines += _parting_lines(found, found.parting, names)
    if found.fleets.is_nothing:
        return [*lines, "the fleets at their ends are the same"]
    ends = f"row {found.one.seq} and row {found.other.seq}"
    lines += ["", f"the fleets at their ends, {ends}, differ:"]
    return [
        *lines,
        *(f"  {line}" for line in fleets_lines(found.fleets, found.other.fleet)),
    ]


def _parting_lines(
    found: Comparison, parting: Parting, names: tuple[Path, Path]
) -> list[str]:
    pairs = tuple(zip(names, (parting.one, parting.other), strict=True))
    same = f"the same {counted(found.alike, 'row')}, then"
    if not found.alike:
        same = "nothing in common:"
    for (name, entry), (longer, more) in (pairs, pairs[::-1]):
        if entry is None and more is not None:
            row = row_words(more.seq, more.event)
            return [f"{same} {name} ends", f"{longer} goes on with {row}"]
    lines = [f"{same} they part at row {parting.seq}"]
    lines += [f"  {name}: {_entry_words(entry)}" for name, entry in pairs if entry]
    return lines + [f"    {line}" for line in difference_lines(parting.differences)]


def _entry_words(entry: Entry) -> str:
    return f"{event_words(entry.event)}, {iso_time(entry.event.at)}"


def _journals_json(found: Comparison) -> dict[str, Any]:
    parting = None
    if found.parting is not None:
        parting = {
            "seq": found.parting.seq,
            "a": _entry_json(found.parting.one),
            "b": _entry_json(found.parting.other),
            "differences": differences_json(found.parting.differences, ONE_AND_OTHER),
        }
    return {
        "same": found.is_nothing,
        "first_row": found.first,
        "rows_alike": found.alike,
        "parting": parting,
        "ends": {"a": _standing_json(found.one), "b": _standing_json(found.other)},
        "fleets": fleets_json(found.fleets, ONE_AND_OTHER),
    }


def _entry_json(entry: Entry | None) -> dict[str, Any] | None:
    if entry is None:
        return None
    return {
        "event": tree_of(entry.event),
        "commands": tree_of(entry.commands),
        "changes": RECORDING.read(entry.changes),
    }


def _standing_json(standing: Standing) -> dict[str, Any]:
    return {"seq": standing.seq, "at": standing.fleet.at}


# Two places of one journal


def _places(
    journal: Path, places: tuple[Place, Place], policies: CustomPolicies, output: str
) -> int:
    with reading(journal) as read:
        entries = shown_while(read.entries(), read, "replaying")
        rules = OtherRules(beginning_of(read, policies))
        side = _side(read, rules.passing(entries), policies)
        expect_kept(read, side.fleet, *places)
        answer = standings(side, places, policies=policies)
        _expect_whole(journal, read)
        if isinstance(answer, Failure):
            raise unregistered(answer.failure())
        was, now = answer.unwrap()
        found = compare_fleets(was.fleet, now.fleet, tree_of)
        for name, place in zip(FROM_AND_TO, places, strict=True):
            _expect_there(read, place, name)
        if output in TREES:
            show_tree(_places_json(found, was, now), output)
        else:
            click.echo("\n".join(_places_lines(found, was, now)))
        rules.warn()
    return 0 if found.is_nothing else DIFFERENT


def _expect_there(read: Reading, place: Place, name: str) -> None:
    """Refuse a row that there is not; where the end is lost there may have been one."""
    base, last = read.source.base, read.head.seq
    if isinstance(place, AfterRow) and place.seq > last and read.cut_at_line is None:
        expected = f"a row from {0 if base is None else base.seq} to {last}, the newest"
        raise failed(invalid(name, expected, place.seq))


def _places_lines(found: FleetsDiffer, was: Standing, now: Standing) -> list[str]:
    places = [f"row {one.seq}, {iso_time(one.fleet.at)}" for one in (was, now)]
    head = f"from {places[0]} to {places[1]}"
    if found.is_nothing:
        return [f"{head}: no difference"]
    return [f"{head}:", *fleets_lines(found, now.fleet)]


def _places_json(found: FleetsDiffer, was: Standing, now: Standing) -> dict[str, Any]:
    return {
        "same": found.is_nothing,
        "from": _standing_json(was),
        "to": _standing_json(now),
        "fleets": fleets_json(found, FROM_AND_TO),
    }
