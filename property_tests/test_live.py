"""The law of live events: what a reader is sent, with its gaps, is the journal."""

from __future__ import annotations

import asyncio
from typing import Any, TypeAlias

import attrs
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.api.live.frames import Form
from orchestrator.api.live.wanted import TAGS, Wanted
from tests.api.live.kit import COUNT, Client, Stage, steps
from tests.replay.golden import SEEDS

Act: TypeAlias = tuple[Any, ...]

READERS = 3


def wishes(seed: int) -> st.SearchStrategy[Wanted]:
    names = sorted({name for step in steps(seed) for name in step.touched})
    some = st.frozensets(st.sampled_from(names), max_size=2)
    return st.builds(
        Wanted,
        form=st.sampled_from(Form),
        after=st.none() | st.integers(0, 70) | st.integers(0, COUNT + 5),
        names=st.just(frozenset()) | some,
        kinds=st.just(frozenset())
        | st.frozensets(st.sampled_from(sorted(TAGS)).map(TAGS.__getitem__)),
        containers=st.booleans(),
    )


def acts(seed: int) -> st.SearchStrategy[list[Act]]:
    reader = st.integers(0, READERS - 1)
    return st.lists(
        st.one_of(
            st.tuples(st.just("append"), st.integers(1, 12)),
            st.tuples(st.just("append, read between"), st.integers(1, 12), reader),
            st.tuples(
                st.just("append, join between"),
                st.integers(1, 12),
                reader,
                wishes(seed),
            ),
            st.tuples(st.just("take"), reader),
            st.tuples(st.just("join"), reader, wishes(seed)),
            st.tuples(st.just("come again"), reader),
            st.tuples(st.just("restart")),
        ),
        max_size=40,
    )


@attrs.frozen(kw_only=True)
class Play:
    """A journal of some rows behind a base, and what happens then."""

    seed: int
    base: int
    past: int
    bounds: dict[str, int]
    acts: list[Act]


@st.composite
def plays(draw: st.DrawFn) -> Play:
    seed = draw(st.sampled_from(SEEDS))
    bounds = {
        "rows_max": draw(st.integers(1, 10) | st.just(1_000)),
        "bytes_max": draw(st.integers(1, 5_000) | st.just(10_000_000)),
    }
    joins = [("join", who, draw(wishes(seed))) for who in range(READERS)]
    return Play(
        seed=seed,
        base=draw(st.just(0) | st.integers(0, 40)),
        past=draw(st.integers(0, 60)),
        bounds=bounds,
        acts=joins + draw(acts(seed)),
    )


async def act_out(play: Play) -> None:
    stage = Stage(play.seed, play.base, **play.bounds)
    await stage.append(play.past)
    stage.restart()
    clients: dict[int, Client] = {}
    everybody: list[Client] = []
    for kind, *what in play.acts:
        match kind, what:
            case "append", [count]:
                await stage.append(count)
            case "append, read between", [count, who]:
                written = await stage.write(count)
                if who in clients:
                    await clients[who].take()
                stage.tell(written)
            case "append, join between", [count, who, wanted]:
                stage.tell(await stage.write(count))
                clients[who] = await Client.connect(stage, wanted)
                everybody.append(clients[who])
            case "take", [who] if who in clients:
                await clients[who].take()
            case "join", [who, wanted]:
                clients[who] = await Client.connect(stage, wanted)
                everybody.append(clients[who])
            case "come again", [who] if who in clients:
                await clients[who].reconnect()
            case "restart", []:
                stage.hub.take_in()
                stage.restart()
                for client in clients.values():
                    await client.reconnect()
            case _:
                pass
        check_bounds(stage, play)
    stage.hub.take_in()
    for client in clients.values():
        await client.drain()
        client.check()
    for client in everybody:
        client.check(complete=client in clients.values())


def check_bounds(stage: Stage, play: Play) -> None:
    rows, size = stage.hub.held
    rows_max, bytes_max = play.bounds["rows_max"], play.bounds["bytes_max"]
    assert rows <= 1 or (rows <= rows_max and size <= bytes_max)


@given(plays())
def test_what_a_reader_is_sent_with_its_gaps_is_the_journal_in_order(
    play: Play,
) -> None:
    asyncio.run(act_out(play))
