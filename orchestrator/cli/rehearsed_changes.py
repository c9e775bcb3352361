"""What is done to a fleet while it is simulated, as its owner writes it: ``--at``.

A change is a moment and a command in the words of this program: ``5m apply new.toml``,
``8m scale web 6``, ``9m rollout promote web``, ``9m load web 120``. What is applied
may have a character of its own: ``5m apply bad.toml as dead``.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from returns.result import Failure

from orchestrator.cli.failing import Failed
from orchestrator.cli.tools import read_file
from orchestrator.core.lineages import RolloutAction
from orchestrator.core.loads import LoadObserved
from orchestrator.core.moments import Millis, parse_duration
from orchestrator.core.requests import Apply, Roll, Scale
from orchestrator.simulation.changes import Change, Wanted
from orchestrator.simulation.characters import Character

__all__ = ("FORMS", "changes_of")

FORMS: Final = (
    "apply FILE [as CHARACTER]",
    "scale SERVICE N",
    f"rollout {'|'.join(RolloutAction)} SERVICE",
    "rollout undo SERVICE --to REVISION",
    "load SERVICE NUMBER",
)
"""What may stand behind the moment."""

_WHOLE: Final = re.compile(r"[0-9]{1,9}")
_LOAD: Final = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,3}))?")


def changes_of(written: Iterable[str], span_ms: Millis) -> tuple[Change, ...]:
    """Read changes; one that is none, or beyond the span, is a mistake of usage."""
    return tuple(_change(each, span_ms) for each in written)


def _change(written: str, span_ms: Millis) -> Change:
    try:
        moment, *words = shlex.split(written)
    except ValueError:
        raise _mistake(written, f"a duration, then {_forms()}") from None
    read = parse_duration(moment)
    if isinstance(read, Failure):
        raise _mistake(written, f"first a duration such as 5m, then {_forms()}")
    at = read.unwrap()
    if not 0 <= at < span_ms:
        raise _mistake(written, "a moment before the end (--for)")
    said, character = " ".join(words), None
    match words:
        case ["apply", _, "as", kind] if kind in tuple(Character):
            character = Character(kind)
            words = words[:2]
        case ["apply", _, "as", _]:
            raise _mistake(written, f"one of: {', '.join(Character)}")
        case _:
            pass
    wanted = _wanted(words, written)
    return Change(at=at, wanted=wanted, words=said, character=character)


def _wanted(words: list[str], written: str) -> Wanted:
    match words:
        case ["apply", file]:
            return Apply(spec=read_file(Path(file)).spec, by="fleet file")
        case ["scale", service, number] if _WHOLE.fullmatch(number):
            return Scale(service=service, replicas=int(number))
        case ["rollout", action, service] if action in tuple(RolloutAction):
            return Roll(service=service, action=RolloutAction(action))
        case ["rollout", "undo", service, "--to", to] if _WHOLE.fullmatch(to):
            return Roll(service=service, action=RolloutAction.UNDO, to=int(to))
        case ["load", service, number]:
            load = _thousandths(number, written)
            return LoadObserved(at=0, service=service, load_milli=load)
        case _:
            raise _mistake(written, _forms())


def _thousandths(number: str, written: str) -> int:
    read = _LOAD.fullmatch(number)
    if read is None:
        raise _mistake(written, "a number such as 120 or 0.5, as in: load web 120")
    return int(read[1]) * 1_000 + int((read[2] or "").ljust(3, "0"))


def _forms() -> str:
    return "one of: " + "; ".join(FORMS)


def _mistake(written: str, expected: str) -> Failed:
    return Failed(f"--at {written!r}: expected {expected}", 2)
