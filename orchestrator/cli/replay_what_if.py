"""``orchestrator replay what-if``: what another policy would have done.

The record is read twice: for what caused it, and to play that under the hypothesis.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import assert_never

import attrs
import click
from returns.result import Failure

from orchestrator.cli.failing import Failed, failed
from orchestrator.cli.journal_kinds import token_option
from orchestrator.cli.other_rules import OtherRules
from orchestrator.cli.readings import (
    JOURNAL,
    beginning_of,
    policies_option,
    read_journal,
    reading,
    shown_while,
    unregistered,
)
from orchestrator.cli.shown import output_option
from orchestrator.cli.supposing import Given, supposed
from orchestrator.cli.trees import TREES, show_tree
from orchestrator.cli.what_if_svg import Sketch, drawing_of
from orchestrator.cli.what_if_words import text_of, tree_of_answer
from orchestrator.core.errors import (
    ContainerNotFound,
    InvalidSpec,
    PolicyNotRegistered,
)
from orchestrator.journal.reading import Reading
from orchestrator.replay.history import Entry
from orchestrator.replay.imagined.imagining import WhatIf
from orchestrator.replay.imagined.imagining import what_if as answer_of

__all__ = ("what_if",)


@click.command("what-if")
@click.argument("journal", metavar="JOURNAL", type=JOURNAL)
@click.option(
    "--policy",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Other restart policies: a fleet file, or one with just a [restart] table.",
)
@click.option(
    "--for",
    "only",
    metavar="NAME",
    multiple=True,
    help="Whom the policy is for: a container or a service; repeatable.",
)
@click.option(
    "--spec",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="A fleet file whose containers and settings take the place of the recorded.",
)
@click.option(
    "--skip",
    type=click.IntRange(min=1),
    metavar="SEQ",
    multiple=True,
    help="A row that never happened: a request, news, a failure; repeatable.",
)
@click.option(
    "--insert",
    metavar="EVENT",
    multiple=True,
    help="What happened besides, as the journal writes it, in JSON; repeatable.",
)
@click.option(
    "--container",
    "names",
    metavar="NAME",
    multiple=True,
    help="Show only this container; repeatable.",
)
@click.option(
    "--svg",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    metavar="FILE",
    help="Draw both sides of each container into this file.",
)
@policies_option
@token_option
@output_option("table", "json", "yaml")
def what_if(  # noqa: PLR0913 - one for each option
    *,
    journal: Path,
    policy: Path | None,
    only: tuple[str, ...],
    spec: Path | None,
    skip: tuple[int, ...],
    insert: tuple[str, ...],
    names: tuple[str, ...],
    svg: Path | None,
    policies: str | None,
    output: str,
) -> None:
    """Say what would have come of JOURNAL, had something been otherwise.

    Another policy (--policy), another spec (--spec), a row that never happened (--skip)
    or one more that did (--insert): what was recorded of the containers and their
    platform is played again under it, in virtual time, and compared with what came of
    it. What is assumed is told with the answer.
    """
    given = Given(
        policy=policy,
        only=only,
        spec=spec,
        skip=skip,
        insert=insert,
        policies=policies,
    )
    if given == attrs.evolve(Given(), only=only, policies=policies):
        said = "say what to suppose: --policy, --spec, --skip or --insert."
        raise click.UsageError(said)
    if only and policy is None:
        raise click.UsageError("--for says whom --policy is for, which is missing.")
    hypothesis, known = supposed(given)
    sketch = None if svg is None else Sketch()
    with reading(journal) as read:
        fleet = beginning_of(read, known)
        rules = OtherRules(fleet)
        answer = answer_of(
            _rows(read, journal, rules),
            hypothesis,
            fleet=fleet,
            policies=known,
            seen=None if sketch is None else sketch.take,
        )
        if read.error is None:
            if isinstance(answer, Failure):
                raise _refused(answer.failure())
            _show(answer.unwrap(), names, output)
            if sketch is not None and svg is not None:
                _draw(answer.unwrap(), sketch, svg, journal, names)
                click.echo(f"drawn into {svg}", err=True)
            rules.warn(older=False)


def _refused(error: InvalidSpec | PolicyNotRegistered) -> Failed:
    """Return why the question has no answer, told in the words of the command."""
    match error:
        case PolicyNotRegistered():
            return unregistered(error)
        case InvalidSpec(problems=problems):
            told = (attrs.evolve(one, place=_option(one.place)) for one in problems)
            return failed(InvalidSpec(problems=tuple(told)))
        case _:
            assert_never(error)


def _option(place: str) -> str:
    return f"--{place}" if place.startswith(("skip", "insert")) else place


def _rows(read: Reading, journal: Path, rules: OtherRules) -> Iterable[Entry]:
    """Return the rows, to be gone through twice; those of a pipe are kept."""
    if str(journal) == "-":
        return tuple(rules.passing(shown_while(read.entries(), read, "reading")))
    return _Rows(read, journal, rules)


@attrs.define(eq=False)
class _Rows:
    """The rows of a journal: as it was opened, then as it is opened again."""

    read: Reading
    journal: Path
    rules: OtherRules
    is_read: bool = False

    def __iter__(self) -> Iterator[Entry]:
        if not self.is_read:
            self.is_read = True
            entries = self.rules.passing(self.read.entries())
            yield from shown_while(entries, self.read, "finding causes")
            return
        again = read_journal(self.journal)
        try:
            yield from shown_while(again.entries(), again, "playing")
        finally:
            again.close()


def _show(answer: WhatIf, names: tuple[str, ...], output: str) -> None:
    known = [one.name for one in answer.containers]
    for name in names:
        if name not in known:
            raise _not_found(name, known)
    if output in TREES:
        show_tree(tree_of_answer(answer, names), output)
    else:
        click.echo(text_of(answer, names), nl=False)


def _not_found(name: str, known: list[str]) -> Failed:
    error = failed(ContainerNotFound(name=name))
    near = get_close_matches(name, known)
    hint = f"; there is {', '.join(map(repr, near))}" if near else ""
    return Failed(error.message + hint, error.code)


def _draw(
    answer: WhatIf, sketch: Sketch, svg: Path, journal: Path, names: tuple[str, ...]
) -> None:
    picture = drawing_of(answer, sketch, source=journal.name, names=names)
    try:
        svg.write_text(picture, encoding="utf-8")
    except OSError as error:
        raise Failed(f"{svg}: {error.strerror}", 2) from None
