"""The gateway for the tests of this folder: one runtime for all, a fleet a test."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator

import attrs
import pytest

from tests.bench.engine import Engine
from tests.bench.fixtures import engine
from tests.bench.workerd import Workerd
from tests.platforms.cloudflare.gateway.kit import (
    Gateway,
    session_of_tests,
    workerd_of,
)

__all__ = ("engine",)


@pytest.fixture(scope="session")
def workerd(
    engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Workerd]:
    """Run the project; its containers go with it."""
    running = workerd_of(engine, tmp_path_factory.mktemp("project"))
    asyncio.run(running.start())
    yield running
    asyncio.run(running.kill())
    running.remove_containers()


@pytest.fixture
async def gateway(workerd: Workerd) -> AsyncIterator[Gateway]:
    """Give a fleet of the test's own, of real containers."""
    async with session_of_tests() as session:
        yield Gateway(workerd, session, f"fleet-{uuid.uuid4().hex[:8]}")


@pytest.fixture
def scripted(gateway: Gateway) -> Gateway:
    """Give the same fleet, of containers that do what a test tells them."""
    return attrs.evolve(
        gateway,
        application="scripted",
        binding="SCRIPTED",
        prefix="/more",
        told=[],
    )
