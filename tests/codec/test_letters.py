"""What a receiver reads says what came to be so, in keys and in one sentence."""

from __future__ import annotations

import json

import attrs

from orchestrator.codec.letters import letter_of
from orchestrator.core.exits import Exited
from orchestrator.core.notices import Notice
from orchestrator.core.notify import NoticeKind
from orchestrator.core.phases import Rule

NOTICE = Notice(
    number=7,
    kind=NoticeKind.CRASH_LOOPING,
    name="web",
    run=3,
    at=1_790_000_000_123,
    epoch=2,
    rule=Rule.CRASH_LOOP_HOLD,
    exit=Exited(code=9),
)


def test_a_letter_says_all_that_is_known() -> None:
    assert json.loads(letter_of("demo", NOTICE)) == {
        "delivery": "demo-2-7",
        "fleet": "demo",
        "container": "web",
        "run": 3,
        "service": None,
        "kind": "crash_looping",
        "at": 1_790_000_000_123,
        "time": "2026-09-21T14:13:20.123+00:00",
        "rule": "crash_loop_hold",
        "why": "it fails too often; start it with force, or reset it",
        "exit": "exit 9",
        "text": "demo: web is crash-looping: it fails too often; start it with force,"
        " or reset it; exit 9",
    }


def test_a_letter_says_no_more_than_is_known() -> None:
    failed = attrs.evolve(NOTICE, kind=NoticeKind.FAILED, rule=None)
    assert json.loads(letter_of("demo", failed))["text"] == (
        "demo: web has failed: exit 9"
    )
    bare = attrs.evolve(failed, exit=None)
    assert json.loads(letter_of("demo", bare))["text"] == "demo: web has failed"


def test_each_attempt_says_the_same() -> None:
    again = attrs.evolve(NOTICE, failed=3, due=5)
    assert letter_of("demo", again) == letter_of("demo", NOTICE)


def test_the_end_of_a_rollout_is_told_of_its_service() -> None:
    over = Notice(
        number=8,
        kind=NoticeKind.ROLLOUT_FINISHED,
        name="web",
        run=0,
        at=5,
        epoch=2,
        why="reverted: 2 failures, at most 1",
    )
    letter = json.loads(letter_of("demo", over))
    told = [letter[key] for key in ("service", "container", "run", "why", "text")]
    assert told == [
        "web",
        None,
        None,
        "reverted: 2 failures, at most 1",
        "demo: the rollout of web is reverted: 2 failures, at most 1",
    ]
    bare = json.loads(letter_of("demo", attrs.evolve(over, why="")))
    assert bare["text"] == "demo: the rollout of web is over"
