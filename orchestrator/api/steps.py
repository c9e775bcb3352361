"""One row explained: what it changed, and what was decided because of it.

Values that look secret are not shown, wherever they stand.
"""

from __future__ import annotations

from typing import Any, Final

import attrs

from orchestrator.api.answers import Change, StepTold, Touched
from orchestrator.codec.wire import tree_of
from orchestrator.core.explain import ContainerInfo, container_info, why
from orchestrator.core.moments import Moment
from orchestrator.core.state import Container, Fleet
from orchestrator.core.steps import Step
from orchestrator.core.table import Table
from orchestrator.runtime.masks import masked_spec
from orchestrator.runtime.shown import shown_event

__all__ = ("told_step",)

_FIELDS: Final = tuple(field.name for field in attrs.fields(Container))


def told_step(seq: int, step: Step) -> StepTold:
    """Explain the step of row *seq*."""
    at = step.event.at
    names = step.touched
    after = ((name, step.after.containers.get(name)) for name in names)
    return StepTold(
        seq=seq,
        at=at,
        event=shown_event(step.event),
        commands=step.commands,
        changes=Table.of(
            (name, _changes(*pair))
            for name, pair in zip(names, step.pairs(), strict=True)
        ),
        containers=Table.of(
            (
                name,
                Touched(
                    before=_info(step.before, name, at),
                    after=_info(step.after, name, at),
                ),
            )
            for name in names
        ),
        why=Table.of((name, why(now, at)) for name, now in after if now is not None),
    )


def _info(fleet: Fleet, name: str, at: Moment) -> ContainerInfo | None:
    container = fleet.containers.get(name)
    return None if container is None else container_info(fleet, container, at)


def _changes(was: Container | None, now: Container | None) -> Table[str, Change]:
    """Return the fields of a record that are not what they were."""
    return Table.of(
        (field, Change(before=_shown(was, field), after=_shown(now, field)))
        for field in _FIELDS
        if _value(was, field) != _value(now, field)
    )


def _value(container: Container | None, field: str) -> Any:
    return None if container is None else getattr(container, field)


def _shown(container: Container | None, field: str) -> Any:
    """Return a field as plain JSON; null where there is no container."""
    if container is not None and field == "spec":
        return tree_of(masked_spec(container.spec))
    return tree_of(_value(container, field))
