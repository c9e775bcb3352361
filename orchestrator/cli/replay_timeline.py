"""``orchestrator replay timeline``: what happened, container by container.

Text, JSON, or a drawing. What is told is derived from the events, by today's code;
where the rows say otherwise, that is said, too.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import click

from orchestrator.api.timelines import tree_of_timeline
from orchestrator.cli.failing import Failed, failed
from orchestrator.cli.journal_kinds import token_option
from orchestrator.cli.named import OPTION, policies_named
from orchestrator.cli.other_rules import OtherRules
from orchestrator.cli.readings import (
    JOURNAL,
    At,
    beginning_of,
    expect_kept,
    policies_option,
    reading,
    replayable,
    shown_while,
    unregistered,
)
from orchestrator.cli.shown import output_option
from orchestrator.cli.timeline_svg import drawing_of
from orchestrator.cli.timeline_text import by_container, by_time, differing_note
from orchestrator.cli.trees import TREES, show_tree
from orchestrator.codec.wire import decode_fleet
from orchestrator.core.custom import CustomPolicies
from orchestrator.core.errors import ContainerNotFound
from orchestrator.core.registry import not_registered_of_fleet
from orchestrator.core.state import RULES, Fleet
from orchestrator.journal.reading import Reading
from orchestrator.replay.places import AfterRow, AtMoment, Place
from orchestrator.replay.timelines.happenings import Closed, Happening
from orchestrator.replay.timelines.recording import Recorder
from orchestrator.replay.timelines.strips import Strips
from orchestrator.replay.timelines.telling import LIMIT, happenings

__all__ = ("timeline",)


@click.command()
@click.argument("source", metavar="JOURNAL", type=JOURNAL)
@click.option(
    "--container",
    "names",
    metavar="NAME",
    multiple=True,
    help="Only this container; may be given more than once.",
)
@click.option("--since", type=At(), metavar="ROW|TIME", help="What happened after it.")
@click.option("--until", type=At(), metavar="ROW|TIME", help="What happened up to it.")
@click.option(
    "--by-time", "in_order", is_flag=True, help="All containers in order of time."
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=LIMIT,
    show_default=True,
    help="How many of the newest rows of each container are kept.",
)
@click.option(
    "--svg",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    metavar="FILE",
    help="Draw a lane for each container into this file.",
)
@policies_option
@token_option
@output_option("text", "json", "yaml")
def timeline(  # noqa: PLR0913 - one for each option
    *,
    source: Path,
    names: tuple[str, ...],
    since: Place | None,
    until: Place | None,
    in_order: bool,
    limit: int,
    svg: Path | None,
    policies: str | None,
    output: str,
) -> None:
    """Tell what happened: runs, exits, waits, decisions and their rules.

    By container, of each the newest rows; --by-time tells everything as one stream.
    With --svg the drawing takes the place of the text. With --since, a database is read
    from its newest snapshot before that place on; what lies before it is not checked.
    """
    if in_order and (svg is not None or output in TREES):
        raise Failed("--by-time tells in text only: leave out --svg and -o json", 2)
    _check_order(since, until)
    known = policies_named(policies, Path.cwd(), OPTION)
    seen = _Seen()
    with reading(source) as read:
        fleet = beginning_of(read, known)
        expect_kept(read, fleet, since, until)
        rules = OtherRules(fleet)
        fleet, after = _nearest(read, fleet, since, known)
        entries = rules.passing(replayable(read.entries(after), known), fleet)
        if after is None and not (in_order and sys.stdout.isatty()):
            entries = shown_while(entries, read, "reading")
        first = next(iter(entries), None)
        entries = entries if first is None else chain((first,), entries)
        items = seen.passing(
            happenings(
                entries,
                fleet=fleet,
                policies=known,
                since=since,
                until=until,
                containers=names or None,
            )
        )
        if read.is_bare or (first is None and read.source.base is None):
            if not read.is_bare:
                click.echo("orchestrator: the journal has no row yet", err=True)
        elif svg is not None:
            _draw(items, svg, source, limit, output)
        elif output in TREES:
            _print_tree(items, limit, output)
        else:
            lines = by_time(items) if in_order else by_container(items, limit)
            for line in lines:
                click.echo(line)
        rules.warn(older=False)
    if seen.closed is not None and (note := differing_note(seen.closed)):
        click.echo(f"orchestrator: {note}", err=True)
    for name in names:
        if name not in seen.names:
            raise failed(ContainerNotFound(name=name))


def _nearest(
    read: Reading, begun: Fleet, since: Place | None, policies: CustomPolicies
) -> tuple[Fleet, int | None]:
    """Return the newest fleet that is known before *since*, and the row it was after.

    It is that of a snapshot which today's rules have folded; else *begun*, and None.
    At least one row comes behind it, which says where *since* is.
    """
    if since is None:
        return begun, None
    start = 0 if read.source.base is None else read.source.base.seq
    until = start + (read.source.expected or 0) - 1
    if isinstance(since, AfterRow):
        until = min(until, since.seq - 1)
    while (found := read.source.snapshot(until)) is not None and found.seq > start:
        until = found.seq - 1
        fleet = decode_fleet(found.body).value_or(None)
        if fleet is None or found.rules != RULES:
            continue
        if isinstance(since, AfterRow) or fleet.at <= since.at:
            missing = not_registered_of_fleet(fleet, policies)
            if missing is not None:
                raise unregistered(missing)
            return fleet, found.seq
    return begun, None


class _Seen:
    """Lets items pass, and remembers of whom they told, and how they ended."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.closed: Closed | None = None

    def passing(self, items: Iterable[Happening]) -> Iterator[Happening]:
        for item in items:
            self.names.add(getattr(item, "name", ""))
            if isinstance(item, Closed):
                self.closed = item
            yield item


def _check_order(since: Place | None, until: Place | None) -> None:
    """Refuse an end that lies before the beginning."""
    match since, until:
        case AfterRow(seq=first), AfterRow(seq=last) if last < first:
            raise Failed(f"--until {last} lies before --since {first}", 2)
        case AtMoment(at=first), AtMoment(at=last) if last < first:
            raise Failed("--until lies before --since", 2)
        case _:
            pass


def _print_tree(items: Iterable[Happening], limit: int, output: str) -> None:
    recorder = Recorder(limit)
    for item in items:
        recorder.take(item)
    show_tree(tree_of_timeline(recorder.timeline()), output)


def _draw(
    items: Iterable[Happening], svg: Path, source: Path, limit: int, output: str
) -> None:
    """Draw into a file; print the tree, too, where it is asked for."""
    recorder, strips = Recorder(limit if output in TREES else 1), Strips()
    for item in items:
        recorder.take(item)
        strips.take(item)
    told = recorder.timeline()
    name = "standard input" if str(source) == "-" else source.absolute().name
    try:
        svg.write_text(drawing_of(told, strips, name), encoding="utf-8")
    except OSError as error:
        raise Failed(f"{svg}: {error.strerror}", 2) from None
    if output in TREES:
        show_tree(tree_of_timeline(told), output)
    else:
        click.echo(f"drawn into {svg}")
