"""TLS by files: a certificate and its key, read again when they are renewed."""

from __future__ import annotations

import logging
import os
import ssl
from pathlib import Path
from typing import Final, NoReturn

from returns.result import Failure, Result, Success

from orchestrator.codec.problems import invalid
from orchestrator.core.errors import InvalidSpec

__all__ = ("Certificate", "read_certificate")

LOG: Final = logging.getLogger("orchestrator.api")

_Stamp = tuple[int, ...]


class _Locked(Exception):
    """A key asks for a passphrase, and nobody is there to type one."""


def _ask() -> NoReturn:
    raise _Locked


def _context(cert: Path, key: Path) -> Result[ssl.SSLContext, InvalidSpec]:
    for field, path in (("tls_cert", cert), ("tls_key", key)):
        try:
            with path.open("rb") as file:
                _ = file.read(1)
        except OSError as error:
            expected = "a file in PEM that can be read"
            place = f"{field}: {path}"
            return Failure(invalid(place, expected, error.strerror))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(cert, key, password=_ask)
    except _Locked:
        expected = "a key without a passphrase"
        return Failure(invalid(f"tls_key: {key}", expected, "one that is locked"))
    except (OSError, ValueError) as error:
        if getattr(error, "reason", "") == "KEY_VALUES_MISMATCH":
            found = "the key of another"
            return Failure(invalid(f"tls_key: {key}", f"the key of {cert}", found))
        place = f"tls_cert, tls_key: {cert}, {key}"
        expected = "a certificate and its key in PEM"
        return Failure(invalid(place, expected, "something else"))
    return Success(context)


class Certificate:
    """What TLS is spoken with."""

    def __init__(self, cert: Path, key: Path, context: ssl.SSLContext) -> None:
        """Hold what was read of two files."""
        self._files = (cert, key)
        self._context = context
        self._stamp = self._stamp_now()

    def context(self) -> ssl.SSLContext:
        """Return it, read anew where the files have changed.

        What cannot be read, as in the midst of a renewal, leaves the old one in place.
        """
        stamp = self._stamp_now()
        if stamp != self._stamp:
            self._stamp = stamp
            read = _context(*self._files)
            if isinstance(read, Failure):
                LOG.warning("the old certificate stays: %s", read.failure().message)
            else:
                self._context = read.unwrap()
        return self._context

    def _stamp_now(self) -> _Stamp | None:
        try:
            both = [os.stat(path) for path in self._files]  # noqa: PTH116 - two numbers
        except OSError:
            return None
        return tuple(n for one in both for n in (one.st_mtime_ns, one.st_ino))


def read_certificate(cert: Path, key: Path) -> Result[Certificate, InvalidSpec]:
    """Read a certificate and its key; say which of them cannot be used."""
    return _context(cert, key).map(lambda context: Certificate(cert, key, context))
