"""The journal of an operator elsewhere, written to a file as it arrives.

It arrives packed, and each row is checked against the one before. Where the connection
breaks there is no file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Final

import click

from orchestrator.cli.client import Client
from orchestrator.cli.failing import Failed, failed
from orchestrator.cli.outputs import Output
from orchestrator.cli.readings import good, shown_while
from orchestrator.cli.transfers import CUT, not_empty, passed_on, redacted_before
from orchestrator.journal.port import Row
from orchestrator.journal.reading import Reading, open_reading
from orchestrator.replay.redacted.pseudonyms import Kept
from orchestrator.runtime.collecting import collecting_seldom

__all__ = ("export_far",)

_BROKEN: Final = "the connection broke off before the end; nothing was written"


def export_far(
    client: Client, out: Output, query: Mapping[str, str], keep: tuple[str, ...]
) -> None:
    """Write what an operator holds; *query* and *keep* say in which words."""
    asked = {**query, "gzip": "true", **({"keep": ",".join(keep)} if keep else {})}
    with client.arriving("export", **asked) as stream, _read_from(stream) as read:
        rows = not_empty(shown_while(read.rows(), read, "writing"), read)
        about = redacted_before(read)
        how = "" if about is None else " in other words"
        passed_on(rows if out.is_damaged_too else _whole(rows, read), read, out, how)
        if about is not None and Kept.PARAMS in about.kept:
            click.echo("parameters of custom policies are kept", err=True)
    if read.error is not None:
        raise failed(read.error)
    if read.cut_at_line is not None:
        raise Failed(f"the connection broke off behind row {read.head.seq}", CUT)


@contextmanager
def _read_from(stream: IO[bytes]) -> Iterator[Reading]:
    """Read what arrives as a journal."""
    read = good(open_reading(stream))
    try:
        with collecting_seldom():
            yield read
    finally:
        read.close()


def _whole(rows: Iterable[Row], read: Reading) -> Iterator[Row]:
    """Yield rows; fail behind the last one where they are not all."""
    yield from rows
    if read.error is not None:
        raise failed(read.error)
    if read.cut_at_line is not None:
        raise Failed(_BROKEN, CUT)
