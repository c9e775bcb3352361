"""Why a goal is missed: what the profile says, told on the page where it is missed.

A goal says so itself (``Goal.why``), at the time of the recording; what was found out
later, or holds for one machine, stands here, and goes before. After a change here,
``python -m tests.benchmarks page`` writes the page anew, and measures nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ("REASONS", "why")

SMALL: Final = (
    "A fleet of 100 fits the processor's caches, where a loop over dicts gains most: it"
    " takes a third of the steps of the interpreter that the fold takes, and each is"
    " quicker there."
)

CACHES: Final = (
    "An event takes 625 steps of the interpreter in the fold and 208 in the loop: a"
    " third. What is reached beyond that is a matter of caches, and within the spread"
    " of the rounds: it was 0.43 at 10 000 on another processor (AMD EPYC)."
)

PEERS: Final = (
    "Ours decides by more than the table that the peers are given (checks, groups, exit"
    " rules, dependencies, rollouts, custom policies): of the steps of an event a"
    " quarter are rules. The others keep the indexes (a sixth), fill frozen records (a"
    " fifth) and give back a new fleet (three tenths, tables included), where theirs"
    " changes one record in place."
)

REASONS: Final[Mapping[str, str]] = {
    "reduce: fold at 100 / mutable loop at 100": SMALL,
    "reduce: reduce at 100 / mutable loop at 100": SMALL,
    "reduce: fold at 10000 / mutable loop at 10000": CACHES,
    "reduce: fold at 100000 / mutable loop at 100000": CACHES,
    "replay: reduce / mutable loop": (
        "Each step gives back a fleet of its own. Of 860 steps of the interpreter for"
        " an event (208 in the loop) a quarter are the rules, a fifth fill new records,"
        " a sixth each are tables and keeping the indexes, a seventh opens and closes"
        " the fleet, an eighth finds out who moves what."
    ),
    "replay: encode events / orjson.dumps of events": (
        "A tree of plain values is built for each event, by one function for its class,"
        " for orjson to write: two calls and a dict, beside the one call that `dumps`"
        " is. Between runs the figure went from 0.26 to 0.37."
    ),
    "replay: replay JSON Lines / loads and mutable loop": (
        "The loop by hand neither computes the chain of digests nor checks a line. Of"
        " 960 steps of the interpreter for a row, two thirds are the fold, in which a"
        " quarter fill new records; a ninth reads the event, a seventh are digests and"
        " the cutting of lines."
    ),
    "journal: append 64 at once, FULL / append 1 at once, FULL": (
        "A disk whose sync is quick leaves less to save: with bare SQLite, 64 at once"
        " are 24 times as fast here."
    ),
    "peers: reduce / reference, no save": PEERS,
    "peers: reduce / transitions": PEERS,
    "peers: reduce / python-statemachine": PEERS,
    "peers: replay / eventsourcing replay": (
        "Ours checks every line, computes the chain of digests and reads the commands,"
        " a third of its steps of the interpreter; then it decides by more than the"
        " table that the peer is given, and makes each record anew."
    ),
    "timers: set / call_at": (
        "A timer is kept by its name, so that it can be overtaken. To store 25 000 new"
        " names in a dict of 100 000 is two thirds of it, and what it costs is the"
        " caches' matter: 6.6 was reached on another processor (AMD EPYC), where that"
        " alone was seven to eight times as fast as `call_at`."
    ),
    "fleet: all memory, largest fleet / 1 GB": (
        "By a twentieth, and only while an operator comes back: the bytes of the"
        " snapshot, the tree that is read out of them and the fleet are there at once."
        " At work it takes 0.5 GB."
    ),
}
"""By ``area: case / limit``."""


def why(area: str, goal: Mapping[str, Any]) -> str:
    """Return what explains that a goal is missed, "" if nobody has said it.

    >>> why("replay", {"case": "fold", "limit": "loop", "why": "It is Python."})
    'It is Python.'

    """
    key = f"{area}: {goal['case']} / {goal['limit']}"
    return REASONS.get(key) or str(goal["why"])
