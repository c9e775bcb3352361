"""The address: what can be taken, and what is said of what cannot."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from returns.result import Failure

from orchestrator.api import listen
from orchestrator.api.listen import bound_to
from tests.api.guard.kit import served


def problem(text: str) -> str:
    bound = bound_to(text)
    assert isinstance(bound, Failure)
    return str(bound.failure().message)


def test_port_zero_is_one_that_is_free() -> None:
    bound = bound_to("127.0.0.1:0").unwrap()
    port = bound.sockets[0].getsockname()[1]
    assert port != 0
    assert bound.address.port == port
    assert bound.url() == f"http://127.0.0.1:{port}"
    assert bound.url("https") == f"https://127.0.0.1:{port}"
    assert bound.is_loopback
    assert not bound.is_everywhere
    bound.close()


def test_every_address_is_told_by_one_that_this_machine_reaches() -> None:
    bound = bound_to("0.0.0.0:0").unwrap()
    assert bound.is_everywhere
    assert not bound.is_loopback
    assert bound.url().startswith("http://127.0.0.1:")
    bound.close()


def test_a_name_of_loopback_is_loopback_on_one_port() -> None:
    bound = bound_to("localhost:0").unwrap()
    assert bound.is_loopback
    assert len({each.getsockname()[1] for each in bound.sockets}) == 1
    assert bound.url().startswith("http://localhost:")
    bound.close()


def test_another_port_is_taken_where_one_is_free_at_the_first_address_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    two = [(socket.AF_INET, 0, 0, "", (f"127.0.0.{n}", 0)) for n in (1, 2)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: two)
    one = socket.socket()
    one.bind(("127.0.0.2", 0))
    one.listen()
    taken, real = one.getsockname()[1], listen._bound
    asked: list[tuple[str, int]] = []

    def bound(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
        asked.append((host, port))
        return real(family, host, port or (taken if len(asked) == 1 else 0))

    monkeypatch.setattr(listen, "_bound", bound)
    found = bound_to("both.invalid:0").unwrap()
    assert found.address.port != taken
    assert len(asked) > 2
    assert [host for host, _ in asked[-2:]] == ["127.0.0.1", "127.0.0.2"]
    assert {each.getsockname()[1] for each in found.sockets} == {found.address.port}
    found.close()
    one.close()


def test_an_address_of_ipv6_has_its_brackets() -> None:
    taken = bound_to("[::1]:0")
    if isinstance(taken, Failure):  # as on a machine without IPv6
        assert "[::1]:0" in taken.failure().message
        return
    bound = taken.unwrap()
    assert bound.is_loopback
    assert bound.url().startswith("http://[::1]:")
    bound.close()


def test_a_port_that_is_taken_is_told() -> None:
    one = bound_to("127.0.0.1:0").unwrap()
    one.sockets[0].listen()
    said = problem(str(one.address))
    one.close()
    assert "expected an address that is free; does an operator run already?" in said
    assert str(one.address) in said


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "HOST:PORT"),
        ("127.0.0.1", "HOST:PORT"),
        (":8400", "HOST:PORT"),
        ("http://127.0.0.1:8400", "HOST:PORT"),
        ("127.0.0.1:65536", "HOST:PORT"),
        ("::1:8400", "HOST:PORT"),
        ("no-such-host.invalid:8400", "a host whose address is known"),
        ("192.0.2.1:8400", "an address of this machine"),
    ],
)
def test_what_is_no_address_is_told(text: str, expected: str) -> None:
    assert expected in problem(text)


async def test_a_name_of_loopback_answers_at_each_of_its_addresses(
    tmp_path: Path,
) -> None:
    async with served(tmp_path, listen="localhost:0") as door:
        assert (await door.call("GET", "/v1/fleet")).status == 200
        answer = await door.call(
            "GET", "/v1/fleet", headers={"Host": f"127.0.0.1:{door.port}"}
        )
        assert answer.status == 200
