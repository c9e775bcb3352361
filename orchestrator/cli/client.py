"""HTTP over the Unix socket of a running operator."""

from __future__ import annotations

import getpass
import http.client
import json
import socket
from collections.abc import Iterator, Mapping
from email.message import Message
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

import attrs

from orchestrator.api.headers import AT_HEADER, SEQ_HEADER
from orchestrator.api.places import socket_of
from orchestrator.api.statuses import exit_code_of
from orchestrator.cli.failing import Failed
from orchestrator.core.moments import Moment

__all__ = ("Client", "NoOperator", "Seen")

CONNECT_S: Final = 5.0
ANSWER_S: Final = 90.0
"""Longer than any operation that does not say how long it may take."""


@attrs.frozen(kw_only=True)
class Seen:
    """What was read, and from where it was seen: after which row, from which moment."""

    found: Any
    seq: int
    at: Moment


class NoOperator(Failed):
    """Nobody answers at the socket."""

    def __init__(self, state: Path) -> None:
        """Name the state folder that was meant."""
        super().__init__(
            f"no operator runs for {state}: `orchestrator up FILE` starts one", 5
        )


class _Connection(http.client.HTTPConnection):
    """A connection to a Unix socket."""

    def __init__(self, path: Path, timeout: float | None) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(CONNECT_S)
        self.sock.connect(str(self._path))
        self.sock.settimeout(self.timeout)


class Client:
    """Asks the operator of one state folder."""

    def __init__(self, state: Path) -> None:
        """Reach it at the socket in *state*."""
        self._state = state

    def get(self, *path: str, timeout_s: float | None = ANSWER_S, **query: Any) -> Any:
        """Read something; an error becomes the command's failure."""
        return self._asked("GET", path, query, None, timeout_s)[0]

    def seen(self, *path: str, at: str) -> Seen:
        """Read what the fleet showed *at* a place of its past, however long it takes.

        A place is written as ``api.moments`` reads it.
        """
        found, headers = self._asked("GET", path, {"at": at}, None, None)
        seq, moment = headers.get(SEQ_HEADER), headers.get(AT_HEADER)
        if seq is None or moment is None:  # it does not know what `at` means
            raise Failed("the operator is of a release that shows no past", 6)
        return Seen(found=found, seq=int(seq), at=int(moment))

    def post(self, *path: str, timeout_s: float | None = ANSWER_S, **body: Any) -> Any:
        """Ask for something, as the user of this process."""
        return self._asked("POST", path, {}, {"by": _user(), **body}, timeout_s)[0]

    def delete(self, *path: str, **body: Any) -> Any:
        """Have something removed."""
        return self._asked("DELETE", path, {}, {"by": _user(), **body}, ANSWER_S)[0]

    def lines(self, *path: str, **query: Any) -> Iterator[Any]:
        """Read a stream of JSON lines, until it ends."""
        connection = _Connection(socket_of(self._state), None)
        try:
            response = self._sent(connection, "GET", _url(path, query), None)
            if response.status >= http.client.BAD_REQUEST:
                raise _failure(response.read())
            for line in response:
                yield json.loads(line)
            if query.get("follow"):  # only its end can end what follows it
                raise NoOperator(self._state)
        except (OSError, ValueError, http.client.HTTPException):
            raise NoOperator(self._state) from None  # it has ended in mid-stream
        finally:
            connection.close()

    def _asked(
        self,
        method: str,
        path: tuple[str, ...],
        query: Mapping[str, Any],
        body: Mapping[str, Any] | None,
        timeout_s: float | None,
    ) -> tuple[Any, Message]:
        connection = _Connection(socket_of(self._state), timeout_s)
        try:
            response = self._sent(connection, method, _url(path, query), body)
            data = response.read()
        except TimeoutError:
            raise Failed(f"the operator did not answer in {timeout_s} s", 3) from None
        except (OSError, http.client.HTTPException):
            raise NoOperator(self._state) from None
        finally:
            connection.close()
        if response.status >= http.client.BAD_REQUEST:
            raise _failure(data)
        return json.loads(data), response.headers

    def _sent(
        self,
        connection: _Connection,
        method: str,
        url: str,
        body: Mapping[str, Any] | None,
    ) -> http.client.HTTPResponse:
        sent = None if body is None else json.dumps(body).encode()
        try:
            connection.request(method, url, body=sent)
        except (FileNotFoundError, ConnectionError, PermissionError):
            raise NoOperator(self._state) from None
        return connection.getresponse()


def _url(path: tuple[str, ...], query: Mapping[str, Any]) -> str:
    url = "/v1/" + "/".join(quote(part, safe="") for part in path)
    return f"{url}?{urlencode(query)}" if query else url


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "owner"


def _failure(data: bytes) -> Failed:
    try:
        error = json.loads(data)["error"]
        return Failed(str(error["message"]), exit_code_of(str(error["code"])))
    except (ValueError, KeyError, TypeError):
        return Failed("the operator gave an answer that is not understood", 70)
