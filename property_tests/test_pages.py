"""Laws of a list that is read in pages while containers come, end, go and come again.

A registry is played: containers by name, each with its run, and the news of all that
happens to them. Between two pages anything may happen, also that the registry is made
anew. What is put together is held to the moments from the first page on.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

import attrs
from hypothesis import event, example, given
from hypothesis import strategies as st

from orchestrator.core.admit import admit
from orchestrator.core.events import Booted, ContainerObserved
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.phases import Running, Stopped
from orchestrator.core.reduce import step_of
from orchestrator.core.requests import Apply
from orchestrator.core.sights import differences
from orchestrator.core.state import RULES, Fleet, empty_fleet
from orchestrator.core.table import Table
from orchestrator.platforms.cloudflare.answers import observation_of
from orchestrator.platforms.cloudflare.pages import (
    NOTHING,
    Listing,
    Page,
    joined,
    page_read,
)
from tests.platforms.cloudflare.fake_gateway import SPEC

NAMES = ("a", "a-0", "a.b", "b", "m", "m-1", "z")
State: TypeAlias = tuple[int, str]
"""A run, and how it is."""

Act: TypeAlias = tuple[str, str]
"""What happens, and to whom."""


@attrs.define
class Registry:
    """What the gateway's registry knows, and what it was since a list was begun."""

    generation: int = 1
    rows: dict[str, State] = attrs.Factory(dict)
    highest: dict[str, int] = attrs.Factory(dict)
    feed: list[tuple[str, State | None]] = attrs.Factory(list)
    moments: list[dict[str, State]] = attrs.Factory(list)
    changed_at: dict[str, int] = attrs.Factory(dict)
    tick: int = 0
    began: int = 0

    def happens(self, what: str, name: str) -> None:
        """Let something happen to one; what cannot happen does not."""
        self.tick += 1
        state = self.rows.get(name)
        match what:
            case "starts":
                run = self.highest.get(name, 0) + 1
                self.highest[name] = run
                self._is_now(name, (run, "running"))
            case "ends" if state is not None:
                self._is_now(name, (state[0], "ended"))
            case "goes" if state is not None:
                del self.rows[name]
                self.feed.append((name, None))
            case "anew":
                self.generation += 1
                self.rows.clear()
                self.feed.clear()
                self.moments.clear()  # what another one knew is nothing to this one
            case _:
                pass
        self.moments.append(dict(self.rows))

    def _is_now(self, name: str, state: State) -> None:
        self.rows[name] = state
        self.changed_at[name] = self.tick
        self.feed.append((name, state))

    def page(self, after: str, limit: int) -> dict[str, Any]:
        """Answer as the gateway does."""
        if not after:
            self.moments = [dict(self.rows)]
            self.began = self.tick + 1  # what has changed before is older
        behind = sorted(name for name in self.rows if name > after)
        views = [
            {"name": name, "run": self.rows[name][0], "phase": self.rows[name][1]}
            for name in behind[:limit]
        ]
        return {
            "generation": f"{self.generation}",
            "cursor": f"{self.generation}:{len(self.feed)}",
            "complete": True,
            "containers": views,
            "next": behind[limit - 1] if len(behind) > limit else None,
        }


def listed(
    registry: Registry,
    limit: int,
    between: Iterable[tuple[Act, ...]],
    lost_at: int | None = None,
) -> Listing:
    """Read the whole list, with what happens between its pages.

    The answer for one of them may be lost on its way, and is asked for again.
    """
    listing, happenings, asked = NOTHING, iter(between), 0
    while (after := listing.after) is not None:
        if asked:
            for act in next(happenings, ()):
                registry.happens(*act)
        tree = registry.page(after, limit)
        if asked != lost_at:
            page: Page = page_read(tree, "containers", after).unwrap()
            listing = joined(listing, page)
        asked += 1
    return listing


ACTS = st.tuples(
    st.sampled_from(["starts", "starts", "ends", "goes", "goes"]),
    st.sampled_from(NAMES),
)
MEANWHILE = st.lists(
    st.lists(ACTS | st.just(("anew", "")), max_size=3).map(tuple), max_size=8
)
CALM = st.lists(st.lists(ACTS, max_size=4).map(tuple), max_size=8)
LIMITS = st.integers(1, len(NAMES) + 1)
BEFORE = st.lists(ACTS, max_size=14)


def begun(before: Iterable[Act]) -> Registry:
    registry = Registry()
    for act in before:
        registry.happens(*act)
    return registry


def states(listing: Listing) -> dict[str, State]:
    """Return what a list says of each; of each only once, and in order."""
    names = [item["name"] for item in listing.items]
    assert names == sorted(set(names))
    return {item["name"]: (item["run"], item["phase"]) for item in listing.items}


