"""Which operator a command means: what is said comes first, then what is remembered.

``--url``, ``--context`` or ``--state``; without them ``ORCHESTRATOR_URL``, then
``ORCHESTRATOR_STATE``, then the context in use, then the one fleet of this user.
"""

from __future__ import annotations

import functools
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import attrs
import click

from orchestrator.cli.client import Client
from orchestrator.cli.failing import Failed
from orchestrator.cli.remembered import Context, remembered
from orchestrator.cli.state import states, the_state
from orchestrator.cli.transports import OverHttp, over_http

__all__ = ("Reach", "reach_options", "reach_said", "read_token")

F = TypeVar("F", bound=Callable[..., Any])

_TOKEN_MAX: Final = 4_096
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO

_FILE: Final = click.Path(path_type=Path, dir_okay=False)

_OPTIONS: Final = (
    click.option(
        "--state",
        type=click.Path(file_okay=False, path_type=Path),
        help="The state folder; needed where this user has more than one fleet.",
    ),
    click.option(
        "--url",
        metavar="URL",
        help="An operator that listens to HTTP; else $ORCHESTRATOR_URL.",
    ),
    click.option(
        "--token-file",
        type=_FILE,
        help="Holds the token, mode 0600; else $ORCHESTRATOR_TOKEN_FILE.",
    ),
    click.option(
        "--ca", type=_FILE, help="The authority to trust at --url, a file in PEM."
    ),
    click.option(
        "--context", metavar="NAME", help="What `orchestrator context` keeps."
    ),
    click.option(
        "--allow-http", is_flag=True, help="Send the token to --url without TLS."
    ),
)


@attrs.frozen(kw_only=True)
class Reach:
    """What was said of the operator that is meant."""

    state: Path | None
    url: str | None
    token_file: Path | None
    ca: Path | None
    context: str | None
    allow_http: bool

    def of_fleet(self, name: str) -> Reach:
        """Mean the operator of a fleet, where nothing was said of any other."""
        if self._remote() is not None or self._folder() is not None:
            return self
        return attrs.evolve(self, state=states() / name)

    @property
    def is_said(self) -> bool:
        """Say whether it was said which operator is meant, and not only remembered."""
        return any(each is not None for each in (self.state, self.url, self.context))

    def client(self) -> Client:
        """Return who asks it."""
        way = self._remote()
        return Client(the_state(self._folder()) if way is None else way)

    def folder(self) -> Path | None:
        """Return the state folder that is meant; None where it is a URL."""
        return the_state(self._folder()) if self._remote() is None else None

    def _folder(self) -> Path | None:
        said = os.environ.get("ORCHESTRATOR_STATE")
        return self.state or (Path(said) if said else None)

    def _remote(self) -> OverHttp | None:
        """Return the URL that is meant, if one is."""
        said = [self.state, self.url, self.context]
        if sum(each is not None for each in said) > 1:
            raise click.UsageError("--state, --url and --context exclude one another.")
        meant = self._meant()
        if meant is not None:
            return self._way_of(meant)
        if self.token_file or self.ca or self.allow_http:
            message = "--token-file, --ca and --allow-http go with --url or --context."
            raise click.UsageError(message)
        return None

    def _meant(self) -> Context | None:
        """Return what is known of the operator that is meant; None: a state folder."""
        if self.context is not None:
            return remembered().named(self.context)
        if self.state is not None:
            return None
        url = self.url or os.environ.get("ORCHESTRATOR_URL")
        if url:
            return Context(
                name="url",
                url=url,
                token_file=os.environ.get("ORCHESTRATOR_TOKEN_FILE") or None,
            )
        if os.environ.get("ORCHESTRATOR_STATE"):
            return None
        return remembered().in_use()

    def _way_of(self, context: Context) -> OverHttp:
        file = self.token_file or context.token_path
        return over_http(
            context.url,
            token=None if file is None else read_token(file),
            ca=self.ca or context.ca_path,
            allow_http=self.allow_http or context.allow_http,
        )


_NAMES: Final = tuple(field.name for field in attrs.fields(Reach))


def reach_said(params: Mapping[str, Any]) -> Reach:
    """Return what the parameters of a command say of the operator that is meant."""
    said: dict[str, Any] = {name: params.get(name) for name in _NAMES}
    said["allow_http"] = bool(said["allow_http"])
    return Reach(**said)


def reach_options(function: F) -> F:
    """Add what says which operator is meant; the function is given it as *reach*."""

    @functools.wraps(function)
    def reached(
        *args: Any,
        **more: Any,
    ) -> Any:
        said = {name: more.pop(name) for name in _NAMES}
        return function(*args, reach=reach_said(said), **more)

    for option in reversed(_OPTIONS):
        reached = option(reached)
    return cast("F", reached)


def read_token(path: Path) -> str:
    """Read a file with a token; nothing of it is ever shown."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(_TOKEN_MAX + 1)
    except OSError as error:
        raise Failed(f"{path}: {error.strerror}", 2) from None
    if stat.S_ISREG(mode) and mode & _OTHERS:
        found = f"{stat.S_IMODE(mode):04o}"
        raise Failed(f"{path}: expected mode 0600, found {found}", 2)
    text = data.decode("ascii", "replace").strip()
    is_one_line = text.isascii() and text.isprintable() and " " not in text
    if not text or len(data) > _TOKEN_MAX or not is_one_line:
        raise Failed(f"{path}: expected a token on a line of its own", 2)
    return text
