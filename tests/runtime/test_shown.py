"""What is shown of events holds no secret, wherever it stands."""

from __future__ import annotations

from orchestrator.codec.wire import encode_event, frozen_config
from orchestrator.core.events import (
    Booted,
    Declaration,
    Event,
    SpecApplied,
    StartRequested,
)
from orchestrator.core.fleet_specs import FleetSettings
from orchestrator.core.notify import Notify
from orchestrator.core.table import Table
from orchestrator.runtime.shown import shown_event
from tests.runtime.kit import spec

SECRET = "hunter2"

HOLDING = spec(
    "web",
    env=Table.of([("API_TOKEN", SECRET), ("MODE", "fast")]),
    config=frozen_config(
        {
            "password": SECRET,
            "db": {"credentials": SECRET, "hosts": [{"auth": SECRET, "port": 1}]},
            "size": 3,
        }
    ).unwrap(),
)


def shown(event: Event) -> str:
    return encode_event(shown_event(event)).decode()


def test_what_is_declared_is_shown_without_what_looks_secret() -> None:
    notify = Notify(url=f"https://example.com/hooks/{SECRET}")
    text = shown(
        SpecApplied(
            at=1,
            fleet="demo",
            settings=FleetSettings(ad_hoc=HOLDING, notify=notify),
            declarations=(Declaration(spec=HOLDING, salt=0),),
        )
    )
    assert SECRET not in text
    assert text.count('"API_TOKEN":"***"') == 2
    assert text.count('"MODE":"fast"') == 2
    assert '"hosts":[{"auth":"***","port":1}]' in text
    assert "https://example.com/" in text


def test_a_start_that_brings_a_spec_is_shown_without_what_looks_secret() -> None:
    declaration = Declaration(spec=HOLDING, salt=0)
    text = shown(StartRequested(at=1, name="web", declaration=declaration))
    assert SECRET not in text
    assert '"size":3' in text


def test_every_other_event_is_shown_as_it_is() -> None:
    for event in (StartRequested(at=1, name="web"), Booted(at=1, epoch=1, rules=3)):
        assert shown_event(event) is event