@given(before=BEFORE, limit=LIMITS)
def test_where_nothing_happens_the_pages_are_the_whole_list(
    before: list[Act], limit: int
) -> None:
    registry = begun(before)
    listing = listed(registry, limit, ())
    assert states(listing) == registry.rows
    assert len(listing.pages) == max(1, -(-len(registry.rows) // limit))
    whole = joined(NOTHING, page_read(registry.page("", 99), "containers", "").unwrap())
    assert (listing.items, listing.cursor) == (whole.items, whole.cursor)
    assert listing.complete


@given(before=BEFORE, limit=LIMITS, between=MEANWHILE)
@example(  # behind its page it goes, and comes back with a higher run
    before=[("starts", "a"), ("starts", "b")],
    limit=1,
    between=[(("goes", "a"), ("starts", "a"))],
)
@example(  # before its page it goes, and another one comes where the list has passed
    before=[("starts", "b"), ("starts", "m"), ("starts", "z")],
    limit=1,
    between=[(("starts", "a"), ("goes", "m"))],
)
@example(  # the registry is another one, between two pages
    before=[("starts", "a"), ("starts", "b")],
    limit=1,
    between=[(("anew", ""), ("starts", "z"))],
)
def test_of_every_name_the_list_says_what_was_so_since_it_began(
    before: list[Act], limit: int, between: list[tuple[Act, ...]]
) -> None:
    registry = begun(before)
    found = states(listed(registry, limit, between))
    for name in NAMES:
        had = {moment.get(name) for moment in registry.moments}
        assert found.get(name) in had, name
        if None not in had:
            assert name in found  # who was there throughout is never missing
        if had == {None}:
            assert name not in found
    event(f"generations: {registry.generation}")


@given(before=BEFORE, limit=LIMITS, between=CALM)
@example(  # with the cursor of the second page the end of the first one would be lost
    before=[("starts", "a"), ("starts", "b")],
    limit=1,
    between=[(("ends", "a"),)],
)
def test_with_the_news_after_its_cursor_the_list_is_what_is_so_now(
    before: list[Act], limit: int, between: list[tuple[Act, ...]]
) -> None:
    registry = begun(before)
    listing = listed(registry, limit, between)
    registry.happens("starts", "new")
    known = dict(states(listing))
    for name, state in registry.feed[int(listing.cursor.partition(":")[2]) :]:
        known.pop(name, None)
        if state is not None:
            known[name] = state
    assert known == registry.rows


@given(before=BEFORE, limit=LIMITS, between=CALM, at=st.integers(0, 8))
def test_a_page_that_is_asked_for_again_is_as_good_as_the_first_try(
    before: list[Act], limit: int, between: list[tuple[Act, ...]], at: int
) -> None:
    """An answer that was lost changes nothing but the moment of that page."""
    registry = begun(before)
    found = states(listed(registry, limit, between, lost_at=at))
    for name in NAMES:
        assert found.get(name) in {moment.get(name) for moment in registry.moments}


# What the core makes of such a list


def _declared() -> Fleet:
    """Return a fleet that has been declared, of all names."""
    spec = FleetSpec(
        name="demo",
        containers=tuple(attrs.evolve(SPEC, name=name, replica=0) for name in NAMES),
    )
    booted = Booted(at=0, epoch=1, rules=RULES, fences=True)
    fleet = step_of(empty_fleet(spec.name), booted).after
    return step_of(fleet, admit(fleet, Apply(spec=spec), 0).unwrap()).after


DECLARED = _declared()


def believed(registry: Registry) -> Fleet:
    """Return the fleet of an operator that has heard all news: it gave the orders."""
    containers = Table.of(
        (
            name,
            attrs.evolve(
                DECLARED.containers[name],
                run=run,
                started_revision=1,
                changed_at=registry.changed_at[name],
                phase=Running(since=0, run=run, deadline=1)
                if phase == "running"
                else Stopped(since=0),
            ),
        )
        for name, (run, phase) in sorted(registry.rows.items())
    )
    return attrs.evolve(DECLARED, containers=containers)


@given(before=BEFORE, limit=LIMITS, between=CALM)
@example(  # it comes where the list has passed already
    before=[("starts", "b"), ("starts", "m")],
    limit=1,
    between=[(("starts", "a"),)],
)
@example(  # it goes, and comes back with a higher run, before and behind the place
    before=[("starts", "a"), ("starts", "b"), ("starts", "m")],
    limit=1,
    between=[
        (("goes", "a"), ("starts", "a"), ("goes", "m")),
        (("starts", "m"),),
    ],
)
def test_nobody_is_taken_for_lost_who_is_there(
    before: list[Act], limit: int, between: list[tuple[Act, ...]]
) -> None:
    registry = begun(before)
    listing = listed(registry, limit, between)
    read = observation_of("demo", {"complete": True, "containers": listing.items})
    observation = attrs.evolve(read.unwrap(), began=registry.began)
    events = differences(believed(registry), observation, registry.tick + 1)
    assert [one for one in events if isinstance(one, ContainerObserved)] == []
