"""``simulate``: a fleet file's fleet in virtual time, with faults from a seed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click
from returns.result import Failure

from orchestrator.cli.failing import Failed, failed
from orchestrator.cli.lanes import drawing_of
from orchestrator.cli.named import policies_of
from orchestrator.cli.rehearsed import json_of, text_of
from orchestrator.cli.rehearsed_changes import FORMS, changes_of
from orchestrator.cli.shown import output_option
from orchestrator.cli.tools import read_file
from orchestrator.cli.trees import TREES, show_tree
from orchestrator.core.lineages import RolloutStatus
from orchestrator.core.moments import DURATION_MAX, Millis, parse_duration
from orchestrator.simulation.profiles import PROFILES
from orchestrator.simulation.rehearsals import Rehearsal, Wish, rehearse

__all__ = ("simulate",)

VIOLATED: Final = 4
NOT_CONVERGED: Final = 3
REFUSED: Final = 6
NOT_ROLLED_OUT: Final = 9
SHORTEST_MS: Final[Millis] = 1_000


class _Span(click.ParamType[Any]):
    """A duration such as 24h."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Millis:
        read = parse_duration(str(value))
        if isinstance(read, Failure):
            self.fail(f"{value!r}: {read.failure()}", param, ctx)
        span = read.unwrap()
        if not SHORTEST_MS <= span <= DURATION_MAX:
            self.fail(f"{value!r}: expected at least a second", param, ctx)
        return span


_WIDE: Final = max(map(len, PROFILES))

_EPILOG: Final = "\n".join(
    (
        "\b",
        "Profiles:",
        *(f"  {name:<{_WIDE}}  {each.about}" for name, each in PROFILES.items()),
        "",
        "\b",
        "Changes (--at), each behind its moment:",
        *(f"  {form}" for form in FORMS),
    )
)


@click.command(epilog=_EPILOG)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--seed",
    type=click.IntRange(0, 2**64 - 1),
    default=0,
    show_default=True,
    help="Draws the faults, and how the containers behave.",
)
@click.option(
    "--faults",
    type=click.Choice(list(PROFILES)),
    default="rough",
    show_default=True,
    metavar="PROFILE",
    help="What may go wrong: one of the profiles below.",
)
@click.option(
    "--for",
    "span_ms",
    type=_Span(),
    default="24h",
    show_default=True,
    help="How much virtual time.",
)
@click.option(
    "--timeline",
    type=click.IntRange(0, 10_000),
    default=20,
    show_default=True,
    metavar="N",
    help="Show the N most telling moments.",
)
@click.option(
    "--at",
    "written",
    multiple=True,
    metavar="CHANGE",
    help="Do something meanwhile: '5m apply new.toml'. Can be given more than once.",
)
@click.option(
    "--svg",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Draw each rollout, and a lane for each container, into this file.",
)
@output_option("text", "json", "yaml")
def simulate(
    file: Path,
    seed: int,
    faults: str,
    span_ms: Millis,
    timeline: int,
    written: tuple[str, ...],
    svg: Path | None,
    output: str,
) -> int:
    """Run a fleet in virtual time, with faults drawn from a seed.

    Nothing is started. The same file, seed and profile give the same output, byte for
    byte. Exit code 4: an invariant did not hold; 3: the fleet did not converge after
    the faults had ended; 6: a change was refused; 9: the last rollout of a service was
    reverted or held.
    """
    fleet = read_file(file)
    wish = Wish(
        fleet=fleet.spec,
        seed=seed,
        profile=faults,
        span_ms=span_ms,
        keeps=timeline,
        policies=policies_of(fleet, file.absolute().parent),
        changes=changes_of(written, span_ms),
    )
    shown = rehearse(wish)
    if not isinstance(shown, Rehearsal):
        raise failed(shown)
    if svg is not None:
        try:
            svg.write_text(drawing_of(shown), encoding="utf-8")
        except OSError as error:
            raise Failed(f"{svg}: {error.strerror}", 2) from None
    if output in TREES:
        show_tree(json_of(shown), output)
    else:
        click.echo(text_of(shown), nl=False)
    return code_of(shown)


def code_of(shown: Rehearsal) -> int:
    """Return what a rehearsal ends with: the worst of what it has shown."""
    last = {tale.service: tale.status for tale in shown.rollouts}
    if shown.violated:
        return VIOLATED
    if shown.converged is False:
        return NOT_CONVERGED
    if shown.plan.change_every_ms:  # an owner that was drawn gets much refused
        return 0
    if any(each.refused for each in shown.changed):
        return REFUSED
    bad = {RolloutStatus.REVERTED, RolloutStatus.HELD}
    return NOT_ROLLED_OUT if bad & {*last.values()} else 0
