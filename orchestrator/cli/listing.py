"""The list of a fleet, however large: read and shown a page after the other.

What fits on one page is shown as one table. Of more, each page is a table of its own,
and at the end standard error is told how many there are; formats for programs are the
same text either way.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, Final

import click

from orchestrator.cli.client import Client
from orchestrator.cli.plain import counted
from orchestrator.cli.shown import show_containers
from orchestrator.cli.trees import tree_text

__all__ = ("pages_of", "show_fleet", "show_pages")

PAGE: Final = 1_000
"""Containers of a page."""

Page = list[dict[str, Any]]


def pages_of(client: Client, size: int = PAGE) -> Iterator[Page]:
    """Read all containers, so many at a time; an empty fleet is one empty page."""
    page: Page = client.get("containers", limit=size)
    yield page
    while len(page) == size:
        page = client.get("containers", limit=size, after=page[-1]["name"])
        if page:
            yield page


def show_fleet(client: Client, output: str) -> None:
    """Show all containers of an operator in one of the formats."""
    show_pages(pages_of(client), output)


def show_pages(pages: Iterable[Page], output: str) -> None:
    """Show the pages of a list; the first one may be empty, then it is the only one."""
    rest = iter(pages)
    first = next(rest)
    second = next(rest, None)
    if second is None:
        show_containers(first, output)
        return
    total = 0
    texts = _Texts(output)
    for page in chain((first, second), rest):
        total += len(page)
        texts.show(page)
    texts.end()
    click.echo(counted(total, "container"), err=True)


class _Texts:
    """A list of several pages, in one of the formats."""

    def __init__(self, output: str) -> None:
        self._output = output
        self._before = "[\n"

    def show(self, page: Page) -> None:
        """Show another page."""
        if self._output == "yaml":
            click.echo(tree_text(page, "yaml"))
        elif self._output != "json":
            show_containers(page, self._output)
        else:
            inner = json.dumps(page, indent=2)[2:-2]
            click.echo(f"{self._before}{inner}", nl=False)
            self._before = ",\n"

    def end(self) -> None:
        """End the list."""
        if self._output == "json":
            click.echo("\n]")
