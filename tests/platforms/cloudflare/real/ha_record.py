"""Records what operators ask of the gateway, at a proxy, as operations to be judged.

A request counts as called when the proxy has it, and as returned when its answer has
come from the gateway, whole; whether the operator has got it is another matter. Without
such an answer, or where an object did not answer, it is unknown what came of it.

Moments are microseconds of this process's monotonic clock.
"""

from __future__ import annotations

import gzip
import itertools
import json
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, Final

import attrs

from orchestrator.journal.port import Head
from orchestrator.testing import (
    Accepted,
    AppendRows,
    Conflict,
    Granted,
    GrantEpoch,
    HeadIs,
    Operation,
    ReadHead,
    Refused,
    StaleEpoch,
    StartRun,
)
from orchestrator.testing.histories import Answer, Call
from tests.bench.fault_proxy import FaultProxy, Request

__all__ = (
    "NONCE",
    "Exchange",
    "RecordingProxy",
    "moment",
    "operations_of",
    "orders_of",
)

NONCE: Final = "START_NONCE"
"""The variable by which a container tells which order it came of."""

OF_FLEET: Final = re.compile(r"^/v1/fleets/[^/]+/(?P<place>[^?]*)")
ERRORS: Final = 400
FAULTS: Final = 500


def moment() -> int:
    return time.monotonic_ns() // 1_000


@attrs.define(kw_only=True)
class Exchange:
    """A request that reached the gateway, and its answer where that came back whole."""

    process: str
    method: str
    path: str
    body: bytes
    called_at: int
    returned_at: int | None = None
    status: int | None = None
    answer: bytes = b""

    @property
    def place(self) -> str:
        """What was asked for, below the fleet."""
        found = OF_FLEET.match(self.path)
        return "" if found is None else found["place"]


@attrs.define
class RecordingProxy(FaultProxy):
    """A proxy before one operator that keeps what went through."""

    process: str = ""
    exchanges: list[Exchange] = attrs.field(factory=list)

    @asynccontextmanager
    async def _asked(
        self, request: Request
    ) -> AsyncIterator[tuple[bytes, AsyncIterator[bytes]]]:
        exchange = Exchange(
            process=self.process,
            method=request.method,
            path=request.path,
            body=plain(request.head, request.body),
            called_at=moment(),
        )
        self.exchanges.append(exchange)
        async with FaultProxy._asked(self, request) as (head, pieces):
            yield head, kept(exchange, head, pieces)


async def kept(
    exchange: Exchange, head: bytes, pieces: AsyncIterator[bytes]
) -> AsyncIterator[bytes]:
    """Pass an answer on, and write it down once it is whole."""
    raw: list[bytes] = []
    async for piece in pieces:
        raw.append(piece)
        yield piece
    exchange.answer = plain(head, b"".join(raw))
    exchange.status = int(head.split(b" ", 2)[1])
    exchange.returned_at = moment()


def plain(head: bytes, body: bytes) -> bytes:
    """Return a body without the frames of its chunks, unpacked."""
    told = head.lower()
    if b"transfer-encoding: chunked" in told:
        body = b"".join(_chunks(body))
    return gzip.decompress(body) if b"content-encoding: gzip" in told else body


def _chunks(body: bytes) -> Iterator[bytes]:
    while body:
        line, _, rest = body.partition(b"\r\n")
        size = int(line.partition(b";")[0], 16)
        yield rest[:size]
        body = rest[size + 2 :] if size else b""


def operations_of(exchanges: list[Exchange]) -> tuple[Operation, ...]:
    """Return the operations of what was recorded."""
    return tuple(
        itertools.chain.from_iterable(_operations(each) for each in list(exchanges))
    )


def orders_of(exchanges: list[Exchange]) -> dict[str, StartRun]:
    """Return the start that each nonce was given with."""
    found: dict[str, StartRun] = {}
    for exchange in list(exchanges):
        for order, call, _ in _starts(exchange):
            found[order.get("env", {}).get(NONCE, "")] = call
    return found


