"""What an operator stands on that is read: also one that does not lead.

``runtime.boot.Engine`` is that of an operator at work, ``runtime.standby`` makes one
that follows another operator's rows. Neither needs to know who reads it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import attrs

from orchestrator.core.custom import NO_POLICIES, CustomPolicies
from orchestrator.journal.port import Journal
from orchestrator.platforms.port import Platform
from orchestrator.runtime.absence import CatchingUp
from orchestrator.runtime.hooks import Hooks
from orchestrator.runtime.leadership import Leadership
from orchestrator.runtime.loop import Loop
from orchestrator.runtime.travel import Travel

__all__ = ("Footing",)


@attrs.frozen(kw_only=True, eq=False)
class Footing:
    """The parts of an operator that are read.

    ``running`` is over when the operator is; ``leadership`` says who leads now, and
    ``catching_up`` what it found when it came to lead, None where it never did.
    """

    loop: Loop
    running: asyncio.Task[None]
    hooks: Hooks
    journal: Journal
    platform: Platform
    travel: Travel
    leadership: Callable[[], Leadership]
    policies: CustomPolicies = NO_POLICIES
    catching_up: CatchingUp | None = None

    async def close(self) -> None:
        """End in order."""
        self.running.cancel()
        await asyncio.wait([self.running])
