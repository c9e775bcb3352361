"""A journal in other words: what its rows become when they are shared.

Two passes: ``hear`` takes down every name, ``redacted_rows`` writes the rows with
others and chains them anew. What a row says it changed is renamed as it was recorded,
not worked out again: where the original diverges, the redacted one does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, get_type_hints

import attrs
import orjson
from returns.result import Failure, Result, Success

from orchestrator.codec.changes import read_changes
from orchestrator.codec.digests import EMPTY, digest_of
from orchestrator.codec.wire import (
    encode_commands,
    encode_event,
    encode_fleet,
    read_tree,
    tree_of,
)
from orchestrator.core.errors import JournalCorrupt
from orchestrator.core.state import Container
from orchestrator.journal.port import START, Draft, Head, Row, Snapshot, chained
from orchestrator.journal.reading import Reading, beginning, entry_of
from orchestrator.replay.history import Entry
from orchestrator.replay.redacted.pseudonyms import Kind, Words
from orchestrator.replay.redacted.redaction import redact

__all__ = ("hear", "redacted_base", "redacted_rows")

_HINTS: Final[dict[str, Any]] = get_type_hints(Container)
_FIELDS: Final = tuple(field.name for field in attrs.fields(Container))

UNREADABLE: Final = {"unreadable": True}
"""What stands for a part of a row that is no value of its field; it equals none."""


def hear(
    read: Reading,
    words: Words,
    passing: Callable[[Iterable[Draft]], Iterable[Draft]] = iter,
) -> None:
    """Tell *words* all texts of a journal, from its base to its last row.

    *passing* sees the rows go by, and gives them back: a progress bar.
    """
    base = read.source.base
    if base is not None:
        _ = redacted_base(read, base, words)
    for _ in passing(_drafts(read, words)):
        pass


def redacted_rows(
    read: Reading, words: Words, *, begin: Head = START, until: int
) -> Iterator[Row]:
    """Yield the rows up to number *until* in other words, chained behind *begin*."""
    head = begin
    if head.seq >= until:
        return
    for draft in _drafts(read, words):
        (row,) = chained(head, (draft,))
        yield row
        if row.seq >= until:
            return
        head = Head(seq=row.seq, digest=row.digest)


def redacted_base(
    read: Reading, base: Snapshot, words: Words
) -> Result[Snapshot, JournalCorrupt]:
    """Return the base of a journal in other words, under a digest of its own."""
    fleet = beginning(read)
    if isinstance(fleet, Failure):
        return fleet
    body = encode_fleet(redact(fleet.unwrap(), words))
    digest = digest_of([base.digest, body])
    return Success(attrs.evolve(base, digest=digest, body=body))


def _drafts(read: Reading, words: Words) -> Iterator[Draft]:
    """Yield rows in other words; one that makes no sense ends them, as a damage."""
    for row in read.rows():
        entry = entry_of(row)
        if not isinstance(entry, Entry):
            read.error = entry
            return
        yield Draft(
            at=row.at,
            event=encode_event(redact(entry.event, words)),
            commands=encode_commands(redact(entry.commands, words)),
            changes=_changes(row.changes, words),
        )


def _changes(data: bytes, words: Words) -> bytes:
    """Rename what an event changed; a digest of names is a digest of nothing then."""
    tree = read_changes(data)
    if tree is None:
        return EMPTY
    renamed = {
        words.text(Kind.NAME, name): _record(record, words)
        for name, record in tree.items()
    }
    return orjson.dumps(renamed)


def _record(record: Any, words: Words) -> Any:
    if record is None:
        return None
    if not isinstance(record, dict) or not set(record) <= set(_FIELDS):
        return UNREADABLE
    return {field: _field(field, value, words) for field, value in record.items()}


def _field(field: str, tree: Any, words: Words) -> Any:
    if tree is None or type(tree) in {int, bool}:
        return tree
    value = read_tree(tree, _HINTS[field])
    if isinstance(value, Failure):
        return UNREADABLE
    if field in ("name", "stops_after"):
        return words.text(Kind.NAME, value.unwrap())
    return tree_of(redact(value.unwrap(), words))
