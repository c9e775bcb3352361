"""The journal of a fleet at the gateway: real rows, as lines of an export.

A test builds rows with the journal's own functions and sends and reads them as bytes:
what comes back has to be what ``row_line`` writes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import attrs
import orjson

from orchestrator.journal.line_format import row_line, row_of
from orchestrator.journal.port import Draft, Head, Row, chained
from tests.platforms.cloudflare.gateway.kit import NDJSON, TOKEN, Gateway, Reply

__all__ = (
    "PART",
    "Journal",
    "Page",
    "body_of",
    "following",
    "head_of",
    "large_rows",
    "told",
)

PART = 1_048_576


def following(head: Head, count: int, *, word: str = "timer") -> tuple[Row, ...]:
    """Return rows behind a head; other words make other digests."""
    return chained(
        head,
        [
            Draft(
                at=1_795_000_000_000 + number,
                event=orjson.dumps({"type": word, "number": number}),
                commands=b"[]",
                changes=b"{}",
            )
            for number in range(head.seq + 1, head.seq + 1 + count)
        ],
    )


def large_rows(head: Head, sizes: Iterable[int]) -> tuple[Row, ...]:
    """Return rows behind a head whose lines have these sizes, without their ends."""
    rows: list[Row] = []
    for size in sizes:
        behind = head_of(rows) if rows else head
        empty = len(row_line(_padded(behind, 0))) - 1
        rows.append(_padded(behind, size - empty))
        assert len(row_line(rows[-1])) == size + 1
    return tuple(rows)


def _padded(head: Head, size: int) -> Row:
    event = b'{"type":"timer","why":"%b"}' % (b"x" * size)
    (row,) = chained(head, [Draft(at=1, event=event, commands=b"[]", changes=b"{}")])
    return row


def head_of(rows: Sequence[Row]) -> Head:
    """Return the head of a journal that ends with these rows."""
    return Head(seq=rows[-1].seq, digest=rows[-1].digest)


def told(head: Head) -> dict[str, Any]:
    """Return a head as the gateway tells it."""
    return {"seq": head.seq, "digest": head.digest.hex()}


def body_of(epoch: int, expect: Head, lines: Iterable[bytes]) -> bytes:
    """Write the body of an append."""
    first = orjson.dumps({"epoch": epoch, "expect": told(expect)})
    return b"".join((first, b"\n", *lines))


@attrs.frozen
class Page:
    """Rows that were read, and the last line."""

    rows: tuple[Row, ...]
    head: Head
    lease: Any


@attrs.define
class Journal:
    """The journal of one fleet, as one operator sees it."""

    gateway: Gateway
    epoch: int = 1

    async def attach(self, **more: Any) -> Reply:
        """Attach; the epoch is that of all calls from now on."""
        answer = await self.gateway.post("attach", after=self.epoch, **more)
        if answer.status == 200:
            self.epoch = self.gateway.epoch = answer.body["epoch"]
        return answer

    async def put_rows(self, expect: Head, rows: Iterable[Row]) -> Reply:
        """Append rows behind a head."""
        return await self.put_lines(body_of(self.epoch, expect, map(row_line, rows)))

    async def put_lines(self, data: bytes) -> Reply:
        """Send the body of an append, whatever it is."""
        path = self.gateway.path("journal", "rows")
        return await self.gateway.ask("POST", path, data=data)

    async def grown(self, expect: Head, rows: tuple[Row, ...]) -> Head:
        """Append rows, and return the new head."""
        answer = await self.put_rows(expect, rows)
        assert (answer.status, answer.body["head"]) == (200, told(head_of(rows)))
        return head_of(rows)

    async def read(self, after: int = 0, **query: Any) -> Page:
        """Read rows; each line is exactly as it would be written."""
        answer = await self.gateway.get("journal", "rows", after=after, **query)
        assert (answer.status, answer.headers["content-type"]) == (200, NDJSON), answer
        *lines, last = answer.body.encode().splitlines(keepends=True)
        found = [row_of(orjson.loads(line), line) for line in lines]
        rows = tuple(row for row in found if row is not None)
        assert len(rows) == len(lines)
        end = orjson.loads(last)
        assert set(end) == {"end", "lease", "last"}
        assert end["last"] == (rows[-1].seq if rows else after)
        head = Head(seq=end["end"]["seq"], digest=bytes.fromhex(end["end"]["digest"]))
        return Page(rows, head, end["lease"])

    async def overview(self) -> Any:
        """Say what there is of the journal."""
        return (await self.gateway.get("journal")).body

    # Snapshots

    async def put_part(self, seq: int, part: int, data: bytes) -> Reply:
        """Put one part of a snapshot."""
        path = self.gateway.path("journal", "snapshots", str(seq), str(part))
        return await self.gateway.ask("PUT", f"{path}?epoch={self.epoch}", data=data)

    async def keep(self, head: Head, body: bytes, **changes: Any) -> Reply:
        """Make a snapshot of the parts that were put."""
        facts = {**facts_of(head, body), "epoch": self.epoch, **changes}
        return await self.gateway.post("journal", "snapshots", **facts)

    async def save(self, head: Head, body: bytes) -> Reply:
        """Put all parts of a snapshot, and make it one."""
        for part in range(0, len(body), PART):
            data = body[part : part + PART]
            answer = await self.put_part(head.seq, part // PART, data)
            assert (answer.status, answer.body) == (200, {}), answer
        return await self.keep(head, body)

    async def saved(self, head: Head, body: bytes = b"{}") -> dict[str, Any]:
        """Save a snapshot, and return it as it is told."""
        answer = await self.save(head, body)
        assert (answer.status, answer.body) == (200, {}), answer
        return facts_of(head, body)

    async def body(self, snapshot: dict[str, Any]) -> bytes:
        """Read all parts of a snapshot."""
        pieces = [
            await self.part(snapshot["seq"], part) for part in range(snapshot["parts"])
        ]
        return b"".join(pieces)

    async def part(self, seq: int, part: int) -> bytes:
        """Read one part, byte by byte."""
        path = self.gateway.path("journal", "snapshots", str(seq), str(part))
        url = self.gateway.workerd.url + path
        headers = {"authorization": f"Bearer {TOKEN}"}
        async with self.gateway.session.get(url, headers=headers) as answer:
            assert answer.status == 200
            assert answer.content_type == "application/octet-stream"
            return await answer.read()

    async def begin_behind(self, seq: int) -> Reply:
        """Let the journal begin behind a snapshot."""
        return await self.gateway.post("journal", "base", epoch=self.epoch, seq=seq)

    async def end_with(self, head: Head, expect: Head) -> Reply:
        """Let the journal end with a row, where it ends as it is expected to."""
        wish = {**told(head), "expect": told(expect)}
        return await self.gateway.post("journal", "end", epoch=self.epoch, **wish)


def facts_of(head: Head, body: bytes) -> dict[str, Any]:
    """Return what is told of a snapshot."""
    return {
        **told(head),
        "rules": 4,
        "size": len(body),
        "parts": -(-len(body) // PART),
        "checksum": hashlib.blake2b(body, digest_size=32).hexdigest(),
    }
