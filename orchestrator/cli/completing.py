"""Completes names of containers and services: it asks the operator that is meant.

A shell asks while somebody types. So what is not had at once is not completed, and
nothing is ever said: what is wrong is told when the command is called.
"""

from __future__ import annotations

from typing import Final, Literal

import click
from click.shell_completion import CompletionItem

from orchestrator.cli.plain import cleaned
from orchestrator.cli.reach import reach_said

__all__ = ("CONTAINER", "ORPHAN", "SERVICE", "Named")

AT_ONCE_S: Final = 2.0
"""Longer nobody waits for a word to be completed."""

MOST: Final = 100
"""Names that are offered; more are not read."""


class Named(click.types.StringParamType):
    """A name of what the operator has of a kind; any text is taken."""

    def __init__(self, kind: Literal["containers", "services", "orphans"]) -> None:
        """Complete names of this *kind*."""
        self.kind = kind

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Offer the names that begin so and are not given yet; none on any trouble."""
        given = ctx.params.get(param.name or "") or ()
        page = _page(incomplete) if self.kind == "containers" else {}
        try:
            client = reach_said(ctx.params).client()
            return [
                CompletionItem(cleaned(one["name"]), help=one.get("phase"))
                for one in client.get(self.kind, timeout_s=AT_ONCE_S, **page)
                if one["name"].startswith(incomplete) and one["name"] not in given
            ]
        except (click.ClickException, OSError, LookupError, TypeError, AttributeError):
            return []  # nobody answers, or who answers is no operator


def _page(beginning: str) -> dict[str, str | int]:
    """Ask for no more than the first names that begin so.

    >>> _page("web")
    {'limit': 100, 'after': 'wea~'}

    """
    if not beginning:
        return {"limit": MOST}
    before = f"{beginning[:-1]}{chr(ord(beginning[-1]) - 1)}~"  # no name has a tilde
    return {"limit": MOST, "after": before}


CONTAINER: Final = Named("containers")
SERVICE: Final = Named("services")
ORPHAN: Final = Named("orphans")
