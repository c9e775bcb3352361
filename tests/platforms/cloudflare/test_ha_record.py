"""What is recorded at a proxy becomes the operations that are judged."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from orchestrator.journal.port import START, Head
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
from tests.platforms.cloudflare.real.ha_record import (
    NONCE,
    Exchange,
    operations_of,
    orders_of,
    plain,
)

ONE = Head(seq=1, digest=b"\1" * 32)
APPEND = AppendRows(epoch=3, expect=START, digests=(ONE.digest,))


def told(head: Head) -> dict[str, Any]:
    return {"seq": head.seq, "digest": head.digest.hex()}


def lines(*trees: Any) -> bytes:
    return b"".join(json.dumps(tree).encode() + b"\n" for tree in trees)


def exchange(
    method: str, place: str, body: bytes, status: int | None, answer: bytes
) -> Exchange:
    return Exchange(
        process="one",
        method=method,
        path=f"/v1/fleets/demo/{place}",
        body=body,
        called_at=5,
        returned_at=None if status is None else 9,
        status=status,
        answer=answer,
    )


ROWS = lines({"epoch": 3, "expect": told(START)}, {"seq": 1, "digest": "01" * 32})
STALE = lines({"code": "stale_operator", "details": {"epoch": 3, "highest": 4}})
MOVED = {"expected_seq": 0, "found_seq": 1, "digest": "01" * 32}


@pytest.mark.parametrize(
    ("asked", "call", "answer"),
    [
        (
            exchange("POST", "journal/rows", ROWS, 200, lines({"head": told(ONE)})),
            APPEND,
            HeadIs(ONE),
        ),
        (
            exchange(
                *("POST", "journal/rows", ROWS, 409),
                lines({"code": "journal_conflict", "details": MOVED}),
            ),
            APPEND,
            Conflict(ONE),
        ),
        (
            exchange("POST", "journal/rows", ROWS, 409, STALE),
            APPEND,
            StaleEpoch(4),
        ),
        (
            exchange(
                *("POST", "journal/rows", ROWS, 507), lines({"code": "journal_full"})
            ),
            APPEND,
            Refused("journal_full"),
        ),
        (
            exchange("POST", "journal/rows", ROWS, 503, lines({"code": "unreachable"})),
            APPEND,
            None,
        ),
        (exchange("POST", "journal/rows", ROWS, None, b""), APPEND, None),
        (
            exchange("GET", "journal?x=1", b"", 200, lines({"head": told(ONE)})),
            ReadHead(),
            HeadIs(ONE),
        ),
        (
            exchange(
                *("GET", "journal/rows?after=0", b"", 200),
                lines({"seq": 1}, {"end": told(ONE), "lease": None}),
            ),
            ReadHead(),
            HeadIs(ONE),
        ),
        (exchange("GET", "journal/rows", b"", None, b""), ReadHead(), None),
        (
            exchange("POST", "attach", b"{}", 200, lines({"epoch": 4})),
            GrantEpoch(),
            Granted(4),
        ),
        (
            exchange("POST", "attach", b"{}", 409, lines({"code": "lease_held"})),
            GrantEpoch(),
            Refused("lease_held"),
        ),
    ],
)
def test_a_call_and_its_answer(
    asked: Exchange, call: Call, answer: Answer | None
) -> None:
    assert operations_of([asked]) == (
        Operation(
            process="one",
            call=call,
            called_at=5,
            returned_at=None if answer is None else 9,
            answer=answer,
        ),
    )


ORDERS = lines(
    {
        "orders": [
            {"op": "start", "name": "a", "run": 1, "epoch": 3, "env": {NONCE: "x"}},
            {"op": "stop", "name": "b", "run": 1, "epoch": 3},
            {"op": "start", "name": "c", "run": 2, "epoch": 3, "env": {NONCE: "y"}},
        ]
    }
)
A, C = (
    StartRun(epoch=3, container=name, run=run) for name, run in (("a", 1), ("c", 2))
)


@pytest.mark.parametrize(
    ("status", "answer", "answers"),
    [
        (
            200,
            lines(
                {
                    "results": [
                        {"status": 202, "body": {}},
                        {"status": 202, "body": {}},
                        {"status": 409, "body": json.loads(STALE)},
                    ]
                }
            ),
            [Accepted(), StaleEpoch(4)],
        ),
        (429, lines({"code": "rate_limited"}), [Refused("rate_limited")] * 2),
        (None, b"", [None, None]),
        (502, b"<html>", [None, None]),
    ],
)
def test_the_starts_of_a_batch(
    status: int | None, answer: bytes, answers: list[Answer | None]
) -> None:
    asked = exchange("POST", "batch", ORDERS, status, answer)
    found = operations_of([asked])
    assert [one.call for one in found] == [A, C]
    assert [one.answer for one in found] == answers
    assert orders_of([asked]) == {"x": A, "y": C}


def test_what_is_none_of_the_registers_business_is_left_out() -> None:
    assert operations_of([exchange("GET", "lease", b"", 200, b"{}")]) == ()
    assert operations_of([exchange("POST", "lease/renew", b"{}", 200, b"{}")]) == ()


def test_a_body_is_put_together_and_unpacked() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert plain(head, b"3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n") == b"abcde"
    assert plain(b"HTTP/1.1 200 OK\r\n\r\n", b"abc") == b"abc"
    packed = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"
    assert plain(packed, gzip.compress(b"abc")) == b"abc"
