"""How many connections there may be, counted by whom they are of."""

from __future__ import annotations

import asyncio
import resource
from pathlib import Path

from orchestrator.api.guard.connections import Limits, client_of
from orchestrator.api.guard.rates import CLIENTS_MAX, Rates
from tests.api.guard.kit import HEADS, SOON_S, served, status_of


def test_connections_leave_half_of_the_files_to_containers() -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    limits = Limits()
    assert 16 <= limits.open_most <= max(16, soft // 2)
    assert limits.client_most < limits.open_most


def test_the_addresses_of_one_machine_are_one_client() -> None:
    assert client_of("2001:db8::1") == client_of("2001:db8::ffff:1:2:3")
    assert client_of("2001:db8::1") != client_of("2001:db8:1::1")
    assert client_of("192.0.2.1") != client_of("192.0.2.2")
    assert client_of("no:address") == "no:address"


def test_clients_do_not_pay_for_one_another() -> None:
    rates = Rates[str](per_second=1, burst=1)
    assert rates.wait_s("a", 0.0) == 0.0
    assert rates.wait_s("b", 0.0) == 0.0
    assert rates.wait_s("a", 0.0) == 1.0
    assert rates.wait_s("a", 0.25) == 0.75
    assert rates.wait_s("a", 1.0) == 0.0


def test_a_clock_that_goes_back_gives_nothing_away() -> None:
    rates = Rates[str](per_second=1, burst=1)
    assert rates.wait_s("a", 10.0) == 0.0
    assert rates.wait_s("a", 5.0) == 1.0


def test_of_many_clients_the_oldest_are_forgotten() -> None:
    rates = Rates[int](per_second=1, burst=1)
    for client in range(CLIENTS_MAX + 1):
        assert rates.wait_s(client, 0.0) == 0.0
    assert rates.wait_s(CLIENTS_MAX, 0.0) > 0.0
    assert rates.wait_s(0, 0.0) == 0.0
    assert len(rates._buckets) == CLIENTS_MAX


async def test_the_head_of_a_later_request_has_its_own_time(tmp_path: Path) -> None:
    async with served(tmp_path, limits=HEADS) as door, asyncio.timeout(SOON_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        time = asyncio.get_running_loop().time
        for _ in range(2):
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            answer = await reader.readuntil(b"}")
            assert status_of(answer) == 200
        began = time()
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: ")
        assert status_of(await reader.read()) == 408
        assert time() - began >= HEADS.head_s
        writer.close()
