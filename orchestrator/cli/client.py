"""Asks a running operator: over its Unix socket, or at its URL.

What changes something goes with a key of its own. Where the connection breaks before
the answer has come nobody knows whether it was done: it is asked for again, with the
same key, and the operator does nothing twice.
"""

from __future__ import annotations

import getpass
import http.client
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from email.message import Message
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, Final, TypeAlias
from urllib.parse import quote, urlencode

import attrs

from orchestrator.api.headers import AT_HEADER, KEY_HEADER, SEQ_HEADER
from orchestrator.api.statuses import exit_code_of
from orchestrator.cli.failing import Failed
from orchestrator.cli.plain import cleaned
from orchestrator.cli.transports import NoOperator, OverSocket, Transport, arriving
from orchestrator.core.moments import Moment

__all__ = ("Client", "NoOperator", "Seen")

ANSWER_S: Final = 90.0
"""Longer than any operation that does not say how long it may take."""

PAUSES_S: Final = (0.2, 1.0, 3.0)
"""Before something is asked for again: an operator that is started again needs some."""

KEY_BYTES: Final = 16


@attrs.frozen(kw_only=True)
class Seen:
    """What was read, and from where it was seen: after which row, from which moment."""

    found: Any
    seq: int
    at: Moment


_Answer: TypeAlias = tuple[http.client.HTTPResponse, bytes]

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class _Lost(Exception):
    """The connection broke behind a request; the cause says how."""


