"""What happened to services, in words: rollouts, loads, places."""

from __future__ import annotations

from typing import Final, assert_never

from orchestrator.cli.plain import short
from orchestrator.core.lineages import RolloutStatus
from orchestrator.core.loads import RollOutcome
from orchestrator.core.moments import format_duration
from orchestrator.replay.timelines.of_services import (
    ImageRolled,
    LoadSeen,
    PlaceSeen,
    RolloutMoved,
    ServiceHappening,
)

__all__ = ("service_words", "status_words", "thousandths")

_STATUSES: Final = {
    RolloutStatus.PREPARING: "waits for the platform to make its image available",
    RolloutStatus.PROGRESSING: "goes on",
    RolloutStatus.SOAKING: "watches what is new",
    RolloutStatus.AWAITING_PROMOTION: "waits to be promoted",
    RolloutStatus.PAUSED: "is paused",
    RolloutStatus.REVERTING: "goes back",
    RolloutStatus.DONE: "is done",
    RolloutStatus.REVERTED: "has gone back",
    RolloutStatus.HELD: "is held",
    RolloutStatus.SUPERSEDED: "is superseded",
}
"""A test holds it total."""


def status_words(status: RolloutStatus) -> str:
    """Say where a rollout is, as the end of a sentence.

    >>> status_words(RolloutStatus.AWAITING_PROMOTION)
    'waits to be promoted'

    """
    return _STATUSES[status]


def thousandths(load_milli: int) -> str:
    """Write a number of thousandths.

    >>> thousandths(12_500), thousandths(3_000), thousandths(1)
    ('12.5', '3', '0.001')

    """
    return f"{load_milli / 1_000:.3f}".rstrip("0").rstrip(".")


def service_words(item: ServiceHappening) -> str:
    """Tell one item."""
    match item:
        case RolloutMoved():
            return _moved(item)
        case ImageRolled():
            return _image(item)
        case LoadSeen(service=service, load_milli=load, replicas=replicas):
            more = "" if replicas is None else f", and is scaled to {replicas}"
            return f"{short(service)} is measured at {thousandths(load)}{more}"
        case PlaceSeen(run=run, place=place):
            return f"run {run} is at {short(place)}"
        case _:
            assert_never(item)


_GOALS: Final = {RolloutStatus.PROGRESSING, RolloutStatus.REVERTING}
_BACK: Final = {RolloutStatus.REVERTING, RolloutStatus.REVERTED}


def _moved(item: RolloutMoved) -> str:
    who = f"the rollout of {short(item.service)} to revision {item.revision}"
    words = status_words(item.status)
    is_back = item.status in _BACK and item.back_to is not None
    if is_back:
        words = f"{words} to revision {item.back_to}"
    if item.status in _GOALS and item.goal:
        many = "1 replica is" if item.goal == 1 else f"{item.goal} replicas are"
        words = f"{words}, {many} to be {'back' if is_back else 'new'}"
    if item.status is RolloutStatus.SOAKING and item.until is not None:
        words = f"{words} for {format_duration(max(0, item.until - item.at))}"
    return f"{who} {words}{_cause(item.reason)}"


def _image(item: ImageRolled) -> str:
    who = f"the platform's rollout of {short(item.service)}"
    words = {
        RollOutcome.PROGRESSING: "goes on",
        RollOutcome.DONE: "is done",
        RollOutcome.FAILED: "has failed",
    }[item.outcome]
    share = f", {item.updated} of {item.total} instances" if item.total else ""
    revision = f" to revision {item.revision}"
    return f"{who}{revision} {words}{share}{_cause(item.cause)}"


def _cause(cause: str) -> str:
    return f": {short(cause)}" if cause else ""
