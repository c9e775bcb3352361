"""``up`` under a supervisor: its exit code says whether the fleet was brought down."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from orchestrator import Operator, settled
from orchestrator.cli import standing_by
from orchestrator.cli.client import Client
from tests.cli.test_standby import (
    LIMIT_S,
    Ground,
    ground,
    running_session,
)
from tests.runtime.kit import value
from tests.runtime.test_standby import until

__all__ = ("ground",)


@pytest.mark.parametrize("is_standby", [True, False])
@pytest.mark.parametrize(
    ("supervised", "number", "code"),
    [
        (True, signal.SIGTERM, 143),
        (True, signal.SIGINT, 0),
        (False, signal.SIGTERM, 0),
    ],
)
async def test_a_supervisor_is_told_that_the_process_alone_was_ended(
    ground: Ground, number: int, code: int, *, supervised: bool, is_standby: bool
) -> None:
    session = ground.session(supervised=supervised, standby=is_standby)
    async with running_session(session) as task:
        await until((ground.folder / "state" / "operator.sock").exists, LIMIT_S)
        os.kill(os.getpid(), number)
        async with asyncio.timeout(LIMIT_S):
            assert await task == code


async def test_a_supervised_standby_ended_while_it_waits_says_so(
    ground: Ground,
) -> None:
    spec = ground.session().file.spec
    leader = await value(Operator.start(spec, **ground.means("other")))
    async with running_session(ground.session(standby=True, supervised=True)) as task:
        await ground.until_said("standing by")
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(LIMIT_S):
            assert await task == 143
    await leader.close()


@pytest.mark.parametrize("is_standby", [True, False])
async def test_a_supervisor_is_told_that_the_fleet_was_brought_down(
    ground: Ground, *, is_standby: bool
) -> None:
    session = ground.session(supervised=True, standby=is_standby)
    async with running_session(session) as task:
        await until((ground.folder / "state" / "operator.sock").exists, LIMIT_S)
        client = Client(ground.folder / "state")
        if is_standby:
            await ground.until_said("leading")
        await asyncio.to_thread(client.post, "down")
        os.kill(os.getpid(), signal.SIGTERM)  # too late: nothing is left to be ended
        async with asyncio.timeout(LIMIT_S):
            assert await task == 0


class Signalled(standing_by.Ending):
    """SIGTERM came too, just when the fleet was found to be down."""

    def __init__(self) -> None:
        super().__init__()
        self.signals.append(signal.SIGTERM)


async def test_a_supervised_standby_whose_fleet_was_brought_down_ends_with_0(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing_by, "Ending", Signalled)
    spec = ground.session().file.spec
    leader = await value(Operator.start(spec, **ground.means("other")))
    async with running_session(ground.session(standby=True, supervised=True)) as task:
        await ground.until_said("standing by")
        assert await settled(leader.down()) is None
        await asyncio.sleep(1.0)
        await leader.close()
        async with asyncio.timeout(LIMIT_S):
            assert await task == 0
