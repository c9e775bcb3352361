"""``context``: names for operators, so that a URL need not be said each time."""

from __future__ import annotations

from pathlib import Path

import attrs
import click
from rich import box
from rich.table import Table

from orchestrator.cli.failing import Failed
from orchestrator.cli.reach import read_token
from orchestrator.cli.remembered import LOCAL, Context, Remembered, remember, remembered
from orchestrator.cli.shown import output_option, show_table
from orchestrator.cli.transports import over_http
from orchestrator.cli.trees import TREES, show_tree
from orchestrator.codec.wire import tree_of
from orchestrator.core.names import is_name

__all__ = ("context",)

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group()
def context() -> None:
    """Keep names for operators on other machines."""


@context.command()
@click.argument("name")
@click.option("--url", required=True, metavar="URL", help="Where it listens to HTTP.")
@click.option("--token-file", type=_FILE, help="Holds its token; mode 0600.")
@click.option("--ca", type=_FILE, help="The authority to trust there, in PEM.")
@click.option("--allow-http", is_flag=True, help="Send the token without TLS.")
@click.option("--use", "is_used", is_flag=True, help="Use it from now on.")
def add(
    name: str,
    url: str,
    token_file: Path | None,
    ca: Path | None,
    *,
    allow_http: bool,
    is_used: bool,
) -> None:
    """Keep an operator under NAME; one of that name is replaced."""
    if not is_name(name) or name == LOCAL:
        expected = f"a name of a-z, 0-9, '.', '_' and '-', not {LOCAL!r}"
        raise Failed(f"NAME: expected {expected}, found {name!r}", 2)
    token = None if token_file is None else read_token(token_file)
    way = over_http(url, token=token, ca=ca, allow_http=allow_http)
    if ca is not None:
        _ = way.connection(None)  # reads the file
    added = Context(
        name=name,
        url=way.url,
        token_file=None if token_file is None else str(token_file.absolute()),
        ca=None if ca is None else str(ca.absolute()),
        allow_http=allow_http,
    )
    known = remembered()
    others = tuple(each for each in known.contexts if each.name != name)
    current = name if is_used else known.current
    remember(Remembered(current=current, contexts=(*others, added)))
    click.echo(f"{name} is {way.url}" + (", in use" if current == name else ""))


@context.command()
@click.argument("name")
def use(name: str) -> None:
    """Use an operator where a command says none; `local` is this machine."""
    known = remembered()
    current = None if name == LOCAL else known.named(name).name
    remember(attrs.evolve(known, current=current))


@context.command("list")
@output_option("table", "json", "yaml")
def list_(output: str) -> None:
    """List what is kept; the one in use has a star."""
    known = remembered()
    if output in TREES:
        show_tree(tree_of(known), output)
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for head in ("", "NAME", "URL", "TOKEN FILE", "CA"):
        table.add_column(head, overflow="fold")
    for each in known.contexts:
        star = "*" if each.name == known.current else ""
        table.add_row(star, each.name, each.url, each.token_file or "-", each.ca or "-")
    show_table(table)


@context.command()
@click.argument("name")
def remove(name: str) -> None:
    """Forget an operator; the file of its token stays."""
    known = remembered()
    gone = known.named(name)
    others = tuple(each for each in known.contexts if each is not gone)
    current = None if known.current == name else known.current
    remember(Remembered(current=current, contexts=others))
