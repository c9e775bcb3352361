"""A journal folded again: the states it went through, and whether it still would.

``fold`` to any place, ``states`` one after the other, ``verify`` that today's code
decides the same, ``timeline`` of what happened, ``bisect`` for the first row after
which a condition holds, ``what_if`` for what would have come of another policy. Pure,
over any iterable of entries: what reads a disk is ``journal.reading``.
"""

from orchestrator.replay.bisection import Found, HeldBefore, Never, bisect
from orchestrator.replay.conditions.conditions import Condition, holds
from orchestrator.replay.conditions.parsing import parse_condition
from orchestrator.replay.history import Entry, fold, states
from orchestrator.replay.imagined.hypotheses import Hypothesis
from orchestrator.replay.imagined.imagining import WhatIf, what_if
from orchestrator.replay.places import AfterRow, AtMoment, Place
from orchestrator.replay.timelines.stretches import Timeline
from orchestrator.replay.timelines.telling import happenings, timeline
from orchestrator.replay.verifying import Recording, Verdict, verify

__all__ = (
    "AfterRow",
    "AtMoment",
    "Condition",
    "Entry",
    "Found",
    "HeldBefore",
    "Hypothesis",
    "Never",
    "Place",
    "Recording",
    "Timeline",
    "Verdict",
    "WhatIf",
    "bisect",
    "fold",
    "happenings",
    "holds",
    "parse_condition",
    "states",
    "timeline",
    "verify",
    "what_if",
)
