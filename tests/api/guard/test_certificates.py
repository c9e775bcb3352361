"""TLS by files: what can be used, what cannot, and a renewal."""

from __future__ import annotations

import contextlib
import os
import ssl
import tempfile
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import attrs
import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from returns.result import Failure

from orchestrator.api.guard.certificates import read_certificate
from tests.api.guard.kit import HASTY, head, served, status_of

NOBODY = 65_534


@attrs.frozen
class Issued:
    """A certificate for this machine, its key, and who vouches for them."""

    ca: trustme.CA
    cert: Path
    key: Path

    def trust(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self.ca.configure_trust(context)
        return context


def issued(folder: Path) -> Issued:
    folder.mkdir(exist_ok=True)
    ca = trustme.CA()
    pair = ca.issue_cert("localhost", "127.0.0.1")
    cert, key = folder / "cert.pem", folder / "key.pem"
    cert.write_bytes(b"".join(blob.bytes() for blob in pair.cert_chain_pems))
    pair.private_key_pem.write_to_path(key)
    return Issued(ca, cert, key)


def problem(cert: Path, key: Path) -> str:
    read = read_certificate(cert, key)
    assert isinstance(read, Failure)
    return str(read.failure().message)


def test_a_key_of_another_certificate_is_told_apart(tmp_path: Path) -> None:
    one, two = issued(tmp_path / "one"), issued(tmp_path / "two")
    said = problem(one.cert, two.key)
    expected = f"expected the key of {one.cert}, found 'the key of another'"
    assert said == f"tls_key: {two.key}: {expected}"


def test_files_that_are_not_there_or_no_pem_are_told(tmp_path: Path) -> None:
    one = issued(tmp_path)
    none = tmp_path / "none.pem"
    assert f"tls_cert: {none}: expected a file in PEM" in problem(none, one.key)
    assert "No such file" in problem(none, one.key)
    assert f"tls_key: {none}: expected a file in PEM" in problem(one.cert, none)
    assert "Is a directory" in problem(one.cert, tmp_path)
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_bytes(b"\xff\x00 no key at all")
    assert "expected a certificate and its key" in problem(rubbish, one.key)
    assert "expected a certificate and its key" in problem(one.cert, rubbish)
    assert "no key at all" not in problem(one.cert, rubbish)
    empty = tmp_path / "empty.pem"
    empty.touch()
    assert "expected a certificate and its key" in problem(empty, empty)


def test_a_key_that_asks_for_a_passphrase_is_refused(tmp_path: Path) -> None:
    one = issued(tmp_path)
    key = serialization.load_pem_private_key(one.key.read_bytes(), None)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    one.key.write_bytes(locked)
    assert "expected a key without a passphrase" in problem(one.cert, one.key)


@contextlib.contextmanager
def as_somebody() -> Iterator[None]:
    """Be no longer root for a block, who may read every file."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(before)


def test_a_key_that_may_not_be_read_is_told() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        one = issued(folder)
        one.cert.chmod(0o644)
        one.key.chmod(0)
        with as_somebody():
            told = problem(one.cert, one.key)
        assert "Permission denied" in told
        assert str(one.key) in told


async def test_https_is_spoken_with_the_certificate(tmp_path: Path) -> None:
    one = issued(tmp_path / "tls")
    certificate = read_certificate(one.cert, one.key).unwrap()
    async with served(tmp_path, certificate=certificate) as door:
        assert door.url.startswith("https://127.0.0.1:")
        answer = await door.call("GET", "/v1/fleet", ssl=one.trust())
        assert answer.status == 200
        same = {"Origin": door.url}
        answer = await door.call("POST", "/v1/reconcile", headers=same, ssl=one.trust())
        assert answer.status == 200
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await door.call("GET", "/v1/fleet")


async def test_a_handshake_that_goes_wrong_hurts_nobody(tmp_path: Path) -> None:
    one = issued(tmp_path / "tls")
    certificate = read_certificate(one.cert, one.key).unwrap()
    limits = attrs.evolve(HASTY, head_s=8.0)
    async with served(tmp_path, certificate=certificate, limits=limits) as door:
        for data in (b"", b"\x16\x03\x01\x00\x05hello", head("GET", "/"), b"\0" * 999):
            answer = await door.raw(data)
            assert not answer.startswith(b"HTTP"), data
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        with pytest.deprecated_call():
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises((aiohttp.ClientError, ssl.SSLError)):
            await door.call("GET", "/v1/fleet", ssl=old)
        await door.until_left()
        good = await door.call("GET", "/v1/fleet", ssl=one.trust())
        assert good.status == 200


async def test_a_renewed_certificate_is_used_without_a_new_start(
    tmp_path: Path,
) -> None:
    one = issued(tmp_path / "tls")
    certificate = read_certificate(one.cert, one.key).unwrap()
    close = {"Connection": "close"}
    async with served(tmp_path, certificate=certificate) as door:
        first = await door.call("GET", "/version", ssl=one.trust(), headers=close)
        assert first.status == 200
        key = one.key.read_bytes()
        one.key.write_bytes(b"half a k")
        half = await door.call("GET", "/version", ssl=one.trust(), headers=close)
        assert half.status == 200
        one.key.write_bytes(key)
        two = issued(tmp_path / "tls")
        second = await door.call("GET", "/version", ssl=two.trust(), headers=close)
        assert second.status == 200


async def test_plain_http_to_tls_and_tls_to_plain_http_end_at_once(
    tmp_path: Path,
) -> None:
    async with served(tmp_path, limits=HASTY) as door:
        hello = b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03" + bytes(32)
        assert status_of(await door.raw(hello)) == 400
        with pytest.raises(aiohttp.ClientError):
            await door.session.get(f"https://127.0.0.1:{door.port}/version")


def test_a_certificate_is_of_tls_1_2_at_least(tmp_path: Path) -> None:
    one = issued(tmp_path)
    context = read_certificate(one.cert, one.key).unwrap().context()
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
