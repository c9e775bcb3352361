"""The handler that streams a journal: the same bytes as ``journal export`` writes.

What is told ends at the row that was the newest when it was asked for; the operator
goes on meanwhile. Nothing waits for whoever takes it slowly, but for a compaction of
the journal, and that not for long; only pages are held.
An export that breaks off has no last line, and its connection no proper end.

Rows hold what answers hide: a value that looks secret, the address of a receiver of
notices. Whoever may only read gets them where there is nothing of the kind, and in
other words at any time.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from collections.abc import AsyncIterator, Callable
from typing import Final, TypeAlias, TypeVar

from aiohttp import web
from returns.result import Failure

from orchestrator.api.bodies import refusal
from orchestrator.api.export_lines import (
    InOtherWords,
    Lines,
    Stretch,
    pages,
    reading_of,
    stretch_of,
)
from orchestrator.api.grants import GRANT
from orchestrator.api.headers import SEQ_HEADER
from orchestrator.api.leaving import LEAVING, Broken
from orchestrator.api.queries import Asked
from orchestrator.codec.problems import invalid
from orchestrator.core.access_errors import NotAllowed, TooManyRequests
from orchestrator.core.errors import (
    ContainerError,
    JournalCorrupt,
    JournalError,
    OperatorClosed,
)
from orchestrator.core.fingerprints import fingerprint
from orchestrator.core.moments import Millis
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import Fleet
from orchestrator.journal.provenance import Redacted
from orchestrator.journal.reading import Reading, beginning, entry_of
from orchestrator.journal.redacted import hear
from orchestrator.replay.redacted.pseudonyms import Kept, Kind, Pseudonyms, Vocabulary
from orchestrator.runtime.masks import masked_settings, masked_spec
from orchestrator.runtime.operator import Operator
from orchestrator.runtime.shown import shown_event

__all__ = ("Exports",)

LOG: Final = logging.getLogger("orchestrator.api")

AT_ONCE: Final = 4
"""Exports of one operator; further ones are refused."""

COME_AGAIN_MS: Final[Millis] = 5_000

PIECE: Final = 65_536
"""Bytes that are given to a connection at once."""

STALLED_S: Final = 60.0
"""A reader that has taken nothing for so long has its connection ended."""

WORDS_MAX: Final = 200_000
"""Names and specs that are remembered, so that each becomes the same everywhere."""

KEY_BYTES: Final = 32

_NOT_AT_ALL: Final = re.compile(r"q=0(?:\.0*)?")
"""The weight of a coding that is not wanted."""

T = TypeVar("T")

_Refused: TypeAlias = ContainerError | NotAllowed
_Look: TypeAlias = Callable[[Reading], _Refused | None]

_HIDDEN: Final = NotAllowed(
    cause="rows of this journal hold what answers hide, and this token may only read:"
    " ask for them in other words (redact=true), or with a token that may write"
)
_TOO_MANY: Final = invalid(
    "query.redact",
    f"a journal of at most {WORDS_MAX} names and specs",
    "more of them",
    "orchestrator journal export --redact reads it where it lies",
)
_NOT_REDACTED: Final = invalid("query.keep", "redact=true beside it", "none")


class _Never(Exception):
    """There is nothing to tell, or no more of it; carries why."""

    def __init__(self, why: _Refused) -> None:
        super().__init__(why)
        self.why = why


class Exports:
    """Streams the journal of one operator."""

    def __init__(self, operator: Operator) -> None:
        """Export what *operator* writes."""
        self._operator = operator
        self._count = 0

    async def export(self, request: web.Request, query: Asked) -> web.StreamResponse:
        """Answer with all rows up to the newest, or why they are not told."""
        if self._count >= AT_ONCE:
            return refusal(TooManyRequests(retry_after_ms=COME_AGAIN_MS))
        self._count += 1
        try:
            with self._operator.feed.travel.holds:
                return await self._exported(request, query)
        finally:
            self._count -= 1

    async def _exported(self, request: web.Request, query: Asked) -> web.StreamResponse:
        leaving = request.app[LEAVING]
        is_encoded = not query["gzip"] and _takes_gzip(request)
        try:
            stretch, other = await leaving.waited(self._begun(query))
        except Broken:
            return refusal(OperatorClosed())
        except _Never as never:
            return refusal(never.why)
        lines = Lines(stretch, other, is_packed=query["gzip"] or is_encoded)
        parts = self._parts(stretch, lines)
        response = self._response(stretch, query, is_encoded=is_encoded)
        try:
            await leaving.waited(_sent(request, response, parts))
        except (_Never, Broken, TimeoutError) as end:
            if isinstance(end, _Never):
                if not response.prepared:
                    return refusal(end.why)
                LOG.warning("an export broke off: %s", end.why.message)
            if request.transport is not None:
                request.transport.abort()
        except ConnectionResetError:
            pass  # the reader has gone
        return response

    def _response(
        self, stretch: Stretch, query: Asked, *, is_encoded: bool
    ) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_type = "application/x-ndjson"
        ending = "jsonl"
        if query["gzip"]:
            response.content_type = "application/gzip"
            ending = "jsonl.gz"
        elif is_encoded:
            response.headers["Content-Encoding"] = "gzip"
        name = self._operator.fleet.name if not query["redact"] else "journal"
        file = f'attachment; filename="{name}-{stretch.head.seq}.{ending}"'
        response.headers["Content-Disposition"] = file
        response.headers["Vary"] = "Accept-Encoding"
        response.headers[SEQ_HEADER] = str(stretch.head.seq)
        return response

    async def _begun(self, query: Asked) -> tuple[Stretch, InOtherWords | None]:
        """Return what is to be told, and in which words; ``_Never`` says why not."""
        kept = {Kept(word) for word in query["keep"]}
        if kept and not query["redact"]:
            raise _Never(_NOT_REDACTED)
        stretch = await stretch_of(self._operator.feed.journal)
        if isinstance(stretch, JournalError):
            raise _Never(stretch)
        shows_values = not query["redact"] or Kept.CONFIG in kept
        if shows_values and GRANT.get() != "write":
            await self._looked_through(stretch, _hidden_in)
        if not query["redact"]:
            return stretch, None
        heard = _Heard()
        await self._looked_through(stretch, heard.take)
        if heard.words[Kind.PARAM_KEY]:
            kept.add(Kept.PARAMS)  # custom policies decide by them
        words = Pseudonyms.of(heard, key=secrets.token_bytes(KEY_BYTES), kept=kept)
        of = stretch.head.digest.hex()
        about = Redacted(of=of, kept=tuple(sorted(map(str, kept))))
        return stretch, InOtherWords(words=words, about=about)

    async def _looked_through(self, stretch: Stretch, look: _Look) -> None:
        """Have *look* see the base, then all rows, a page at a time in a thread."""
        await _seen(look, reading_of(base=stretch.base))
        async for rows in pages(self._operator.feed.journal, stretch):
            await _seen(look, reading_of(_good(rows)))

    async def _parts(self, stretch: Stretch, lines: Lines) -> AsyncIterator[bytes]:
        """Yield the bytes of an export; ``_Never`` says why they end early.

        What stands before the rows goes with the first ones: a journal that cannot be
        read has a status then.
        """
        before = _good(await asyncio.to_thread(lines.beginning))
        async for rows in pages(self._operator.feed.journal, stretch):
            yield before + _good(await asyncio.to_thread(lines.page, _good(rows)))
            before = b""
        yield before + await asyncio.to_thread(lines.end)


def _good(found: T | JournalError) -> T:
    if isinstance(found, JournalError):
        raise _Never(found)
    return found


async def _seen(look: _Look, read: Reading) -> None:
    why = await asyncio.to_thread(look, read)
    if why is not None:
        raise _Never(why)


async def _sent(
    request: web.Request, response: web.StreamResponse, parts: AsyncIterator[bytes]
) -> None:
    """Send what there is; each piece of it must be taken in time."""
    async for part in parts:
        if not response.prepared:  # what is wrong with the first part has a status yet
            _ = await response.prepare(request)
        for start in range(0, len(part), PIECE):
            async with asyncio.timeout(STALLED_S):
                await response.write(part[start : start + PIECE])
    await response.write_eof()


def _takes_gzip(request: web.Request) -> bool:
    """Say whether who asks unpacks what was packed on the way."""
    for coding in request.headers.get("Accept-Encoding", "").lower().split(","):
        name, _, weight = coding.partition(";")
        if name.strip() == "gzip":
            return _NOT_AT_ALL.fullmatch(weight.strip()) is None
    return False


def _hidden_in(read: Reading) -> _Refused | None:
    """Refuse rows, or a base, that hold what answers would not show."""
    if read.source.base is not None:
        fleet = beginning(read)
        if isinstance(fleet, Failure):
            damage: JournalCorrupt = fleet.failure()
            return damage
        if _hides(fleet.unwrap()):
            return _HIDDEN
    for row in read.rows():
        entry = entry_of(row)
        if isinstance(entry, JournalCorrupt):
            return entry
        if shown_event(entry.event) != entry.event:
            return _HIDDEN
    return None


def _hides(fleet: Fleet) -> bool:
    if masked_settings(fleet.settings) != fleet.settings:
        return True
    specs = (container.spec for container in fleet.containers.values())
    templates = (service.template for service in fleet.services.values())
    return any(masked_spec(spec) != spec for spec in (*specs, *templates))


class _Heard(Vocabulary):
    """The words of a journal, as many as may be remembered."""

    def __init__(self) -> None:
        super().__init__()
        self._specs: set[str] = set()

    def learn(self, spec: ContainerSpec, redacted: ContainerSpec) -> None:
        del redacted
        self._specs.add(fingerprint(spec))

    def take(self, read: Reading) -> _Refused | None:
        """Hear rows, or a base; refuse where they are too many words."""
        hear(read, self)
        if read.error is not None:
            return read.error
        count = len(self._specs) + sum(map(len, self.words.values()))
        return _TOO_MANY if count > WORDS_MAX else None
