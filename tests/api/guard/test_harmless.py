"""What is refused before the application sees it is refused in the same words."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orchestrator.api.guard.connections import Connections, Limits
from tests.api.guard.kit import HASTY, HEADS, Served, head, served

LONG = b"x" * 9_000

UNREADABLE = (
    b"GET /v1/fleet HTTP/1.1\r\n\r\n",
    b"hunter2 hunter2 hunter2\r\n\r\n",
    head("GET", "/v1/fleet", "Host: 127.0.0.1"),
    head("GET", "/v1/fleet", f"X: {LONG.decode()}"),
    head("POST", "/v1/down", "Content-Length: 2", "Transfer-Encoding: chunked"),
    head("GET", "/v1/fleet", "Expect: hunter2"),
)


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, limits=HASTY) as one:
        yield one


def check_refusal(answer: bytes, status: int, code: str) -> None:
    first, _, rest = answer.partition(b"\r\n")
    headers, _, body = rest.partition(b"\r\n\r\n")
    said = dict(line.lower().split(b": ", 1) for line in headers.split(b"\r\n") if line)
    assert first.split(b" ")[1] == str(status).encode(), answer
    assert said[b"content-type"].startswith(b"application/json"), answer
    assert said[b"x-content-type-options"] == b"nosniff"
    assert said[b"server"] == b"orchestrator"
    assert int(said[b"content-length"]) == len(body)
    assert json.loads(body)["error"]["code"] == code
    assert b"hunter2" not in answer


@pytest.mark.parametrize("data", UNREADABLE)
async def test_what_is_no_request_is_refused_in_json(door: Served, data: bytes) -> None:
    answer = await door.raw(data)
    body = json.loads(answer.partition(b"\r\n\r\n")[2])
    check_refusal(
        answer,
        403 if body["error"]["code"] == "foreign_origin" else 400,
        body["error"]["code"],
    )
    assert (await door.call("GET", "/v1/fleet")).status == 200


async def test_who_expects_what_all_know_is_served(door: Served) -> None:
    answer = await door.raw(head("GET", "/v1/fleet", "Expect: 100-continue"))
    assert b" 200 OK" in answer


async def test_a_head_that_does_not_come_is_told_why_in_json(tmp_path: Path) -> None:
    async with served(tmp_path, limits=HEADS) as door:
        check_refusal(await door.raw(b"GET / HTTP/1.1\r\n"), 408, "request_timeout")


async def test_one_connection_too_many_is_told_so_in_json(tmp_path: Path) -> None:
    few = Limits(open_most=1)
    async with served(tmp_path, limits=few) as door:
        held = await asyncio.open_connection("127.0.0.1", door.port)
        while not door.guard.connections.count:  # noqa: ASYNC110 - only tests ask
            await asyncio.sleep(0.01)
        check_refusal(await door.raw(b""), 429, "too_many_requests")
        held[1].close()


async def test_a_connection_that_cannot_be_made_is_counted_no_more() -> None:
    connections = Connections(Limits())

    def broken() -> asyncio.Protocol:
        raise MemoryError

    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(0)
    errors: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, about: errors.append(about["exception"]))
    accepting = asyncio.ensure_future(
        connections.accept(listening, broken, lambda: None)
    )
    reader, writer = await asyncio.open_connection(*listening.getsockname())
    async with asyncio.timeout(60):
        assert await reader.read() == b""
    assert connections.count == 0
    accepting.cancel()
    await asyncio.gather(accepting, return_exceptions=True)
    writer.close()
    listening.close()
