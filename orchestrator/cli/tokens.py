"""``token``: who may come in over HTTP."""

from __future__ import annotations

from pathlib import Path

import click
from returns.result import Failure, Result, Success
from rich import box
from rich.table import Table

from orchestrator.api.guard.given_tokens import exported
from orchestrator.api.guard.token_file import change_tokens, read_tokens
from orchestrator.api.guard.tokens import TOKENS_MAX, Grant, Token, TokenList, made
from orchestrator.api.places import TOKENS
from orchestrator.cli.failing import Failed, failed
from orchestrator.cli.shown import (
    Duration,
    age,
    now_ms,
    output_option,
    show_table,
    until,
)
from orchestrator.cli.state import state_option, the_state
from orchestrator.cli.trees import TREES, show_tree
from orchestrator.core.errors import InvalidSpec
from orchestrator.core.names import is_name

__all__ = ("token",)

REFUSED = 6
NOT_FOUND = 11


@click.group()
def token() -> None:
    """Make, list, export and revoke the tokens that HTTP asks for."""


@token.command()
@click.argument("name")
@click.option(
    "--scope",
    type=click.Choice([grant.value for grant in Grant]),
    default=Grant.READ.value,
    show_default=True,
    help="To look, or also to change.",
)
@click.option("--expires", type=Duration(), help="After so long, such as 30d.")
@state_option
def create(name: str, scope: str, expires: int | None, state: Path | None) -> None:
    """Make a token for NAME, and print it: this once, for it is not kept.

    An operator that runs asks for a token from now on, also on loopback.
    """
    if not is_name(name):
        expected = "a name of a-z, 0-9, '.', '_' and '-'"
        raise Failed(f"NAME: expected {expected}, found {name!r}", 2)
    if expires is not None and expires <= 0:
        raise Failed("--expires: expected a duration, such as 30d", 2)
    now = now_ms()
    expires_at = None if expires is None else now + expires
    secret, kept = made(name, Grant(scope), now=now, expires_at=expires_at)

    def plus(tokens: TokenList) -> Result[TokenList, InvalidSpec]:
        if tokens.named(name) is not None:
            raise Failed(f"there is a token {name!r} already: revoke it first", REFUSED)
        if len(tokens.tokens) >= TOKENS_MAX:
            raise Failed(f"there are {TOKENS_MAX} tokens already", REFUSED)
        return Success(tokens.plus(kept))

    _changed(change_tokens(the_state(state), plus))
    click.echo(f"the token of {name}, to {scope}; it is shown this once:", err=True)
    click.echo(secret)


@token.command("list")
@output_option("table", "json", "yaml")
@state_option
def list_(output: str, state: Path | None) -> None:
    """List the tokens: their names and scopes, never what they are."""
    read = read_tokens(the_state(state))
    if isinstance(read, Failure):
        raise failed(read.failure())
    known = read.unwrap()
    tokens = () if known is None else known.tokens
    if output in TREES:
        show_tree([_facts(each) for each in tokens], output)
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for head in ("NAME", "SCOPE", "AGE", "EXPIRES IN"):
        table.add_column(head)
    for each in tokens:
        rest = until(each.expires_at) if each.is_valid(now_ms()) else "has expired"
        table.add_row(each.name, each.scope.value, age(each.created_at), rest)
    show_table(table)


def _facts(each: Token) -> dict[str, object]:
    return {
        "name": each.name,
        "scope": each.scope.value,
        "created_at": each.created_at,
        "expires_at": each.expires_at,
        "is_valid": each.is_valid(now_ms()),
    }


@token.command()
@state_option
def export(state: Path | None) -> None:
    """Print the tokens as ORCHESTRATOR_TOKENS takes them: digests, in one line.

    For an operator without a state folder that lasts, such as one that Cloudflare
    hosts. Nobody comes in by a digest; it is a secret of yours all the same.
    """
    read = read_tokens(the_state(state))
    if isinstance(read, Failure):
        raise failed(read.failure())
    known = read.unwrap()
    if known is None:
        raise Failed("no token was made: `orchestrator token create` makes one", 11)
    click.echo(exported(known))


@token.command()
@click.argument("name")
@state_option
def revoke(name: str, state: Path | None) -> None:
    """Revoke the token of NAME: the next request with it is refused."""

    def minus(tokens: TokenList) -> Result[TokenList, InvalidSpec]:
        if tokens.named(name) is None:
            raise Failed(f"there is no token {name!r}", NOT_FOUND)
        return Success(tokens.minus(name))

    folder = the_state(state)
    if not _changed(change_tokens(folder, minus)).tokens:
        click.echo(
            "no token is left: nobody comes in over HTTP; to open loopback again,"
            f" remove {folder / TOKENS} and start the operator anew",
            err=True,
        )


def _changed(changed: Result[TokenList, InvalidSpec]) -> TokenList:
    if isinstance(changed, Failure):
        raise failed(changed.failure())
    return changed.unwrap()