def _operations(exchange: Exchange) -> Iterator[Operation]:
    told = _tree(exchange)
    match exchange.method, exchange.place:
        case "POST", "attach":
            yield _operation(exchange, GrantEpoch(), _granted(exchange, told))
        case "POST", "journal/rows":
            append = _append(exchange.body)
            yield _operation(exchange, append, _appended(exchange, told))
        case "GET", "journal":
            yield _operation(exchange, ReadHead(), _read(exchange, told.get("head")))
        case "GET", "journal/rows":
            lines = exchange.answer.splitlines()
            end = json.loads(lines[-1]).get("end") if lines else None
            yield _operation(exchange, ReadHead(), _read(exchange, end))
        case "POST", _:
            for _, call, result in _starts(exchange):
                yield _operation(exchange, call, _started(exchange, result))
        case _:
            pass


def _operation(exchange: Exchange, call: Call, answer: Answer | None) -> Operation:
    return Operation(
        process=exchange.process,
        call=call,
        called_at=exchange.called_at,
        returned_at=exchange.returned_at if answer is not None else None,
        answer=answer,
    )


def _tree(exchange: Exchange) -> dict[str, Any]:
    try:
        tree = json.loads(exchange.answer or b"{}")
    except ValueError:  # lines of JSON, or not the gateway's
        return {}
    return tree if isinstance(tree, dict) else {}


def _refusal(status: int | None, told: dict[str, Any]) -> Answer | None:
    """Return why nothing was done; None where that is not known."""
    code, details = told.get("code"), told.get("details") or {}
    match code:
        case "stale_operator":
            return StaleEpoch(details["highest"])
        case "journal_conflict":
            return Conflict(_head(details["found_seq"], details["digest"]))
        case "journal_full":
            return Refused("journal_full")
        case _ if status is not None and ERRORS <= status < FAULTS:
            return Refused(str(code))
        case _:
            return None


def _granted(exchange: Exchange, told: dict[str, Any]) -> Answer | None:
    if exchange.status == 200:
        return Granted(told["epoch"])
    return _refusal(exchange.status, told)


def _append(body: bytes) -> AppendRows:
    first, *rows = (json.loads(line) for line in body.splitlines())
    expect = first["expect"]
    return AppendRows(
        epoch=first["epoch"],
        expect=_head(expect["seq"], expect["digest"]),
        digests=tuple(bytes.fromhex(row["digest"]) for row in rows),
    )


def _appended(exchange: Exchange, told: dict[str, Any]) -> Answer | None:
    if exchange.status == 200:
        return HeadIs(_head(told["head"]["seq"], told["head"]["digest"]))
    return _refusal(exchange.status, told)


def _read(exchange: Exchange, head: dict[str, Any] | None) -> Answer | None:
    if exchange.status == 200 and head is not None:
        return HeadIs(_head(head["seq"], head["digest"]))
    return None


def _starts(
    exchange: Exchange,
) -> Iterator[tuple[dict[str, Any], StartRun, dict[str, Any]]]:
    """Tell the starts of a batch: the order, the call, and its own result."""
    if exchange.method != "POST" or exchange.place != "batch":
        return
    results = _tree(exchange).get("results") or []
    orders = json.loads(exchange.body)["orders"]
    for order, result in itertools.zip_longest(orders, results[: len(orders)]):
        if order["op"] == "start":
            call = StartRun(
                epoch=order["epoch"], container=order["name"], run=order["run"]
            )
            yield order, call, result or {}


def _started(exchange: Exchange, result: dict[str, Any]) -> Answer | None:
    if not result:  # the batch as a whole was refused, or nobody knows
        return None if exchange.status in {None, 200} else _refused_batch(exchange)
    if result["status"] == 202:
        return Accepted()
    return _refusal(result["status"], result["body"])


def _refused_batch(exchange: Exchange) -> Answer | None:
    return _refusal(exchange.status, _tree(exchange))


def _head(seq: int, digest: str) -> Head:
    return Head(seq=seq, digest=bytes.fromhex(digest))
