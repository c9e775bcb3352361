"""A journal folded again: the states it went through, and whether it still would.

``fold`` to any place, ``states`` one after the other, ``verify`` that today's code
decides the same. Pure, over any iterable of entries: what reads a disk is the journal.
"""

from orchestrator.replay.history import Entry, fold, states
from orchestrator.replay.places import AfterRow, AtMoment, Place
from orchestrator.replay.verifying import Recording, Verdict, verify

__all__ = (
    "AfterRow",
    "AtMoment",
    "Entry",
    "Place",
    "Recording",
    "Verdict",
    "fold",
    "states",
    "verify",
)
