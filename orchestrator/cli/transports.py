"""The two ways to an operator: the Unix socket of its state folder, and HTTP to a URL.

A token travels in a header alone. It stands in no argument, error or text of a value.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
from pathlib import Path
from typing import IO, Any, Final, Protocol
from urllib.parse import urlsplit

import attrs

from orchestrator.api.places import socket_of
from orchestrator.cli.failing import Failed
from orchestrator.codec.platform_choices import is_safe_url

__all__ = (
    "NoOperator",
    "OverHttp",
    "OverSocket",
    "Transport",
    "arriving",
    "over_http",
)

CONNECT_S: Final = 5.0
UNREACHABLE: Final = 5


class NoOperator(Failed):
    """Nobody answers."""

    def __init__(self, message: str) -> None:
        """Say where nobody does."""
        super().__init__(message, UNREACHABLE)


class Transport(Protocol):
    """A way to an operator."""

    @property
    def prefix(self) -> str:
        """Return what stands before each path."""
        ...

    @property
    def headers(self) -> dict[str, str]:
        """Return what each request says beside its body."""
        ...

    def connection(self, timeout_s: float | None) -> http.client.HTTPConnection:
        """Return a connection that is not made yet; an answer may take *timeout_s*."""
        ...

    def absent(self, error: Exception | None = None) -> NoOperator:
        """Say that nobody answers, as the *error* tells."""
        ...


class _Local(http.client.HTTPConnection):
    """A connection to a Unix socket."""

    def __init__(self, path: Path, timeout: float | None) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(CONNECT_S)
        self.sock.connect(str(self._path))
        self.sock.settimeout(self.timeout)


@attrs.frozen(kw_only=True)
class OverSocket:
    """The socket of a state folder: who may open it may do everything."""

    state: Path
    prefix: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """Return none: the socket's own mode is what keeps others out."""
        return {}

    def connection(self, timeout_s: float | None) -> http.client.HTTPConnection:
        """Return a connection to the socket."""
        return _Local(socket_of(self.state), timeout_s)

    def absent(self, error: Exception | None = None) -> NoOperator:
        """Name the state folder that was meant."""
        del error
        return NoOperator(
            f"no operator runs for {self.state}: `orchestrator up FILE` starts one"
        )


def arriving(response: http.client.HTTPResponse) -> IO[bytes]:
    """Return the body of an answer as a file that is read as it comes.

    Where the connection breaks it ends: what it holds must say whether it is whole.
    """
    return io.BufferedReader(_Arriving(response))


class _Arriving(io.RawIOBase):
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self._response = response

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._response.read1(len(buffer))
        except (OSError, http.client.HTTPException):
            return 0
        buffer[: len(data)] = data
        return len(data)


class _Plain(http.client.HTTPConnection):
    """A connection that is made in seconds, whatever time an answer may take."""

    answer_s: float | None = None

    def connect(self) -> None:
        super().connect()
        _patient(self.sock, self.answer_s)


class _Secure(http.client.HTTPSConnection):
    """The same, with TLS."""

    answer_s: float | None = None

    def connect(self) -> None:
        super().connect()
        _patient(self.sock, self.answer_s)


def _patient(sock: socket.socket, answer_s: float | None) -> None:
    """Wait for answers as long as they may take, and notice a dead machine."""
    sock.settimeout(answer_s)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


@attrs.frozen(kw_only=True)
class OverHttp:
    """A URL, with the token that opens it and the authority that vouches for it."""

    url: str
    token: str | None = attrs.field(default=None, repr=False)
    ca: Path | None = None

    @property
    def prefix(self) -> str:
        """Return the path of the URL: a proxy may have put the operator below one."""
        return urlsplit(self.url).path.rstrip("/")

    @property
    def headers(self) -> dict[str, str]:
        """Return the token, where there is one."""
        return {} if self.token is None else {"Authorization": f"Bearer {self.token}"}

    def connection(self, timeout_s: float | None) -> http.client.HTTPConnection:
        """Return a connection to the URL."""
        parts = urlsplit(self.url)
        connection: _Plain | _Secure
        if parts.scheme == "https":
            context = _trust(self.ca)
            host, port = parts.hostname or "", parts.port
            connection = _Secure(host, port, timeout=CONNECT_S, context=context)
        else:
            connection = _Plain(parts.hostname or "", parts.port, timeout=CONNECT_S)
        connection.answer_s = timeout_s
        return connection

    def absent(self, error: Exception | None = None) -> NoOperator:
        """Name the URL, and say what went wrong on the way to it."""
        match error:
            case ssl.SSLCertVerificationError():
                cause = f"its certificate is not trusted: {error.verify_message}"
            case ssl.SSLError():
                cause = "it does not speak TLS as it should"
            case TimeoutError():
                cause = "no answer in time"
            case socket.gaierror():
                cause = "the name of its host is not known"
            case OSError() if error.strerror:
                cause = error.strerror.lower()
            case _:
                cause = "the connection broke, or was none of HTTP"
        return NoOperator(f"no operator is reached at {self.url}: {cause}")


def _trust(ca: Path | None) -> ssl.SSLContext:
    """Return whom to trust: the authorities of this machine, or the one in a file."""
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError as error:  # one of ssl, too
        cause = "no certificate in PEM" if isinstance(error, ssl.SSLError) else ""
        raise Failed(f"{ca}: {cause or error.strerror}", 2) from None


def over_http(
    url: str, *, token: str | None, ca: Path | None, allow_http: bool
) -> OverHttp:
    """Return the way to a URL, or say why it is none, or not one for a token."""
    if not _is_url(url):
        raise Failed(
            f"--url: expected http://HOST:PORT or https://HOST, found {url!r}", 2
        )
    if token is not None and not allow_http and not is_safe_url(url):
        raise Failed(
            f"{url} would show the token to the network: expected https;"
            " --allow-http says that the network may see it, as within a VPN",
            2,
        )
    return OverHttp(url=url.rstrip("/"), token=token, ca=ca)


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    extra = parts.query or parts.fragment or parts.username or parts.password
    is_clean = url.isascii() and url.isprintable() and " " not in url
    return (
        is_clean
        and parts.scheme in {"http", "https"}
        and bool(parts.hostname)
        and not extra
        and "@" not in parts.netloc
    )
