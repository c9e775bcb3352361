"""Asks a running operator: over its Unix socket, or at its URL."""

from __future__ import annotations

import getpass
import http.client
import json
from collections.abc import Iterator, Mapping
from email.message import Message
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

import attrs

from orchestrator.api.headers import AT_HEADER, SEQ_HEADER
from orchestrator.api.statuses import exit_code_of
from orchestrator.cli.failing import Failed
from orchestrator.cli.plain import cleaned
from orchestrator.cli.transports import NoOperator, OverSocket, Transport
from orchestrator.core.moments import Moment

__all__ = ("Client", "NoOperator", "Seen")

ANSWER_S: Final = 90.0
"""Longer than any operation that does not say how long it may take."""


@attrs.frozen(kw_only=True)
class Seen:
    """What was read, and from where it was seen: after which row, from which moment."""

    found: Any
    seq: int
    at: Moment


class Client:
    """Asks one operator."""

    def __init__(self, way: Path | Transport) -> None:
        """Reach it by a *way*; a path is a state folder, its socket is meant."""
        self._way = OverSocket(state=way) if isinstance(way, Path) else way

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
        connection = self._way.connection(None)
        try:
            response = self._sent(connection, "GET", _url(path, query), None)
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

    def _asked(
        self,
        method: str,
        path: tuple[str, ...],
        query: Mapping[str, Any],
        body: Mapping[str, Any] | None,
        timeout_s: float | None,
    ) -> tuple[Any, Message]:
        connection = self._way.connection(timeout_s)
        try:
            response = self._sent(connection, method, _url(path, query), body)
            data = response.read()
        except TimeoutError:
            raise Failed(f"the operator did not answer in {timeout_s} s", 3) from None
        except (OSError, http.client.HTTPException) as error:
            raise self._way.absent(error) from None
        finally:
            connection.close()
        if not _is_success(response.status):
            raise self._failure(response, data)
        try:
            return json.loads(data), response.headers
        except ValueError:
            raise Failed(_NOT_OURS, 70) from None

    def _sent(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        url: str,
        body: Mapping[str, Any] | None,
    ) -> http.client.HTTPResponse:
        sent = None if body is None else json.dumps(body).encode()
        headers = self._way.headers
        if sent is not None:
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, self._way.prefix + url, sent, headers)
        except OSError as error:  # nobody is there, or not within seconds
            raise self._way.absent(error) from None
        return connection.getresponse()

    def _failure(self, response: http.client.HTTPResponse, data: bytes) -> Failed:
        """Return what the operator answered, or what stands before it did."""
        try:
            error = json.loads(data)["error"]
            message = cleaned(str(error["message"]))
            return Failed(message, exit_code_of(str(error["code"])))
        except (ValueError, KeyError, TypeError):
            if isinstance(self._way, OverSocket):
                return Failed(_NOT_OURS, 70)
        status = response.status
        code = 7 if status in {401, 403} else 5
        return Failed(
            f"not the operator, but what stands before it, says {status}", code
        )


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


_NOT_OURS: Final = "the operator gave an answer that is not understood"
