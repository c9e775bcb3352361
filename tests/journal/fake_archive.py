"""The gateway's archive, as a model: the same paths, the same refusals, from memory.

``FakeArchive`` is what the registry object of a fleet keeps; ``FakeWire`` is the way to
it, which misbehaves as it is told: ``faults`` are used up one a request.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

import attrs
import orjson
from returns.result import Failure, Result, Success

from orchestrator.core.errors import (
    RateLimited,
    TimedOut,
    Unauthorized,
    Unreachable,
)
from orchestrator.journal.durable.wire import JSON, NOTHING_ASKED, Refusal
from orchestrator.journal.snapshots import kept
from orchestrator.platforms.cloudflare.http import error_of
from orchestrator.platforms.cloudflare.journal_wire import refusal_of

GENESIS = "0" * 64
ROW = re.compile(rb'\{"seq":([1-9]\d*),"at":\d{1,20},"event":.*"digest":"(.{64})"\}')
PART = re.compile(r"journal/snapshots/(0|[1-9]\d*)/(0|[1-9]\d*)")

Answer = tuple[int, bytes]


class Refused(Exception):
    """The gateway says no."""

    def __init__(self, status: int, code: str, message: str = "", **more: Any) -> None:
        super().__init__(code)
        body = {"code": code, "message": message, "details": more}
        self.answer: Answer = (status, orjson.dumps(body))


@attrs.define
class Line:
    """A row, as it was sent."""

    digest: str
    body: bytes


@attrs.define
class FakeArchive:
    """What the registry of one fleet keeps; bounds are as small as a test likes."""

    epoch: int = 0
    lease: dict[str, Any] | None = None
    base: dict[str, Any] | None = None
    rows: dict[int, Line] = attrs.Factory(dict)
    fleets: dict[int, dict[str, Any]] = attrs.Factory(dict)
    staged: dict[tuple[int, int], dict[int, bytes]] = attrs.Factory(dict)
    bodies: dict[int, dict[int, bytes]] = attrs.Factory(dict)
    base_body: dict[int, bytes] = attrs.Factory(dict)
    is_full: bool = False
    page_max: int = 4_194_304
    append_max: int = 4_194_304
    row_max: int = 16_777_216
    part_max: int = 1_048_576
    seen: list[str] = attrs.Factory(list)

    # What it is

    @property
    def start(self) -> dict[str, Any]:
        return {"seq": 0, "digest": GENESIS} if self.base is None else self.base

    @property
    def head(self) -> dict[str, Any]:
        if not self.rows:
            return {"seq": self.start["seq"], "digest": self.start["digest"]}
        last = max(self.rows)
        return {"seq": last, "digest": self.rows[last].digest}

    def agreeing(self) -> list[dict[str, Any]]:
        """Return the snapshots that agree with their rows."""
        found = [self.fleets[seq] for seq in sorted(self.fleets) if seq in self.rows]
        return [one for one in found if self.rows[one["seq"]].digest == one["digest"]]

    # What it is asked

    def answer(
        self, method: str, path: str, query: Mapping[str, str], body: bytes
    ) -> Answer:
        """Do what is asked; nothing is changed by what is refused."""
        self.seen.append(f"{method} {path}")
        does: Callable[[], Any] | None = {
            ("GET", "lease"): self._leader,
            ("GET", "journal"): self._overview,
            ("GET", "journal/rows"): lambda: self._page(query),
            ("POST", "journal/rows"): lambda: self._append(body),
            ("POST", "journal/snapshots"): lambda: self._keep(orjson.loads(body)),
            ("POST", "journal/base"): lambda: self._begin(orjson.loads(body)),
            ("POST", "journal/end"): lambda: self._end(orjson.loads(body)),
        }.get((method, path))
        part = PART.fullmatch(path)
        if part is not None:
            place = (int(part[1]), int(part[2]))
            reads, writes = self._part, self._stage
            does = (
                (lambda: reads(*place))
                if method == "GET"
                else (lambda: writes(*place, query, body))
            )
        try:
            found = (does or _no_path)()
        except Refused as refused:
            return refused.answer
        return 200, found if isinstance(found, bytes) else orjson.dumps(found)

    def _leader(self) -> Any:
        return self.lease or {"holder": None, "epoch": self.epoch}

    def _overview(self) -> Any:
        return {
            "head": self.head,
            "base": self.base,
            "snapshots": self.agreeing(),
            "rows": len(self.rows),
            "bytes": sum(len(row.body) + 1 for row in self.rows.values()),
        }

    def _page(self, query: Mapping[str, str]) -> bytes:
        after, limit = int(query["after"]), min(10_000, int(query["limit"]))
        if after < self.start["seq"]:
            base = self.start["seq"]
            raise Refused(409, "journal_compacted", asked=after, base=base)
        lines: list[bytes] = []
        size, told = 0, after
        for seq in sorted(self.rows):
            body = self.rows[seq].body
            if seq <= after or len(lines) == limit:
                continue
            size += len(body) + 1
            if lines and size > self.page_max:
                break
            lines.append(body + b"\n")
            told = seq
        last = {"end": self.head, "lease": self.lease, "last": told}
        return b"".join(lines) + orjson.dumps(last) + b"\n"

    # What it is told

    def _append(self, body: bytes) -> Any:
        first, *lines = body.split(b"\n")[:-1]
        wish = orjson.loads(first)
        expect = wish["expect"]
        rows = self._rows_in(lines, expect["seq"])
        self._expect_newest(wish["epoch"])
        if expect != self.head:
            if not self._has(rows):
                raise self._conflict(expect["seq"])
        elif self.is_full:
            raise Refused(507, "journal_full")
        else:
            self.rows |= rows
        return {"head": self.head, "lease": self.lease}

    def _rows_in(self, lines: list[bytes], after: int) -> dict[int, Line]:
        rows: dict[int, Line] = {}
        size = 0
        for place, line in enumerate(lines):
            found = ROW.fullmatch(line)
            if found is None or int(found[1]) != after + 1 + place:
                raise Refused(422, "invalid", f"line {place + 2}")
            size += len(line)
            if size > (self.append_max if place else self.row_max):
                raise Refused(413, "too_large")
            rows[after + 1 + place] = Line(found[2].decode(), line)
        return rows

    def _has(self, rows: dict[int, Line]) -> bool:
        """Say whether these are the last rows: the answer was lost."""
        last = max(rows, default=0)
        if (last, rows[last].digest if rows else "") != tuple(self.head.values()):
            return False
        there = [seq for seq in rows if seq in self.rows]
        return all(rows[seq].digest == self.rows[seq].digest for seq in there)

    def _stage(self, seq: int, part: int, query: Mapping[str, str], body: bytes) -> Any:
        if not body:
            raise Refused(422, "invalid", "body")
        if len(body) > self.part_max:
            raise Refused(413, "too_large")
        epoch = int(query["epoch"])
        self._expect_newest(epoch)
        for other in [key for key in self.staged if key[0] == seq and key[1] != epoch]:
            del self.staged[other]
        self.staged.setdefault((seq, epoch), {})[part] = body
        return {}

    def _keep(self, told: dict[str, Any]) -> Any:
        epoch = told.pop("epoch")
        self._expect_newest(epoch)
        seq = told["seq"]
        parts = self.staged.get((seq, epoch))
        there = self.fleets.get(seq) or (
            self.base if self.start["seq"] == seq else None
        )
        if parts is None and there == told:
            return {}
        parts = {} if parts is None else parts
        for surplus in [part for part in parts if part >= told["parts"]]:
            del parts[surplus]
        missing = [part for part in range(told["parts"]) if part not in parts]
        if missing:
            raise Refused(409, "parts_missing", missing=missing)
        if sum(map(len, parts.values())) != told["size"]:
            raise Refused(422, "invalid", "size")
        del self.staged[seq, epoch]
        self.fleets[seq], self.bodies[seq] = told, parts
        stay = {seq, *kept(one["seq"] for one in self.agreeing())}
        self.fleets = {at: one for at, one in self.fleets.items() if at in stay}
        return {}

    def _part(self, seq: int, part: int) -> bytes:
        is_base = self.base is not None and seq == self.base["seq"]
        body = dict(self.bodies[seq]) if seq in self.fleets else {}
        body |= self.base_body if is_base else {}
        if part not in body:
            raise Refused(404, "not_found", "no such part of a snapshot is kept")
        return body[part]

    def _begin(self, told: dict[str, Any]) -> Any:
        self._expect_newest(told["epoch"])
        seq, is_empty = told["seq"], self.head["seq"] == 0 < told["seq"]
        if not is_empty and (seq not in self.rows or seq == self.head["seq"]):
            raise self._conflict(seq)
        if seq not in self.fleets:
            raise Refused(404, "not_found", "no snapshot of that row is kept")
        if not is_empty and self.fleets[seq]["digest"] != self.rows[seq].digest:
            raise self._conflict(seq)
        self.base, self.base_body = self.fleets[seq], self.bodies[seq]
        self.rows = {at: row for at, row in self.rows.items() if at > seq}
        self.fleets = {at: one for at, one in self.fleets.items() if at > seq}
        return {}

    def _end(self, told: dict[str, Any]) -> Any:
        self._expect_newest(told["epoch"])
        seq, wanted = told["seq"], {"seq": told["seq"], "digest": told["digest"]}
        if self.head == wanted:
            return {"head": self.head}
        if self.head != told["expect"]:
            raise self._conflict(told["expect"]["seq"])
        start = {"seq": self.start["seq"], "digest": self.start["digest"]}
        row = self.rows.get(seq)
        if wanted != start and (row is None or row.digest != told["digest"]):
            raise self._conflict(seq)
        self.rows = {at: row for at, row in self.rows.items() if at <= seq}
        self.fleets = {at: one for at, one in self.fleets.items() if at <= seq}
        self.staged = {key: one for key, one in self.staged.items() if key[0] <= seq}
        return {"head": self.head}

    def _expect_newest(self, epoch: int) -> None:
        if epoch < self.epoch:
            raise Refused(409, "stale_operator", epoch=epoch, highest=self.epoch)
        self.epoch = epoch

    def _conflict(self, expected: int) -> Refused:
        found, digest = self.head.values()
        return Refused(
            409,
            "journal_conflict",
            expected_seq=expected,
            found_seq=found,
            digest=digest,
        )


def _no_path() -> Any:
    raise Refused(404, "not_found", "no such path")


class Fault(Enum):
    """What becomes of one request."""

    LOST = "it is done, and the answer is lost"
    CUT = "it never arrives"
    LIMITED = "it is asked to come back later"
    DENIED = "the token is not taken"
    GARBLED = "something else answers"
    NONE = "nothing happens to it"


@attrs.define
class FakeWire:
    """The way to an archive; pauses between tries are the adapter's own."""

    archive: FakeArchive = attrs.Factory(FakeArchive)
    faults: deque[Fault] = attrs.Factory(deque)
    is_closed: bool = False

    async def call(
        self,
        method: str,
        path: str,
        *,
        body: bytes = b"",
        kind: str = JSON,
        query: Mapping[str, str] = NOTHING_ASKED,
        wait_ms: int = 0,
    ) -> Result[bytes, Refusal]:
        fault = self.faults.popleft() if self.faults else Fault.NONE
        if self.is_closed:
            return Failure(Unreachable(cause="the client is closed"))
        match fault:
            case Fault.CUT:
                return Failure(Unreachable(cause="connection reset"))
            case Fault.LIMITED:
                return Failure(RateLimited(retry_after_ms=10))
            case Fault.DENIED:
                return Failure(Unauthorized(cause="HTTP 401"))
            case Fault.GARBLED:
                return Success(b"<html>")
            case Fault.LOST:
                _ = self.archive.answer(method, path, query, body)
                return Failure(TimedOut(after_ms=15_000))
            case Fault.NONE:
                return result_of(*self.archive.answer(method, path, query, body))

    async def close(self) -> None:
        self.is_closed = True


def result_of(status: int, data: bytes) -> Result[bytes, Refusal]:
    """Return what the client makes of an answer."""
    if status == 200:
        return Success(data)
    refusal: Refusal | None = refusal_of(data)
    return Failure(refusal or error_of(status, {}, orjson.loads(data)))
