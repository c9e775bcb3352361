"""The past of a fleet whose operator does not run, out of the journal that it left.

That is in its state folder, or behind the gateway that the folder names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from returns.result import Failure, Result, Success

from orchestrator.cli.client import Seen
from orchestrator.cli.failing import failed
from orchestrator.cli.journal_kinds import far_in_folder, journal_to_read
from orchestrator.cli.named import IN_FILE, policies_named
from orchestrator.cli.shown import now_ms
from orchestrator.cli.state import kept
from orchestrator.cli.waited import waited
from orchestrator.codec.wire import tree_of
from orchestrator.core.errors import ContainerError
from orchestrator.core.state import empty_fleet
from orchestrator.replay.places import Place
from orchestrator.runtime.outcomes import settled
from orchestrator.runtime.travel import Travel
from orchestrator.runtime.views import View

__all__ = ("seen_in_journal",)


def seen_in_journal(state: Path, at: Place, *path: str) -> Seen:
    """Return what an operator would answer under *path* of its API."""
    view = waited(_view(state, at))
    found = _found(view, path)
    if isinstance(found, Failure):
        raise failed(found.failure())
    return Seen(found=tree_of(found.unwrap()), seq=view.seq, at=view.at)


def _found(view: View, path: tuple[str, ...]) -> Result[Any, ContainerError]:
    match path:
        case (_, name, "explain"):
            return view.explain(name)
        case (_, name):
            return view.info(name)
        case _:
            return Success(view.infos())


async def _view(state: Path, at: Place) -> View:
    """Go back in the journal of a state folder; it is opened for reading alone."""
    left = kept(state)
    reference, home = left.policies or (None, ".")
    policies = policies_named(reference, Path(home), IN_FILE)
    journal = await journal_to_read(state, far_in_folder(state))
    try:
        present = View(seq=0, at=now_ms(), fleet=empty_fleet(left.name))
        view = await Travel(journal, policies).to(at, present)
    finally:
        _ = await settled(journal.close())
    if isinstance(view, Failure):
        raise failed(view.failure())
    return view.unwrap()
