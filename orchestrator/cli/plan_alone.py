"""A plan where no operator runs: out of the journal of the fleet, or of nothing.

The journal is opened for reading alone.
"""

from __future__ import annotations

from pathlib import Path

import attrs
from returns.result import Failure

from orchestrator.api.places import JOURNAL
from orchestrator.cli.failing import Failed, failed
from orchestrator.cli.journal_kinds import (
    Far,
    far_in_file,
    far_in_folder,
    journal_to_read,
)
from orchestrator.cli.named import IN_FILE, policies_named, policies_of
from orchestrator.cli.shown import now_ms
from orchestrator.cli.state import kept
from orchestrator.codec.fleet_file import FleetFile
from orchestrator.core.custom import CustomPolicies
from orchestrator.core.origins import Prune
from orchestrator.core.planning import Plan
from orchestrator.core.requests import Apply
from orchestrator.core.state import Fleet, empty_fleet
from orchestrator.journal.port import Head
from orchestrator.replay.places import AfterRow
from orchestrator.runtime.foresight import foreseen
from orchestrator.runtime.outcomes import settled
from orchestrator.runtime.travel import Travel
from orchestrator.runtime.views import View

__all__ = ("planned_alone",)


async def planned_alone(
    state: Path, file: FleetFile, folder: Path, prune: str | None
) -> Plan:
    """Say what the next start with a fleet file would change in a state folder."""
    policies = policies_of(file, folder)
    fleet = empty_fleet(file.spec.name)
    far = _far(state, file, folder)
    if far is not None or (state / JOURNAL).exists():
        fleet = await _newest(state, far, file.spec.name, policies)
    request = Apply(
        spec=file.spec,
        prune=None if prune is None else Prune(prune),
        keep_scale=True,
    )
    planned = foreseen(fleet, request, now_ms(), policies)
    if isinstance(planned, Failure):
        raise failed(planned.failure())
    return planned.unwrap()


def _far(state: Path, file: FleetFile, folder: Path) -> Far | None:
    """Return the journal that the file has behind a gateway, if it has one there.

    The token may be where the operator before has found it.
    """
    far, left = far_in_file(file, folder), far_in_folder(state)
    if far is None or left is None:
        return far
    return attrs.evolve(far, secrets=left.secrets)


async def _newest(
    state: Path, far: Far | None, name: str, policies: CustomPolicies
) -> Fleet:
    """Return the fleet behind the newest row; the journal may need other policies."""
    try:
        left = kept(state)
    except Failed:
        left = None  # the operator was ended before it left word
    if left is not None and left.policies is not None:
        reference, home = left.policies
        policies = policies_named(reference, Path(home), IN_FILE)
    journal = await journal_to_read(state, far)
    try:
        head = await settled(journal.head())
        if not isinstance(head, Head):
            raise failed(head)
        present = View(seq=0, at=now_ms(), fleet=empty_fleet(name))
        view = await Travel(journal, policies).to(AfterRow(head.seq), present)
    finally:
        _ = await settled(journal.close())
    if isinstance(view, Failure):
        raise failed(view.failure())
    return view.unwrap().fleet
