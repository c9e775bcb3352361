"""The words of faults in one place: characters, plans, and how they are drawn.

Behaviour is described in ``characters``, plans in ``plans``, profiles in ``profiles``.
"""

from __future__ import annotations

from orchestrator.simulation.characters import Character
from orchestrator.simulation.plans import Doom, FaultPlan, Stretch, calm
from orchestrator.simulation.profiles import PROFILES, Fault, draw_of, draw_plan

__all__ = (
    "PROFILES",
    "Character",
    "Doom",
    "Fault",
    "FaultPlan",
    "Stretch",
    "calm",
    "draw_of",
    "draw_plan",
)
