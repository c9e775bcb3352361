"""What an operator that comes back has found, told once: logged, and kept to be shown.

It follows the loop from boot to the end of the first complete look
(``replay.absences``), and not a step longer.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from orchestrator.core.state import Fleet
from orchestrator.core.steps import Step
from orchestrator.replay.absences import Absence, CatchUp, absence_text
from orchestrator.runtime.loop import Loop
from orchestrator.runtime.turns import LONG

__all__ = ("CatchingUp",)

LOG: Final = logging.getLogger("orchestrator.boot")


class CatchingUp:
    """Watches a loop that begins, and says what became of the runs meanwhile.

    To be made before ``booted`` is told to the loop. ``absence`` is what was found:
    None until the first complete look is over, and where nobody had led before.
    """

    def __init__(self, loop: Loop) -> None:
        """Begin with the fleet as the epoch before has left it."""
        self.absence: Absence | None = None
        self._over = asyncio.Event()
        self._loop = loop
        self._catch_up: CatchUp | None = None
        if loop.fleet.epoch:
            self._catch_up = CatchUp(before=loop.fleet)
            loop.watchers.append(self._see)
        else:
            self._over.set()

    async def found(self) -> Absence | None:
        """Wait until it is known; None where there is nothing to be found."""
        _ = await self._over.wait()
        return self.absence

    def _see(self, step: Step) -> None:
        catch_up, after = self._catch_up, step.after
        if catch_up is None or not catch_up.take(step):
            return
        self._catch_up = None  # the fleet before is not kept any longer
        self._loop.watchers.remove(self._see)
        if len(after.containers) <= LONG:
            self._tell(catch_up.absence(after), after)
            return
        running = asyncio.get_running_loop()
        summing = running.run_in_executor(None, catch_up.absence, after)
        summing.add_done_callback(lambda done: self._tell(done.result(), after))

    def _tell(self, absence: Absence | None, fleet: Fleet) -> None:
        self.absence = absence
        self._over.set()
        text = "" if absence is None else absence_text(absence)
        if absence is not None and text:
            about = {"fleet": fleet.name, "absence": absence.facts()}
            LOG.info("%s", text, extra=about)
