r"""Logs of an operator: a line an event, for people or for programs.

Every line says of which fleet, container, run and row it speaks, where that is known:
the caller gives them as ``extra``. Whatever a name, a cause or a message holds, a line
stays a line: control characters are written as escapes (``\n``, ``\x1b``).

The lifecycle of containers is logged at level info, in the words of ``explain``.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final, Literal, TextIO, TypeAlias

import orjson

from orchestrator.codec.converter import tag_of
from orchestrator.core.exits import exit_text
from orchestrator.core.explain import next_start_at, why
from orchestrator.core.phases import Running, Starting, phase_name
from orchestrator.core.state import Container
from orchestrator.core.steps import Step

__all__ = (
    "FIELDS",
    "LogFormat",
    "LogLevel",
    "configure_logging",
    "plain",
    "tell_lifecycle",
)

LogFormat: TypeAlias = Literal["human", "json"]
LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]

FIELDS: Final = ("fleet", "container", "run", "seq")
"""What a line is about, as ``extra`` names it."""

MORE: Final = ("phase", "event", "exit", "rule", "next_start_at", "absence")
"""What lines about a container's lifecycle, or about an absence, say besides."""

LOG: Final = logging.getLogger("orchestrator.lifecycle")

TEXT_MAX: Final = 2_000
"""Characters of a message; a longer one is cut, and says so."""


def plain(text: str) -> str:
    r"""Write a text so that it can neither begin a line nor move a cursor.

    >>> plain("a\nlevel=error")
    'a\\nlevel=error'

    """
    if not text.isprintable():
        text = "".join(
            letter
            if letter.isprintable()
            else letter.encode("unicode_escape").decode("ascii")
            for letter in text
        )
    return text if len(text) <= TEXT_MAX else f"{text[:TEXT_MAX]}... (cut)"


def _said(record: logging.LogRecord) -> str:
    """Return the message; of an exception only its type: its text may hold a secret."""
    text = record.getMessage()
    if record.exc_info and record.exc_info[0] is not None:
        text = f"{text} ({record.exc_info[0].__name__})"
    return text


def _moment(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _Json(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": _moment(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": plain(_said(record)),
        }
        for field in (*FIELDS, *MORE):
            value = getattr(record, field, None)
            if value is not None:
                line[field] = plain(value) if isinstance(value, str) else value
        where = _where(record)
        if where:
            line["where"] = where
        return orjson.dumps(line, default=str).decode()


class _Human(logging.Formatter):
    """Moment, level, what it is about, what happened."""

    def format(self, record: logging.LogRecord) -> str:
        about = " ".join(
            f"{field}={plain(str(value))}"
            for field in FIELDS
            if (value := getattr(record, field, None)) is not None
        )
        words = [_moment(record), f"{record.levelname:<7}", about, plain(_said(record))]
        where = _where(record)
        if where:
            words.append(f"[{where}]")
        return " ".join(word for word in words if word)


def _where(record: logging.LogRecord) -> str:
    """Return where an exception was raised: file and line, without values."""
    trace = record.exc_info[2] if record.exc_info else None
    if trace is None:
        return ""
    while trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code
    return f"{code.co_filename}:{trace.tb_lineno} in {code.co_name}"


class _OfFleet(logging.Filter):
    """Adds of which fleet a line speaks, where it does not say so itself."""

    def __init__(self, fleet: str) -> None:
        super().__init__()
        self._fleet = fleet

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every line through."""
        if getattr(record, "fleet", None) is None:
            record.fleet = self._fleet
        return True


class _ToStandardError(logging.StreamHandler[TextIO]):
    """Writes to what standard error is now: a live table stands before it at times."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line there."""
        self.stream = sys.stderr
        super().emit(record)


def configure_logging(
    format: LogFormat = "human",  # noqa: A002 - as the option is called
    level: LogLevel = "warning",
    stream: TextIO | None = None,
    *,
    fleet: str | None = None,
) -> None:
    """Have what the operator logs written to *stream* (by default: standard error).

    *fleet* is named in every line that does not name one itself. Called again, it
    replaces what it did before. Other programs' handlers stay.
    """
    handler = _ToStandardError() if stream is None else logging.StreamHandler(stream)
    handler.setFormatter(_Json() if format == "json" else _Human())
    handler.set_name("orchestrator")
    if fleet is not None:
        handler.addFilter(_OfFleet(fleet))
    root = logging.getLogger()
    for present in tuple(root.handlers):
        if present.get_name() == handler.get_name():
            root.removeHandler(present)
    root.addHandler(handler)
    root.setLevel(level.upper())


def tell_lifecycle(seq: int, step: Step, names: Iterable[str]) -> None:
    """Log what row *seq* has changed of some containers, where anybody listens."""
    if not LOG.isEnabledFor(logging.INFO):
        return
    was, now = step.before.containers, step.after.containers
    for name in names:
        before, after = was.get(name), now.get(name)
        container = after or before
        if container is None:
            continue
        about: dict[str, Any] = {
            "fleet": step.after.name,
            "container": name,
            "run": container.run,
            "seq": seq,
            "event": tag_of(type(step.event)),
        }
        _tell(step, before, after, about)


def _tell(
    step: Step,
    before: Container | None,
    after: Container | None,
    about: dict[str, Any],
) -> None:
    if after is None:
        LOG.info("removed", extra=about)
        return
    last = after.last
    if last is not None and (before is None or before.last is not last):
        ended = {**about, "run": last.run, "exit": exit_text(last.exit)}
        LOG.info("ended: %s", exit_text(last.exit), extra=ended)
    if before is None or _stage(before) != _stage(after):
        about |= _where_it_is(after)
        LOG.info("%s", _words(after, step.event.at), extra=about)


def _stage(container: Container) -> tuple[type, int, bool]:
    """Return what makes a line: another phase, another run, ready or not."""
    phase = container.phase
    ready = isinstance(phase, Running) and phase.ready_at is not None
    run = container.run if isinstance(phase, Running | Starting) else 0
    return type(phase), run, ready


def _where_it_is(container: Container) -> dict[str, Any]:
    found: dict[str, Any] = {"phase": phase_name(container.phase)}
    rule = getattr(container.phase, "rule", None)
    if rule is not None:
        found["rule"] = rule.value
    start = next_start_at(container)
    if start is not None:
        found["next_start_at"] = start
    return found


def _words(container: Container, at: int) -> str:
    phase = container.phase
    if isinstance(phase, Running):
        return "started" if phase.ready_at is None else "ready"
    return f"{phase_name(phase).replace('_', ' ')}: {why(container, at)}"
