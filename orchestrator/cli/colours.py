"""Colours: always, never, or as a terminal and ``NO_COLOR`` have it.

``NO_COLOR`` and ``FORCE_COLOR`` are the environment's word (no-color.org); what the
command line says goes before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ("COLOURS", "colour_option", "console")

COLOURS: Final[dict[str, bool | None]] = {"auto": None, "always": True, "never": False}


def _chosen(ctx: click.Context, param: click.Parameter, value: str) -> str:
    """Have click, and our own tables, know what was chosen."""
    del param
    ctx.color = COLOURS[value]
    return value


colour_option: Final = click.option(
    "--color",
    type=click.Choice(list(COLOURS)),
    default="auto",
    show_default=True,
    expose_value=False,
    is_eager=True,
    callback=_chosen,
    help="Colours; auto: on a terminal, unless NO_COLOR is set.",
)
"""Add ``--color`` to the command; subcommands inherit what it says."""


def console(**options: Any) -> Console:
    """Return what prints tables in the colours that were chosen."""
    from rich.console import Console  # noqa: PLC0415 - not for `--help` and the like

    context = click.get_current_context(silent=True)
    chosen = None if context is None else context.color
    if chosen is None:
        return Console(**options)
    if chosen:
        return Console(
            force_terminal=True, no_color=False, color_system="standard", **options
        )
    return Console(color_system=None, **options)
