"""An operator that compacts as fast as it can, to be killed: a program of its own.

``python -m tests.runtime.compacted FOLDER``: each restart that it has acknowledged is a
line of its output, with a word that its row holds.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from orchestrator import ContainerSpec, FleetSpec, Operator, SimulatedPlatform, settled
from orchestrator.core.errors import ContainerError
from orchestrator.core.explain import ContainerInfo
from orchestrator.journal.sqlite import open_sqlite
from orchestrator.runtime import compacting, retention
from orchestrator.runtime.retention import Keep

NAMES = ("a", "b", "c")
FLEET = FleetSpec(
    name="compacted",
    containers=tuple(ContainerSpec(name=name, command=("run",)) for name in NAMES),
)


async def work(folder: Path) -> None:
    path = folder / "journal.db"
    journal = await settled(open_sqlite(path))
    assert not isinstance(journal, ContainerError), journal
    platform = SimulatedPlatform(seed=1, speed=50)
    keep = Keep(rows=40, archive=path)
    async with Operator.open(
        FLEET, platform=platform, journal=journal, keep=keep
    ) as operator:
        number = 0
        while True:
            word = f"w{time.time_ns()}-{number}"
            name = NAMES[number % len(NAMES)]
            answer = await settled(operator.restart_container(name, why=word))
            if isinstance(answer, ContainerInfo):
                print(word, flush=True)
            number += 1


def main() -> None:
    compacting.EVERY_S = 0.001  # type: ignore[misc]
    compacting.PAGE = 20  # type: ignore[misc]
    retention.LEAST = 10  # type: ignore[misc]
    asyncio.run(work(Path(sys.argv[1])))


if __name__ == "__main__":
    main()
