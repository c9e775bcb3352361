"""What is said of a connection that could not be made, or broke off."""

from __future__ import annotations

import errno
import socket
import ssl

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey

from orchestrator.platforms.broken import broken_words, connection_told

KEY = ConnectionKey(
    host="gateway.example",
    port=443,
    is_ssl=True,
    ssl=True,
    proxy=None,
    proxy_auth=None,
    proxy_headers_hash=None,
)
REFUSED = ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed")
UNROUTED = OSError(errno.EHOSTUNREACH, "Connect call failed")
NAMELESS = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
UNTRUSTED = ssl.SSLCertVerificationError(1, "self-signed certificate")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (REFUSED, "the connection was refused"),
        (UNROUTED, "the connection failed: no route to host"),
        (NAMELESS, "its name cannot be looked up"),
        (UNTRUSTED, "its certificate is not trusted"),
        (ssl.SSLError(1, "wrong version"), "no secure connection could be made"),
        (ConnectionResetError(errno.ECONNRESET, "x"), "the connection broke off"),
        (BrokenPipeError(errno.EPIPE, "x"), "the connection broke off"),
    ],
)
def test_the_words_are_those_of_the_system_s_error_also_inside_another(
    error: OSError, words: str
) -> None:
    assert broken_words(error) == words
    assert connection_told(error) == words
    wrapped = aiohttp.ClientConnectorError(KEY, error)
    assert broken_words(wrapped) == words
    assert connection_told(wrapped) == f"gateway.example:443: {words}"


def test_an_answer_that_breaks_off_is_told() -> None:
    for error in (
        aiohttp.ServerDisconnectedError(),
        aiohttp.ClientPayloadError("not all of it"),
    ):
        assert connection_told(error) == "the connection broke off"


def test_what_is_about_no_connection_is_quoted() -> None:
    assert broken_words(ValueError("too long")) is None
    assert connection_told(ValueError("too long")) == "ValueError: too long"
    assert connection_told(None) == "the connection was lost"