class Client:
    """Asks one operator."""

    def __init__(self, way: Path | Transport) -> None:
        """Reach it by a *way*; a path is a state folder, its socket is meant."""
        self._way = OverSocket(state=way) if isinstance(way, Path) else way

    def get(self, *path: str, timeout_s: float | None = ANSWER_S, **query: Any) -> Any:
        """Read something; an error becomes the command's failure."""
        return self._asked("GET", path, query, None, timeout_s)[0]

    def page(self, *path: str, **query: Any) -> tuple[Any, int | None]:
        """Read a page of rows, and up to which one the operator has looked for it."""
        found, headers = self._asked("GET", path, query, None, ANSWER_S)
        seq = headers.get(SEQ_HEADER)
        return found, None if seq is None else int(seq)

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

    def tell(self, *path: str, **body: Any) -> Any:
        """Tell something that nobody asks for, such as what was measured."""
        return self._asked("POST", path, {}, body, ANSWER_S)[0]

    def plan(self, fleet: Any, *, revision: int | None, prune: str | None) -> Any:
        """Ask what it would change to apply a fleet, which is plain JSON."""
        query = {} if prune is None else {"prune": prune}
        head = _expecting(revision)
        return self._asked("POST", ("plan",), query, fleet, ANSWER_S, head)[0]

    def apply(
        self, fleet: Any, *, revision: int | None, prune: str | None, why: str
    ) -> int:
        """Make a fleet the declared one; *revision* is the one that it shall replace.

        The answer is the new revision.
        """
        query = {"by": _user(), "why": why}
        if prune is not None:
            query["prune"] = prune
        head = _expecting(revision)
        answer = self._asked("PUT", ("spec",), query, fleet, ANSWER_S, head)[0]
        return int(answer["revision"])

    def delete(self, *path: str, **body: Any) -> Any:
        """Have something removed."""
        return self._asked("DELETE", path, {}, {"by": _user(), **body}, ANSWER_S)[0]

    def lines(self, *path: str, **query: Any) -> Iterator[Any]:
        """Read a stream of JSON lines, until it ends."""
        connection = self._way.connection(None)
        try:
            response = self._sent(connection, "GET", _url(path, query))
            if not _is_success(response.status):
                raise self._failure(response, response.read())
            for line in response:
                yield json.loads(line)
            if query.get("follow"):  # only its end can end what follows it
                raise self._way.absent()
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise self._way.absent(error) from None  # it may have ended in mid-stream
        finally:
            connection.close()

    @contextmanager
    def arriving(self, *path: str, **query: Any) -> Iterator[IO[bytes]]:
        """Read an answer as a file, as it comes, for a block.

        A connection that breaks ends it; what it holds must say whether it is whole.
        """
        with closing(self._way.connection(None)) as connection:
            try:
                response = self._sent(connection, "GET", _url(path, query))
                data = b"" if _is_success(response.status) else response.read()
            except (OSError, http.client.HTTPException) as error:
                raise self._way.absent(error) from None
            if not _is_success(response.status):
                raise self._failure(response, data)
            yield arriving(response)

    def _asked(
        self,
        method: str,
        path: tuple[str, ...],
        query: Mapping[str, Any],
        body: Mapping[str, Any] | None,
        timeout_s: float | None,
        more: Mapping[str, str] = _NOTHING,
    ) -> tuple[Any, Message]:
        key = {} if body is None else {KEY_HEADER: os.urandom(KEY_BYTES).hex()}
        headers = {**more, **key}
        ask = partial(self._answer, method, _url(path, query), body, headers)
        try:
            response, data = ask(timeout_s)
        except _Lost as lost:
            if body is None:
                raise self._way.absent(lost.args[0]) from None
            response, data = self._again(ask, lost, timeout_s)
        if not _is_success(response.status):
            raise self._failure(response, data)
        try:
            return json.loads(data), response.headers
        except ValueError:
            raise Failed(_NOT_OURS, 70) from None

    def _again(
        self, ask: Callable[[float | None], _Answer], lost: _Lost, limit_s: float | None
    ) -> _Answer:
        """Ask once more for what may have been done already, a few times."""
        for pause_s in PAUSES_S:
            time.sleep(pause_s)
            with suppress(NoOperator, _Lost):
                return ask(limit_s)
        why = self._way.absent(lost.args[0]).message
        doubt = "it may have been done: the connection broke before the answer came"
        raise NoOperator(f"{why}\n{doubt}")

    def _answer(
        self,
        method: str,
        url: str,
        body: Mapping[str, Any] | None,
        headers: Mapping[str, str],
        timeout_s: float | None,
    ) -> _Answer:
        """Ask once, and read the whole answer."""
        connection = self._way.connection(timeout_s)
        try:
            response = self._sent(connection, method, url, body, headers)
            return response, response.read()
        except TimeoutError:
            raise Failed(f"the operator did not answer in {timeout_s} s", 3) from None
        except (OSError, http.client.HTTPException) as error:
            raise _Lost(error) from None
        finally:
            connection.close()

    def _sent(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        url: str,
        body: Mapping[str, Any] | None = None,
        more: Mapping[str, str] = _NOTHING,
    ) -> http.client.HTTPResponse:
        """Send a request, and read the head of its answer."""
        sent = None if body is None else json.dumps(body).encode()
        headers = {**self._way.headers, **more}
        if sent is not None:
            headers["Content-Type"] = "application/json"
        try:
            connection.connect()
        except OSError as error:  # nobody is there, or not within seconds
            raise self._way.absent(error) from None
        connection.request(method, self._way.prefix + url, sent, headers)
        return connection.getresponse()

    def _failure(self, response: http.client.HTTPResponse, data: bytes) -> Failed:
        """Return what the operator answered, or what stands before it did."""
        try:
            error = json.loads(data)["error"]
            code, message = str(error["code"]), cleaned(str(error["message"]))
            if code == "body_too_large":
                return Failed(f"{_TOO_LARGE}: {message}{self._wider()}", 2)
            return Failed(message, exit_code_of(code))
        except (ValueError, KeyError, TypeError):
            if isinstance(self._way, OverSocket):
                return Failed(_NOT_OURS, 70)
        told = f"not the operator, but what stands before it, says {response.status}"
        if response.status == http.client.REQUEST_ENTITY_TOO_LARGE:
            return Failed(f"{_TOO_LARGE}: {told}", 2)
        return Failed(told, 7 if response.status in {401, 403} else 5)

    def _wider(self) -> str:
        """Say where more could be sent."""
        if isinstance(self._way, OverSocket):
            return "; `orchestrator up --watch` reads a file of up to 16 MiB by itself"
        return " (api.body_max_bytes of its fleet file)"


def _expecting(revision: int | None) -> dict[str, str]:
    return {} if revision is None else {"If-Match": f'"{revision}"'}


def _is_success(status: int) -> bool:
    return http.client.OK <= status < http.client.MULTIPLE_CHOICES


def _url(path: tuple[str, ...], query: Mapping[str, Any]) -> str:
    url = "/v1/" + "/".join(quote(part, safe="") for part in path)
    return f"{url}?{urlencode(query)}" if query else url


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "owner"


_TOO_LARGE: Final = "what is to be sent is too large for the operator"

_NOT_OURS: Final = "the operator gave an answer that is not understood"
