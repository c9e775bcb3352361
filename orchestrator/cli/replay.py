"""``orchestrator replay``: a journal folded again, and what can be asked of it.

``orchestrator replay JOURNAL`` shows the fleet at its end; a word of the table behind
``replay`` asks something else. (A journal that is called like one: ``./diff``.) The
first needs no word; the one it has in the table is not shown.
"""

from __future__ import annotations

import importlib
from typing import Final

import click

__all__ = ("QUESTIONS", "SHOW", "replay")

SHOW: Final = "show"
"""The question that is asked where none is named."""

QUESTIONS: Final[dict[str, str]] = {
    SHOW: "orchestrator.cli.replay_show:show",
    "timeline": "orchestrator.cli.replay_timeline:timeline",
    "diff": "orchestrator.cli.replay_diff:diff",
    "bisect": "orchestrator.cli.replay_bisect:bisect",
    "what-if": "orchestrator.cli.replay_what_if:what_if",
}


class _Questions(click.Group):
    """Finds the questions; what is none of them is a journal to show."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(QUESTIONS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in QUESTIONS:
            return None
        module, _, name = QUESTIONS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        wants_help = args and args[0] in {"-h", "--help"}
        if args and args[0] not in QUESTIONS and not wants_help:
            args = [SHOW, *args]
        return super().parse_args(ctx, args)


@click.command(cls=_Questions, subcommand_metavar="JOURNAL | QUESTION [ARGS]...")
def replay() -> None:
    """Fold a journal again: show, verify, compare, search, ask what if.

    orchestrator replay JOURNAL shows the fleet at its end, or on the way to it, and
    verifies it; orchestrator replay JOURNAL --help says how.
    """
