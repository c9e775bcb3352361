"""How long things took in a history: medians, for what was never recorded."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import attrs

from orchestrator.core.moments import Millis
from orchestrator.replay.imagined.lives import Life

__all__ = ("Typical", "median", "sample", "typical_of")

SAMPLES_MAX: Final = 1_000
"""Durations that are kept of each kind: the first ones."""


@attrs.frozen(kw_only=True)
class Typical:
    """How long things took, the median of the record, in milliseconds.

    ``look``: a look at the platform; ``answer``: to a command; ``started``: from the
    command to a process; ``ready``: from there to the first time it was ready;
    ``stop``: from our stop to the end.
    """

    look: Millis = 0
    answer: Millis = 0
    started: Millis = 0
    ready: Millis = 0
    stop: Millis = 0


def median(durations: Iterable[Millis]) -> Millis:
    """Return the one in the middle, the lower of two; 0 of none.

    >>> median([5, 1, 9, 7])
    5

    """
    ordered = sorted(durations)
    return ordered[(len(ordered) - 1) // 2] if ordered else 0


def typical_of(lives: Iterable[Life], looks: Iterable[Millis]) -> Typical:
    """Return what is typical of the runs and the looks of a record."""
    answers: list[Millis] = []
    started: list[Millis] = []
    ready: list[Millis] = []
    stops: list[Millis] = []
    for life in lives:
        for answer in (*life.starts, *life.stops):
            if answer.after_ms is not None and answer.error is None:
                sample(answers, answer.after_ms)
        if life.facts and life.begun_at is not None and life.until_ready:
            begun, first = life.begun_at, life.facts[0].at
            sample(started, first - begun)
            sample(ready, life.facts[life.until_ready - 1].at - first)
        if life.stop_ms is not None:
            sample(stops, life.stop_ms)
    return Typical(
        look=median(looks),
        answer=median(answers),
        started=median(started),
        ready=median(ready),
        stop=median(stops),
    )


def sample(durations: list[Millis], duration: Millis) -> None:
    """Keep one more duration, if it is not one too many."""
    if len(durations) < SAMPLES_MAX:
        durations.append(duration)
