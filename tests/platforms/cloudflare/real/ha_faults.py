"""What befalls operators, and what must be so then: one function for each.

Each begins and ends with one that leads, one that stands by, and all containers ready.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final, TypeAlias

from tests.platforms.cloudflare.real.ha_kit import Ground
from tests.platforms.cloudflare.real.ha_load import Load, load
from tests.platforms.cloudflare.real.ha_peers import WEB, Peer

__all__ = ("FAULTS", "Fault", "begin")


async def begin(ground: Ground) -> None:
    """Start one, which leads, then the others, which stand by."""
    first, *others = ground.peers
    first.start()
    await ground.until("the first one leads", first.leads)
    for peer in others:
        peer.start()
    for peer in others:
        await ground.is_standby(peer)
    await ground.all_ready()


async def leader_killed(ground: Ground) -> None:
    """SIGKILL: the standby takes over once the lease has run out."""
    leader = await ground.leader()
    since = time.monotonic()
    leader.kill()
    await ground.takes_over(ground.other(leader), "leader killed", since)
    leader.start()
    await ground.is_standby(leader)


async def leader_paused(ground: Ground) -> None:
    """SIGSTOP for longer than the lease; resumed, it stands by."""
    leader = await ground.leader()
    since = time.monotonic()
    leader.pause()
    try:
        await ground.takes_over(ground.other(leader), "leader paused", since)
    finally:
        leader.resume()
    await ground.is_standby(leader)


async def leader_cut_off(ground: Ground) -> None:
    """Cut the leader off from the gateway: it stands down by itself."""
    leader = await ground.leader()
    since = time.monotonic()
    await leader.proxy.close()
    try:
        await ground.takes_over(ground.other(leader), "leader cut off", since)
        await ground.is_standby(leader)
    finally:
        await leader.proxy.open()
    await ground.is_standby(leader)


async def standby_killed(ground: Ground) -> None:
    """SIGKILL for the standby: the leader does not notice."""
    leader = await ground.leader()
    standby = ground.other(leader)
    standby.kill()
    standby.start()
    await ground.is_standby(standby)
    assert await leader.leads()


async def standby_cut_off(ground: Ground) -> None:
    """Nobody takes over: the leader goes on."""
    leader = await ground.leader()
    standby = ground.other(leader)
    await standby.proxy.close()
    try:
        await asyncio.sleep(ground.lease_s + 1)
        assert await leader.leads()
        assert not await standby.leads()
    finally:
        await standby.proxy.open()
    await ground.is_standby(standby)


async def runtime_killed(ground: Ground) -> None:
    """Kill the gateway in the middle of appends, and start it again."""
    async with load(ground) as counts:
        await _goes_on(ground, counts)
        await ground.stage.workerd.kill()
        await asyncio.sleep(0.5)
        await ground.stage.workerd.start()
        await _goes_on(ground, counts)
    await ground.leader()


async def _goes_on(ground: Ground, counts: Load) -> None:
    """Wait until some more requests are done."""
    before = counts.done

    async def more() -> bool:
        return counts.done >= before + 5

    await ground.until("requests are done", more)


async def both_asked(ground: Ground) -> None:
    """Two that believe they lead are asked to start the same: one of them does it."""
    old = await ground.leader()
    new = ground.other(old)
    since = time.monotonic()
    old.pause()
    try:
        await ground.takes_over(new, "leader paused", since)
        asking = asyncio.gather(
            ground.wish(old, "/v1/containers/extra/start"),
            ground.wish(new, "/v1/containers/extra/start"),
        )
        await asyncio.sleep(0.1)
    finally:
        old.resume()
    by_old, by_new = await asking
    assert by_new is not None
    assert by_new.status == 200
    assert by_old is None or by_old.status >= 400
    await ground.is_standby(old)
    await _gone(ground, new, "extra")


async def _gone(ground: Ground, peer: Peer, name: str) -> None:
    """Stop an ad-hoc container, and have it forgotten."""
    await ground.wish(peer, f"/v1/containers/{name}/stop")
    await peer.asked("GET", f"/v1/containers/{name}/wait?for=stopped&timeout_ms=20000")

    async def is_gone() -> bool:
        leader = await ground.leader()
        reply = await leader.asked("DELETE", f"/v1/containers/{name}", {"by": "drill"})
        return reply is not None and reply.status in {200, 204, 404}

    await ground.until(f"{name} is gone", is_gone)


async def nobody_leads(ground: Ground) -> None:
    """All are killed; a container ends meanwhile. The next one catches up at once."""
    for peer in ground.peers:
        peer.kill()
    crashed = await ground.stage.container(WEB[0])
    ground.stage.engine.docker.kill(crashed)
    await asyncio.sleep(ground.lease_s)
    running = ground.stage.running()
    assert len(running) == len(WEB) - 1  # the others go on
    assert crashed not in running
    since = time.monotonic()
    first, *others = ground.peers
    first.start()
    await ground.takes_over(first, "nobody led", since)
    await ground.until("it has caught up", partial(_has_caught_up, first))
    for peer in others:
        peer.start()
        await ground.is_standby(peer)


async def _has_caught_up(peer: Peer) -> bool:
    """Say whether it tells what it found: one that ended, and the others go on."""
    reply = await peer.asked("GET", "/v1/leader")
    found = None if reply is None else reply.body.get("absence")
    if found is None:
        return False
    assert (found["crashes"], found["lost"], found["going_on"]) == (1, 0, len(WEB) - 1)
    return True


async def container_killed(ground: Ground) -> None:
    """Let a container end by itself, while all else is well: it runs again."""
    before = await ground.run_of(WEB[1])
    ground.stage.engine.docker.kill(await ground.stage.container(WEB[1]))

    async def runs_again() -> bool:
        return await ground.run_of(WEB[1]) > before

    await ground.until("it runs again", runs_again)


Fault: TypeAlias = Callable[[Ground], Awaitable[None]]

FAULTS: Final[Mapping[str, Fault]] = MappingProxyType(
    {
        "leader killed": leader_killed,
        "leader paused": leader_paused,
        "leader cut off": leader_cut_off,
        "standby killed": standby_killed,
        "standby cut off": standby_cut_off,
        "runtime killed": runtime_killed,
        "both asked": both_asked,
        "nobody leads": nobody_leads,
        "container killed": container_killed,
    }
)
