"""Names, pages and sites: which requests were meant for this operator."""

from __future__ import annotations

import pytest
from multidict import CIMultiDict

from orchestrator.api.guard.origins import Names, foreign
from tests.api.guard.kit import address

LOOPBACK = Names(listen=address("127.0.0.1:8400"), is_loopback=True)
INSIDE = Names(listen=address("10.1.2.3:8400"), is_loopback=False)
EVERYWHERE = Names(
    listen=address("0.0.0.0:8400"), is_loopback=False, is_everywhere=True
)
PROXIED = Names(
    listen=address("127.0.0.1:8400"),
    is_loopback=True,
    others=(address("ops.example.com"), address("ops.example.org:8443")),
)


def is_let_in(names: Names, host: str, method: str = "POST", **headers: str) -> bool:
    said = CIMultiDict((key.replace("_", "-"), value) for key, value in headers.items())
    return foreign(method, [host], said, names) is None


@pytest.mark.parametrize(
    ("names", "host", "expected"),
    [
        (LOOPBACK, "127.0.0.1:8400", True),
        (LOOPBACK, "localhost:8400", True),
        (LOOPBACK, "[::1]:8400", True),
        (LOOPBACK, "localhost:9000", True),
        (LOOPBACK, "10.1.2.3:8400", False),
        (LOOPBACK, "ops.example.com", False),
        (INSIDE, "10.1.2.3:8400", True),
        (INSIDE, "localhost:8400", False),
        (INSIDE, "10.1.2.4:8400", False),
        (EVERYWHERE, "192.0.2.7:8400", True),
        (EVERYWHERE, "[2001:db8::7]:8400", True),
        (EVERYWHERE, "localhost:8400", True),
        (EVERYWHERE, "evil.example:8400", False),
        (PROXIED, "ops.example.com", True),
        (PROXIED, "OPS.example.com", True),
        (PROXIED, "ops.example.com:8443", True),
        (PROXIED, "ops.example.org:8443", True),
        (PROXIED, "ops.example.org", False),
        (PROXIED, "ops.example.com.evil.example", False),
    ],
)
def test_a_name_is_ours_or_not(names: Names, host: str, *, expected: bool) -> None:
    assert is_let_in(names, host) == expected


@pytest.mark.parametrize(
    ("host", "origin", "expected"),
    [
        ("127.0.0.1:8400", "http://127.0.0.1:8400", True),
        ("127.0.0.1:8400", "http://localhost:8400", False),
        ("localhost:8400", "http://localhost:3000", False),
        ("ops.example.com", "https://ops.example.com", True),
        ("ops.example.com", "https://ops.example.com:443", True),
        ("ops.example.com", "http://ops.example.com", True),
        ("ops.example.com", "https://ops.example.com:444", False),
        ("127.0.0.1:8400", "https://ops.example.com", True),
        ("127.0.0.1:8400", "https://ops.example.org:8443", True),
        ("127.0.0.1:8400", "https://ops.example.org", False),
        ("127.0.0.1:8400", "ftp://127.0.0.1:8400", False),
        ("127.0.0.1:8400", "http://127.0.0.1:8400/", False),
        ("127.0.0.1:8400", "http://x@127.0.0.1:8400", False),
        ("127.0.0.1:8400", "http://[::1", False),
        ("127.0.0.1:8400", "null", False),
    ],
)
def test_a_page_is_ours_or_not(host: str, origin: str, *, expected: bool) -> None:
    assert is_let_in(PROXIED, host, Origin=origin) == expected
    assert is_let_in(PROXIED, host, "GET", Origin=origin) == expected


@pytest.mark.parametrize("site", ["cross-site", "same-site", "else"])
def test_a_browser_that_comes_from_elsewhere_may_follow_a_link(site: str) -> None:
    host = "127.0.0.1:8400"
    said = {"Sec_Fetch_Site": site}
    assert not is_let_in(LOOPBACK, host, "POST", **said)
    assert not is_let_in(LOOPBACK, host, "GET", **said)
    said["Sec_Fetch_Mode"] = "navigate"
    assert is_let_in(LOOPBACK, host, "GET", **said)
    assert not is_let_in(LOOPBACK, host, "POST", **said)


def test_a_refusal_says_what_was_expected_and_how_to_add_a_name() -> None:
    error = foreign("GET", ["evil.example" * 50], CIMultiDict(), PROXIED)
    assert error is not None
    assert error.header == "Host"
    assert "ops.example.com" in error.expected
    assert "`hosts`" in error.expected
    assert len(error.found) < 150


def test_a_request_without_a_host_was_meant_for_nobody() -> None:
    error = foreign("GET", [], CIMultiDict(), LOOPBACK)
    assert error is not None
    assert error.found == "'nothing'"


@pytest.mark.parametrize(
    ("header", "own", "others"),
    [
        ("Origin", "http://127.0.0.1:8400", "http://evil.example"),
        ("Sec-Fetch-Site", "same-origin", "cross-site"),
    ],
)
def test_a_good_header_does_not_hide_another_behind_it(
    header: str, own: str, others: str
) -> None:
    host = ["127.0.0.1:8400"]
    for values in ((own, others), (others, own)):
        said = CIMultiDict((header, value) for value in values)
        error = foreign("POST", host, said, LOOPBACK)
        assert error is not None
        assert error.header == header
    twice = CIMultiDict([(header, own), (header, own)])
    assert foreign("POST", host, twice, LOOPBACK) is None
