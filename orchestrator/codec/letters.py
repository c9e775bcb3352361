"""What a receiver of notices reads: one JSON object a notice, the same at each attempt.

| key | |
|---|---|
| ``delivery`` | names the notice; whoever has it already may drop it |
| ``fleet``, ``container``, ``run`` | what it is about |
| ``service`` | of a rollout: the service; ``container`` and ``run`` are null then |
| ``kind`` | ``crash_looping``, ``failed``, ``recovered`` or ``rollout_finished`` |
| ``at``, ``time`` | when that came to be so: in milliseconds, and as ISO 8601 |
| ``rule``, ``why``, ``exit`` | which rule decided, that as a sentence, the last end |
| ``why`` | of a rollout: how it ended, and the reason |
| ``text`` | all of it as one sentence, which a chat can show |
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import orjson

from orchestrator.core.exits import exit_text
from orchestrator.core.explain import because
from orchestrator.core.notices import Notice, delivery_of
from orchestrator.core.notify import NoticeKind

__all__ = ("letter_of",)

_NEWS: Final = {
    NoticeKind.CRASH_LOOPING: "is crash-looping",
    NoticeKind.FAILED: "has failed",
    NoticeKind.RECOVERED: "is ready again",
}


def letter_of(fleet: str, notice: Notice) -> bytes:
    """Write a notice of a fleet.

    >>> heard = Notice(
    ...     number=7, kind=NoticeKind.RECOVERED, name="web", run=3, at=5, epoch=2
    ... )
    >>> print(letter_of("demo", heard).decode())
    {"delivery":"demo-2-7","fleet":"demo","container":"web","run":3,"service":null,\
"kind":"recovered","at":5,"time":"1970-01-01T00:00:00.005+00:00",\
"rule":null,"why":"","exit":null,"text":"demo: web is ready again"}

    """
    of_service = notice.kind is NoticeKind.ROLLOUT_FINISHED
    why = notice.why if notice.rule is None else because(notice.rule)
    ended = None if notice.exit is None else exit_text(notice.exit)
    moment = datetime.fromtimestamp(notice.at / 1_000, UTC)
    return orjson.dumps(
        {
            "delivery": delivery_of(fleet, notice),
            "fleet": fleet,
            "container": None if of_service else notice.name,
            "run": None if of_service else notice.run,
            "service": notice.name if of_service else None,
            "kind": notice.kind.value,
            "at": notice.at,
            "time": moment.isoformat(timespec="milliseconds"),
            "rule": None if notice.rule is None else notice.rule.value,
            "why": why,
            "exit": ended,
            "text": f"{fleet}: {_text(notice, why, ended)}",
        }
    )


def _text(notice: Notice, why: str, ended: str | None) -> str:
    """Say all of it as one sentence, but for the fleet."""
    if notice.kind is NoticeKind.ROLLOUT_FINISHED:
        return f"the rollout of {notice.name} is {why or 'over'}"
    news = f"{notice.name} {_NEWS[notice.kind]}"
    more = "; ".join(part for part in (why, ended) if part)
    return f"{news}: {more}" if more else news
