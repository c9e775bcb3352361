"""Redacted rollouts: replicas that the core names itself are named alike there."""

from __future__ import annotations

from orchestrator.codec.wire import encode_event, encode_fleet
from orchestrator.core.events import Event
from orchestrator.core.lineages import RolloutStatus
from orchestrator.core.reduce import step_of
from orchestrator.core.rollout_policies import Share
from orchestrator.core.steps import Step
from orchestrator.replay.redacted.pseudonyms import Pseudonyms, Vocabulary
from orchestrator.replay.redacted.redaction import redact
from tests.core.rolling import Rolling, policy, served

SURGES = policy(max_surge=Share(1), max_unavailable=Share(0))


class Kept(Rolling):
    """A story that keeps its steps."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        super().__init__()

    def happens(self, event: Event) -> Kept:
        self.steps.append(step_of(self.fleet, event))
        super().happens(event)
        return self


def told() -> Kept:
    story = Kept()
    story.told(served(2, "onezq7", SURGES)).goes_on()
    story.told(served(2, "twozq7", SURGES)).goes_on()
    story.is_broken = lambda each: each.spec.image == "threezq7"
    story.told(served(2, "threezq7", SURGES)).goes_on()
    assert story.status() is RolloutStatus.REVERTED
    assert any(".r" in name for name in story.fleet.containers)
    return story


def test_a_rollout_in_other_words_goes_the_same_way() -> None:
    """Also where the core itself has named a replica, by its service."""
    steps, vocabulary = told().steps, Vocabulary()
    for step in steps:
        assert redact(step.event, vocabulary) == step.event
        assert redact(step.after, vocabulary) == step.after
    words = Pseudonyms.of(vocabulary, key=b"chance, drawn by a test")
    shown = redact(steps[0].before, words)
    for step in steps:
        other = step_of(shown, redact(step.event, words))
        shown, expected = other.after, redact(step.after, words)
        assert other.commands == redact(step.commands, words)
        assert shown.containers == expected.containers
        assert shown.rolling == expected.rolling
    events = [encode_event(redact(step.event, words)) for step in steps]
    assert b"zq7" not in b"".join((encode_fleet(shown), *events))
