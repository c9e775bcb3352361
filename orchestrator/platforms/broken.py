"""Says in a few words what went wrong with a connection.

aiohttp wraps the system's error in one of its own; what is said of both is the same.
"""

from __future__ import annotations

import os
import socket
import ssl
from typing import Final

import aiohttp

__all__ = ("broken_words", "connection_told")

WORDS: Final[tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...]] = (
    (
        (ssl.SSLCertVerificationError, aiohttp.ClientConnectorCertificateError),
        "its certificate is not trusted",
    ),
    (
        (ssl.SSLError, aiohttp.ClientSSLError),
        "no secure connection could be made",
    ),
    (
        (socket.gaierror, aiohttp.ClientConnectorDNSError),
        "its name cannot be looked up",
    ),
    (ConnectionRefusedError, "the connection was refused"),
    (
        (
            ConnectionResetError,
            BrokenPipeError,
            aiohttp.ServerDisconnectedError,
            aiohttp.ClientPayloadError,
        ),
        "the connection broke off",
    ),
)
"""What is said of which errors; the first that fits."""


def broken_words(error: BaseException) -> str | None:
    """Say what went wrong with a connection, in words of ours that name nobody.

    None: *error* says no such thing.

    >>> broken_words(ConnectionRefusedError(111, "Connection refused"))
    'the connection was refused'
    >>> broken_words(OSError(113, "No route to host"))
    'the connection failed: no route to host'
    >>> broken_words(ValueError("an answer without end"))

    """
    below = getattr(error, "os_error", None)
    for kinds, words in WORDS:
        if isinstance(error, kinds) or isinstance(below, kinds):
            return words
    number = getattr(below, "errno", None) or getattr(error, "errno", None)
    if number:
        return f"the connection failed: {os.strerror(number).lower()}"
    return None


def connection_told(error: BaseException | None) -> str:
    """Say what went wrong, and where, as far as *error* tells; it may quote an answer.

    >>> connection_told(ValueError("an answer without end"))
    'ValueError: an answer without end'

    """
    if error is None:
        return "the connection was lost"
    words = broken_words(error) or f"{type(error).__name__}: {error}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"{error.host}:{error.port}: {words}"
    return words
