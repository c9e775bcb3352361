"""``[api]`` is read whole, or what is wrong with it is told with its line."""

from __future__ import annotations

import pytest
from returns.result import Failure

from orchestrator.codec.api_choice import Address, ApiChoice, address_of
from orchestrator.codec.fleet_file import FleetFile, read_fleet_file

FLEET = """[fleet]
name = "demo"
[[containers]]
name = "web"
command = ["run"]
"""


def read(text: str) -> FleetFile:
    answer = read_fleet_file((FLEET + text).encode(), file="f.toml", folder="/srv")
    assert not isinstance(answer, Failure), answer
    return answer.unwrap()


def problems(text: str) -> list[str]:
    answer = read_fleet_file((FLEET + text).encode(), file="f.toml", folder="/srv")
    return answer.failure().message.splitlines()


def test_a_section_is_read_with_its_files_beside_the_fleet_file() -> None:
    file = read(
        """[api]
listen = "[::1]:8400"
read_only = true
hosts = ["ops.example.com", "ops.example.org:8443"]
tls_cert = "tls/cert.pem"
tls_key = "/etc/key.pem"
requests_per_second = 9
body_max_bytes = 100
"""
    )
    assert file.api == ApiChoice(
        listen="[::1]:8400",
        read_only=True,
        hosts=("ops.example.com", "ops.example.org:8443"),
        tls_cert="/srv/tls/cert.pem",
        tls_key="/etc/key.pem",
        requests_per_second=9,
        body_max_bytes=100,
    )
    assert (file.warnings, file.notes) == ((), ())


def test_without_the_section_nothing_is_served() -> None:
    assert read("").api == read("[api]\n").api == ApiChoice()
    assert ApiChoice().listen is None


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('listen = "here"', "listen: expected HOST:PORT, such as 127.0.0.1:8400"),
        ('listen = "localhost"', "listen: expected HOST:PORT"),
        ("listen = 8400", "listen: expected a text, found 8400"),
        ("read_only = 1", "read_only: expected true or false, found 1"),
        ('hosts = "ops"', "hosts: expected an array"),
        ('hosts = ["ops.example.com/x"]', "hosts: expected names of hosts"),
        ("hosts = [3]", "hosts[0]: expected a text, found 3"),
        ('tls_cert = "c"', "tls_cert: expected tls_cert and tls_key together"),
        ('tls_key = "k"', "tls_key: expected tls_cert and tls_key together"),
        ("requests_per_second = 0", "requests_per_second: expected >= 1, found 0"),
        ("requests_per_second = true", "requests_per_second: expected an integer"),
        ("body_max_bytes = 99999999", "body_max_bytes: expected <= 67108864"),
        (
            'liste = "x"',
            "expected a known key, found 'liste'; did you mean \"listen\"?",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_line(line: str, expected: str) -> None:
    (told,) = problems(f"[api]\n{line}\n")
    assert told.startswith("f.toml:7: api.")
    assert expected in told


def test_a_path_that_is_none_is_told() -> None:
    first, second = problems('[api]\ntls_cert = ""\ntls_key = "a\\u0000b"\n')
    assert "f.toml:7: api.tls_cert: expected the path of a file in PEM" in first
    assert "f.toml:8: api.tls_key: expected the path of a file in PEM" in second


def test_all_that_is_wrong_is_told_at_once() -> None:
    assert len(problems('[api]\nlisten = "x"\nread_only = 3\nhosts = [""]\n')) == 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("localhost:8400", Address(host="localhost", port=8400)),
        ("Ops.Example.com", Address(host="ops.example.com", port=None)),
        ("[2001:DB8:0::1]:1", Address(host="2001:db8::1", port=1)),
        ("a_b-c.d:0", Address(host="a_b-c.d", port=0)),
        ("[::1", None),
        ("[x]:1", None),
        ("::1:1", None),
        ("a:", None),
        ("a:65536", None),
        ("a:-1", None),
        ("a:1:1", None),
        ("-a", None),
        ("a-", None),
        ("a..b", None),
        ("a b", None),
        ("a\n", None),
        ("ä", None),
        ("a:\uff11", None),
        ("x" * 64, None),
        (".".join(["x" * 60] * 5), None),
        ("", None),
    ],
)
def test_a_place_is_read_or_is_none(text: str, expected: Address | None) -> None:
    assert address_of(text) == expected


@pytest.mark.parametrize("text", ["ops.example.com", "a:0", "[::1]", "[2001:db8::1]:1"])
def test_a_place_is_written_as_it_is_read(text: str) -> None:
    assert str(address_of(text)) == text
