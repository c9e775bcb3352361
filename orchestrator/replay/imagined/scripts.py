"""As which recorded run the n-th run of a container goes, when it is played.

How a run goes belongs to what ran: of the runs that are started with the same (one
fingerprint), the n-th goes as the n-th. Where the record has none of these, the n-th of
all goes as the n-th of all. Beyond the recorded ones the last is repeated that was not
cut short: it ends again as it ended, if it ended by itself; else it lives until it is
ended. A run that was cut short before it was ready goes on as the nearest one of the
same did that was not: it gets ready as that did, or fails before, or is never ready.
"""

from __future__ import annotations

from typing import Final

import attrs

from orchestrator.core.events import (
    ContainerObserved,
    ContainerReady,
    ContainerStarted,
    HealthChanged,
)
from orchestrator.core.moments import Millis
from orchestrator.replay.imagined.assumptions import Notes, Supposed
from orchestrator.replay.imagined.causes import Causes
from orchestrator.replay.imagined.lives import Answer, Ending, Fact, Life, News
from orchestrator.replay.imagined.turns import Turn

__all__ = ("life_of", "ran_only_others", "started_with")

NEVER_TOLD: Final = 2**62
"""Number of the row of news that no row told: behind all rows."""


def ran_only_others(causes: Causes, turn: Turn) -> bool:
    """Say whether the record has runs of a container, but none of what it runs here."""
    ran = (turn.name, turn.mark) in causes.alike
    return not ran and turn.name in causes.lives


def life_of(causes: Causes, turn: Turn, notes: Notes) -> Life:
    """Return as which recorded run a run goes; note what is supposed."""
    name = turn.name
    everyone = causes.lives.get(name) or ()
    alike = causes.alike.get((name, turn.mark))
    lives, number = (
        (alike, turn.of_mark) if alike is not None else (everyone, turn.of_all)
    )
    if 0 < number <= len(lives):
        life = lives[number - 1]
        _note(life, notes)
    elif lives:
        life = next((one for one in reversed(lives) if not one.cut_short), lives[-1])
        by_itself = life.ending is Ending.BY_ITSELF
        notes.take(
            Supposed.REPEATED if by_itself else Supposed.REPEATED_ALIVE,
            name,
            recorded=len(lives),
            run=life.run,
            is_of_spec=len(lives) < len(everyone),
        )
    else:
        notes.take(Supposed.NEVER_RECORDED, name)
        return _never_recorded(causes, name)
    if life.cut_short:
        life = _completed(life, causes, notes)
    return started_with(life, turn.mark)


def started_with(life: Life, mark: str) -> Life:
    """Return a run as one that was started with something else, and so is found."""
    if life.mark == mark:
        return life
    return attrs.evolve(
        life,
        mark=mark,
        facts=tuple(_found(fact, life.mark, mark) for fact in life.facts),
    )


def _found(fact: Fact, was: str, mark: str) -> Fact:
    event = fact.event
    if not isinstance(event, ContainerObserved) or event.fingerprint != was:
        return fact
    return attrs.evolve(fact, event=attrs.evolve(event, fingerprint=mark))


_SUPPOSED: Final = {Ending.BY_US: Supposed.OUR_END, Ending.ALIVE: Supposed.ALIVE}
"""What is supposed of a run with another end than its own."""


def _note(life: Life, notes: Notes) -> None:
    kind = _SUPPOSED.get(life.ending)
    if kind is not None:
        notes.take(kind, life.name)


def _never_recorded(causes: Causes, name: str) -> Life:
    """Return a run that begins as fast as is typical, and lives on."""
    typical = causes.typical
    started = ContainerStarted(at=0, name=name, run=0)
    ready = ContainerReady(at=0, name=name, run=0)
    ready_at = typical.started + typical.ready
    facts = (
        Fact(seq=NEVER_TOLD, at=typical.started, event=started),
        Fact(seq=NEVER_TOLD, at=ready_at, event=ready),
    )
    accepted = Answer(given=0, given_at=0, seq=NEVER_TOLD, at=typical.answer)
    return Life(
        name=name,
        run=0,
        begun_at=0,
        starts=(accepted,),
        facts=facts,
        until_ready=len(facts),
    )


def _completed(life: Life, causes: Causes, notes: Notes) -> Life:
    """Have a run that was cut short go on as the one before it that was not."""
    lives = causes.alike[life.name, life.mark]
    earlier = [other for other in reversed(lives) if other.run < life.run]
    later = [other for other in lives if other.run > life.run]
    whole = (one for one in (*earlier, *later) if not one.cut_short)
    donor = next(whole, None)
    if donor is None:
        is_of_spec = len(lives) < len(causes.lives[life.name])
        notes.take(Supposed.CUT_SHORT_ALWAYS, life.name, is_of_spec=is_of_spec)
        donor = _never_recorded(causes, life.name)
    else:
        notes.take(Supposed.CUT_SHORT, life.name, run=donor.run)
    begun, theirs = life.begun_at or 0, donor.begun_at or 0
    known = {_kind(fact.event) for fact in life.facts}
    after: Millis = life.known_until - begun
    missing = tuple(
        Fact(
            seq=NEVER_TOLD,
            at=begun + max(after, fact.at - theirs),
            event=fact.event,
        )
        for fact in donor.facts[: donor.until_ready or None]
        if _kind(fact.event) not in known
    )
    return attrs.evolve(life, facts=(*life.facts, *missing))


def _kind(event: News) -> tuple[type, str]:
    """Return of which kind news are; those of two health checks are of two."""
    check = str(event.check) if isinstance(event, HealthChanged) else ""
    return type(event), check
