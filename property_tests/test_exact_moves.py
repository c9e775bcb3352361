"""A move of a container tells exactly whether, and when, it has changed anything."""

from __future__ import annotations

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.advance import advance
from orchestrator.core.events import ContainerEvent, Event, TimeReached
from orchestrator.core.phases import live_run
from orchestrator.core.state import Container
from orchestrator.core.terms import FixedTerms
from orchestrator.testing import strategies as drawn

EVENTS = drawn.events().filter(
    lambda event: isinstance(event, ContainerEvent | TimeReached)
)


@given(container=drawn.containers(), event=EVENTS, of_its_run=st.booleans())
@settings(max_examples=400)
def test_a_container_is_another_one_if_and_only_if_a_fact_has_changed(
    container: Container,
    event: Event,
    of_its_run: bool,  # noqa: FBT001 - drawn
) -> None:
    run = live_run(container.phase)
    if run is None:
        container = attrs.evolve(container, place="")  # a place is that of a live run
    elif of_its_run and hasattr(event, "run"):
        event = attrs.evolve(event, run=run)  # type: ignore[arg-type]
    about = attrs.evolve(event, name=container.name)  # type: ignore[arg-type]
    after, _ = advance(container, about, FixedTerms())  # type: ignore[arg-type]
    if after is container:
        return
    assert attrs.evolve(after, changed_at=0) != attrs.evolve(container, changed_at=0)
    assert after.changed_at == event.at
    goes_on = live_run(after.phase) is not None and after.run == container.run
    assert goes_on or not after.place or after.phase is container.phase
