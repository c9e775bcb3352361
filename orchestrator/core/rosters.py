"""Where the replicas of a service are in its rollout: an index, kept true.

Where one of them stands follows from its record (``core.standings``), but for those of
one index: the newer one stands for it, and the other is *kept* beside it. A change of
one container costs O(log n); only ``scan`` looks at all of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Final, TypeAlias

from orchestrator.core.evolving import evolve
from orchestrator.core.lineages import Moved, Roster
from orchestrator.core.moments import Moment
from orchestrator.core.phases import live_run
from orchestrator.core.standings import (
    UNMOVED,
    Gauge,
    Spot,
    is_member,
    is_up,
    ready_since,
    spot_of,
)
from orchestrator.core.state import Container
from orchestrator.core.table import Table

__all__ = ("found_in", "names_in", "paired", "rearmed", "ripened", "scan", "updated")

_Key: TypeAlias = tuple[int, str]
_BY_NAME: Final = (Spot.COUNTED, Spot.MOVED, Spot.GOING)
"""Tables by the name alone; the others are in the order of indexes."""

_SPOTS: Final = tuple(spot for spot in Spot if spot is not Spot.NOWHERE)


def found_in(roster: Roster, key: _Key, guess: Spot = Spot.NOWHERE) -> Spot:
    """Return the table that a replica is in; a *guess* that is right costs less."""
    name = key[1]
    if guess is not Spot.NOWHERE:
        table = getattr(roster, guess)
        if (name if guess in _BY_NAME else key) in table:
            return guess
    for spot in _SPOTS:
        if (name if spot in _BY_NAME else key) in getattr(roster, spot):
            return spot
    return Spot.NOWHERE


def updated(
    roster: Roster, gauge: Gauge, before: Container | None, after: Container | None
) -> Roster:
    """Return an index in which a container is what it has become."""
    if after is None or not is_member(after, gauge.service):
        if before is None or not is_member(before, gauge.service):
            return roster
        key = before.spec.replica, before.name
        return _struck(roster, key, found_in(roster, key))
    key = after.spec.replica, after.name
    guess = Spot.NOWHERE if before is None else spot_of(before, gauge)
    found, spot = found_in(roster, key, guess), spot_of(after, gauge)
    if found is Spot.KEPT and spot in UNMOVED:
        return _up(roster, after)
    if found is spot:
        return _stays(roster, spot, after)
    return _entered(_struck(roster, key, found), spot, after, gauge.at)


def _stays(roster: Roster, spot: Spot, after: Container) -> Roster:
    """Return an index in which a replica stays where it is, and may have changed."""
    if spot is Spot.MOVED:
        known = roster.moved[after.name]
        ready_at = ready_since(after)
        return roster if known.ready_at == ready_at else _with_ready(roster, after)
    return _lives(roster, after) if spot in UNMOVED else roster


def _with_ready(roster: Roster, after: Container) -> Roster:
    name = after.name
    known = roster.moved[name]
    fresh = Moved(armed_at=known.armed_at, ready_at=ready_since(after))
    return evolve(
        roster,
        moved=roster.moved.put(name, fresh),
        ripening=_ripens(_forgotten(roster, name, known).ripening, name, fresh),
    )


def _forgotten(roster: Roster, name: str, known: Moved) -> Roster:
    if known.ready_at is None:
        return roster
    return evolve(roster, ripening=roster.ripening.drop((known.ready_at, name)))


def _struck(roster: Roster, key: _Key, spot: Spot) -> Roster:
    """Return an index without a replica; who was kept beside it is spent no more."""
    index, name = key
    match spot:
        case Spot.NOWHERE:
            return roster
        case Spot.GOING:
            return evolve(roster, going=roster.going.drop(name))
        case Spot.COUNTED:
            bare = evolve(roster, counted=roster.counted.drop(name))
        case Spot.MOVED:
            known = roster.moved[name]
            bare = evolve(
                _forgotten(roster, name, known),
                moved=roster.moved.drop(name),
                due=roster.due.drop((known.armed_at, name)),
            )
        case Spot.KEPT:
            return evolve(
                roster,
                kept=roster.kept.drop(key),
                kept_up=roster.kept_up.drop(name),
                twins=_without(roster, index, name),
                spent=roster.spent.drop(key),
                surplus=roster.surplus.drop(key),
            )
        case _:
            table = getattr(roster, spot).drop(key)
            bare = evolve(roster, **{spot: table}, living=roster.living.drop(name))
    twin = bare.twins.get(str(index))
    if twin is None:
        return bare
    return evolve(bare, spent=bare.spent.drop((index, twin)))


def _without(roster: Roster, index: int, name: str) -> Table[str, str]:
    known = roster.twins.get(str(index))
    return roster.twins.drop(str(index)) if known == name else roster.twins


def _entered(roster: Roster, spot: Spot, after: Container, at: Moment) -> Roster:
    """Return an index with a replica that was nowhere in it."""
    index, name = key = after.spec.replica, after.name
    match spot:
        case Spot.GOING:
            return evolve(roster, going=roster.going.put(name, None))
        case Spot.COUNTED:
            twin = roster.twins.get(str(index))
            counted = evolve(roster, counted=roster.counted.put(name, None))
            if twin is None:
                return counted
            return evolve(counted, spent=counted.spent.put((index, twin), None))
        case Spot.MOVED:
            fresh = Moved(armed_at=at, ready_at=ready_since(after))
            return evolve(
                roster,
                moved=roster.moved.put(name, fresh),
                due=roster.due.put((at, name), None),
                ripening=_ripens(roster.ripening, name, fresh),
            )
        case _:
            table = getattr(roster, spot).put(key, None)
            return _lives(evolve(roster, **{spot: table}), after)


def _ripens(
    ripening: Table[tuple[Moment, str], None], name: str, fresh: Moved
) -> Table[tuple[Moment, str], None]:
    if fresh.ready_at is None:
        return ripening
    return ripening.put((fresh.ready_at, name), None)


def _lives(roster: Roster, after: Container) -> Roster:
    name, lives = after.name, live_run(after.phase) is not None
    if (name in roster.living) is lives:
        return roster
    living = roster.living.put(name, None) if lives else roster.living.drop(name)
    return evolve(roster, living=living)


def _up(roster: Roster, kept: Container) -> Roster:
    name, up = kept.name, is_up(kept)
    if (name in roster.kept_up) is up:
        return roster
    table = roster.kept_up.put(name, None) if up else roster.kept_up.drop(name)
    return evolve(roster, kept_up=table)


def paired(roster: Roster, old: Container) -> Roster:
    """Return an index in which a replica is kept: another one of its index comes."""
    index, name = key = old.spec.replica, old.name
    bare = _struck(roster, key, found_in(roster, key))
    kept = evolve(
        bare,
        kept=bare.kept.put(key, None),
        twins=bare.twins.put(str(index), name),
    )
    return _up(kept, old)


def ripened(roster: Roster, gauge: Gauge, ripe: Container) -> Roster:
    """Return an index in which a replica counts that has been ready for long enough."""
    key = ripe.spec.replica, ripe.name
    bare = _struck(roster, key, found_in(roster, key))
    return _entered(bare, spot_of(ripe, gauge), ripe, gauge.at)


def rearmed(roster: Roster, names: Iterable[str], at: Moment) -> Roster:
    """Return an index in which the deadlines of some replicas begin at a moment."""
    moved, due = roster.moved, roster.due
    for name in names:
        known = moved[name]
        moved = moved.put(name, evolve(known, armed_at=at))
        due = due.drop((known.armed_at, name)).put((at, name), None)
    return evolve(roster, moved=moved, due=due)


def names_in(roster: Roster) -> list[str]:
    """Return all replicas that an index knows, in the order of their names."""
    by_index = (roster.old, roster.old_down, roster.lost, roster.resting)
    indexed = chain(*by_index, roster.drained, roster.kept)
    plain = chain(roster.moved, roster.counted, roster.going)
    return sorted(chain((name for _, name in indexed), plain))


def scan(containers: Iterable[Container], gauge: Gauge) -> Roster:
    """Return the index as all containers make it.

    Of two of one index the newer one stands for it.
    """
    found: dict[int, list[Container]] = {}
    roster = Roster()
    for container in containers:
        if not is_member(container, gauge.service):
            continue
        if container.leaving:
            roster = _entered(roster, Spot.GOING, container, gauge.at)
        else:
            found.setdefault(container.spec.replica, []).append(container)
    for each in found.values():
        each.sort(key=lambda one: _rank(one, gauge), reverse=True)
        for extra in each[1:]:
            roster = paired(roster, extra)
            if each[0].generation != gauge.heading:
                key = extra.spec.replica, extra.name
                roster = evolve(roster, surplus=roster.surplus.put(key, None))
        roster = _entered(roster, spot_of(each[0], gauge), each[0], gauge.at)
    return roster


def _rank(container: Container, gauge: Gauge) -> tuple[bool, int, str]:
    """Order those of one index by what does not change while a rollout goes on."""
    is_new = container.generation == gauge.heading
    return is_new, container.generation, container.name
