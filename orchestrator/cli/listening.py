"""The door that ``up`` opens to HTTP: its address, who may come in, its certificate.

All of it is looked at before the operator starts: what is wrong starts nothing. Two
variables speak in the place of a folder and a file that a container has not: tokens
(``ORCHESTRATOR_TOKENS``) and names of hosts (``ORCHESTRATOR_HOSTS``).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

import attrs
import click
from returns.result import Failure

from orchestrator.api.guard import Door, Guard
from orchestrator.api.guard.certificates import Certificate, read_certificate
from orchestrator.api.guard.given_tokens import VARIABLE, given_tokens
from orchestrator.api.guard.origins import Names
from orchestrator.api.guard.token_file import TokenFile, read_tokens
from orchestrator.api.guard.tokens import KnowsTokens, TokenList
from orchestrator.api.listen import Bound, bound_to
from orchestrator.cli.failing import Failed, failed
from orchestrator.cli.shown import now_ms
from orchestrator.codec.api_choice import LISTEN_SHAPE, Address, ApiChoice, address_of

__all__ = ("Entrance", "entrance_of", "listen_options")

F = TypeVar("F", bound=Callable[..., Any])

HOSTS_VARIABLE: Final = "ORCHESTRATOR_HOSTS"
"""Names of proxies, between commas, beside those of the fleet file."""


def listen_options(function: F) -> F:
    """Add ``--listen`` and ``--read-only`` to a command."""
    listen = click.option(
        "--listen",
        metavar="HOST:PORT",
        callback=_listen,
        help="Serve HTTP there, such as 127.0.0.1:8400; in place of the file's.",
    )
    read_only = click.option(
        "--read-only", is_flag=True, help="Change nothing on request over HTTP."
    )
    return listen(read_only(function))


def _listen(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """Refuse what is no place to listen at, before anything begins."""
    if value is None:
        return None
    address = address_of(value)
    if address is None or address.port is None:
        raise click.BadParameter(f"expected {LISTEN_SHAPE}, found {value!r}")
    return value


@attrs.frozen(kw_only=True)
class Entrance:
    """A place to listen at, taken; and who stands there."""

    bound: Bound
    guard: Guard
    certificate: Certificate | None

    def welcome(self, url: str) -> str:
        """Say where it is, and to whom it is open."""
        if self.guard.access == "tokens":
            who = "with a token"
        else:
            who = "open to every user of this machine"
        only = ", to read only" if self.guard.read_only else ""
        return f"listening on {url}: {who}{only}"


def entrance_of(choice: ApiChoice, state: Path) -> Entrance | None:
    """Open the door that is asked for, or say why it stays shut; None: none is."""
    if choice.listen is None:
        return None
    certificate = _certificate(choice)
    tokens, known = _tokens(state)
    others = (*filter(None, map(address_of, choice.hosts)), *_hosts())
    bound = bound_to(choice.listen)
    if isinstance(bound, Failure):
        raise failed(bound.failure())
    taken = bound.unwrap()
    usable = known is not None and any(each.is_valid(now_ms()) for each in known.tokens)
    if not taken.is_loopback:
        if not usable:
            taken.close()
            raise _needs_a_token(choice.listen, state)
        if certificate is None:
            click.echo(
                "warning: without tls_cert and tls_key in [api], tokens cross the"
                " network as they are, unless a proxy speaks TLS",
                err=True,
            )
    return Entrance(
        bound=taken,
        guard=Guard(_door(choice, taken, others), tokens),
        certificate=certificate,
    )


def _tokens(state: Path) -> tuple[KnowsTokens, TokenList | None]:
    """Return where the tokens are, and what they are: given ones are all there are."""
    text = os.environ.get(VARIABLE)
    if text is not None:
        given = given_tokens(text)
        if isinstance(given, Failure):
            raise failed(given.failure())
        return given.unwrap(), given.unwrap().tokens
    read = read_tokens(state)
    if isinstance(read, Failure):
        raise failed(read.failure())
    return TokenFile(state), read.unwrap()


def _hosts() -> Iterator[Address]:
    """Yield the names of hosts that the environment gives."""
    for text in os.environ.get(HOSTS_VARIABLE, "").split(","):
        if not text.strip():
            continue
        address = address_of(text.strip())
        if address is None:
            told = f"${HOSTS_VARIABLE}: expected names of hosts between commas"
            raise Failed(f"{told}, found {text.strip()!r}", 2)
        yield address


def _needs_a_token(listen: str, state: Path) -> Failed:
    """Say that nobody could come in, and where a token has to come from."""
    if VARIABLE in os.environ:
        missing = f"no token of ${VARIABLE} is valid"
        makes = "`orchestrator token create` makes one, `token export` prints it for it"
    else:
        missing = "no token is there"
        create = f"orchestrator token create NAME --scope write --state {state}"
        makes = f"`{create}` makes one"
    told = f"{listen} can be reached from other machines, and {missing}: {makes}"
    return Failed(told, 2)


def _certificate(choice: ApiChoice) -> Certificate | None:
    if choice.tls_cert is None or choice.tls_key is None:
        return None
    read = read_certificate(Path(choice.tls_cert), Path(choice.tls_key))
    if isinstance(read, Failure):
        raise failed(read.failure())
    return read.unwrap()


def _door(choice: ApiChoice, bound: Bound, others: tuple[Address, ...]) -> Door:
    names = Names(
        listen=bound.address,
        is_loopback=bound.is_loopback,
        is_everywhere=bound.is_everywhere,
        others=others,
    )
    return Door(
        names=names,
        read_only=choice.read_only,
        requests_per_second=choice.requests_per_second,
        body_max_bytes=choice.body_max_bytes,
    )
