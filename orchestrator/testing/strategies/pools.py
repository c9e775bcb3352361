"""Names, moments, runs, texts, tables and configs: the small pools of all the rest."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final, ParamSpec, TypeVar, cast

from hypothesis import strategies as st

from orchestrator.core.fields import Json
from orchestrator.core.table import Table
from orchestrator.core.tickets import Ticket

__all__ = (
    "addresses",
    "configs",
    "made_once",
    "moments",
    "names",
    "runs",
    "tables",
    "texts",
    "tickets",
)

P = ParamSpec("P")
V = TypeVar("V")

WAYS_MAX: Final = 64
"""Ways to ask for one strategy that are remembered."""


def made_once(make: Callable[P, V]) -> Callable[P, V]:
    """Make a strategy once for each way to ask for it.

    To make one, and what it is made of, takes ten times as long as to draw from it.

    >>> names() is names(), configs() is configs()
    (True, True)

    """
    return cast("Callable[P, V]", lru_cache(maxsize=WAYS_MAX)(make))


@made_once
def names() -> st.SearchStrategy[str]:
    """Draw a container's name from a small pool."""
    return st.sampled_from(("web-0", "web-1", "worker", "job.nightly", "a"))


@made_once
def moments() -> st.SearchStrategy[int]:
    """Draw a moment within a day, often near its beginning."""
    return st.one_of(st.integers(0, 5_000), st.integers(0, 86_400_000))


@made_once
def runs() -> st.SearchStrategy[int]:
    """Draw a run from a small pool."""
    return st.integers(1, 4)


@made_once
def tickets() -> st.SearchStrategy[Ticket]:
    """Draw a ticket from a small pool, so that some come twice."""
    return st.builds(
        Ticket,
        key=st.sampled_from(("order-1", "order-2", "order-3")),
        digest=st.sampled_from(("d0", "d1")),
    )


@made_once
def texts() -> st.SearchStrategy[str]:
    """Draw a short text, of any letters that can be encoded."""
    return st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


def tables(
    keys: st.SearchStrategy[str], values: st.SearchStrategy[V]
) -> st.SearchStrategy[Table[str, V]]:
    """Draw a small table."""
    return st.dictionaries(keys, values, max_size=3).map(lambda d: Table.of(d.items()))


@made_once
def configs() -> st.SearchStrategy[Table[str, Json]]:
    """Draw a user config: any JSON, frozen."""
    leaves: st.SearchStrategy[Json] = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**53), 2**53),
        st.floats(allow_nan=False, allow_infinity=False),
        texts(),
    )
    values: st.SearchStrategy[Json] = st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3).map(tuple), tables(texts(), inner)
        ),
        max_leaves=6,
    )
    return tables(texts(), values)


@made_once
def addresses() -> st.SearchStrategy[Table[str, str]]:
    """Draw where the ports of a run are reached."""
    return tables(st.just("http"), st.just("127.0.0.1:8080"))
