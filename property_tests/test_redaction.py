"""To redact and fold is to fold and redact: of all that a fleet could live through."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import attrs
import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.codec.wire import encode_commands
from orchestrator.core.custom import NO_POLICIES, CustomPolicies
from orchestrator.core.events import Booted, Event
from orchestrator.core.fingerprints import fingerprint
from orchestrator.core.lineages import Rollout
from orchestrator.core.names import is_name
from orchestrator.core.reduce import step_of
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import RULES, Fleet
from orchestrator.journal.pages import Page, page_of
from orchestrator.journal.port import START, Row, Snapshot, chained
from orchestrator.journal.reading import RECORDING, Reading
from orchestrator.journal.redacted import hear, redacted_rows
from orchestrator.replay import verify
from orchestrator.replay.history import NOTHING
from orchestrator.replay.redacted.pseudonyms import Kept, Kind, Pseudonyms, Vocabulary
from orchestrator.replay.redacted.redaction import redact
from orchestrator.runtime.steps import draft_of
from orchestrator.testing import strategies as drawn
from property_tests.test_totality import HISTORIES, in_order
from tests.replay.golden import POLICIES, rows

KEPT = st.frozensets(st.sampled_from(Kept))
KEY = b"chance, drawn by a test"


def booted(history: Iterable[Event]) -> tuple[Event, ...]:
    """Give a history the rules of today, so that what it decides is compared."""
    return tuple(
        attrs.evolve(event, rules=RULES) if isinstance(event, Booted) else event
        for event in history
    )


EVENTS = st.one_of(
    drawn.histories(), drawn.rolled_histories(), HISTORIES.map(in_order)
).map(booted)


@attrs.define
class Listed:
    """A journal in memory, as tools read one."""

    all: tuple[Row, ...]
    base: Snapshot | None = None
    expected: int | None = None
    cut_at_line: int | None = None

    def pages(self, after: int | None = None) -> Iterator[Page]:
        if found := [row for row in self.all if row.seq > (after or 0)]:
            yield page_of(found)

    def snapshot(self, until: int) -> Snapshot | None:
        return None

    def close(self) -> None:
        return


def written(history: Iterable[Event]) -> tuple[Row, ...]:
    fleet, drafts = NOTHING, []
    for event in history:
        step = step_of(fleet, event)
        fleet = step.after
        drafts.append(draft_of(step))
    return chained(START, drafts)


def heard(journal: tuple[Row, ...], kept: Iterable[Kept]) -> Pseudonyms:
    vocabulary = Vocabulary()
    hear(Reading(Listed(journal)), vocabulary)
    return Pseudonyms.of(vocabulary, key=KEY, kept=kept)


def shown(journal: tuple[Row, ...], words: Pseudonyms) -> tuple[Row, ...]:
    read = Reading(Listed(journal))
    done = tuple(redacted_rows(read, words, until=len(journal)))
    assert read.error is None
    return done


def verdict(journal: tuple[Row, ...], policies: CustomPolicies) -> tuple[Any, ...]:
    """Return where a replay diverges and in how many places, or how far it goes."""
    entries = Reading(Listed(journal)).entries()
    answer = verify(entries, RECORDING, policies=policies)
    return answer.map(lambda done: (done.rows, done.compared, done.segments)).value_or(
        None
    ) or (answer.failure().code, getattr(answer.failure(), "seq", 0))


def untold(fleet: Fleet) -> Fleet:
    """Leave out what the core puts in words of its own: nobody decides by them.

    Only that there are any is kept.
    """

    def hushed(rollout: Rollout | None) -> Rollout | None:
        if rollout is None:
            return None
        reason, trouble = bool(rollout.reason), bool(rollout.trouble)
        return attrs.evolve(rollout, reason=f"{reason}", trouble=f"{trouble}")

    lineages = fleet.lineages
    for name, lineage in fleet.lineages.items():
        past = tuple(filter(None, map(hushed, lineage.past)))
        hidden = attrs.evolve(lineage, rollout=hushed(lineage.rollout), past=past)
        lineages = lineages.put(name, hidden)
    opened = fleet.notices.open
    for number, notice in fleet.notices.open.items():
        opened = opened.put(number, attrs.evolve(notice, why=f"{bool(notice.why)}"))
    notices = attrs.evolve(fleet.notices, open=opened)
    return attrs.evolve(fleet, lineages=lineages, notices=notices)


@given(history=EVENTS, kept=KEPT)
def test_every_state_and_command_is_the_original_up_to_renaming(
    history: tuple[Event, ...], kept: frozenset[Kept]
) -> None:
    words = heard(written(history), kept)
    fleet = other = NOTHING
    for event in history:
        step = step_of(fleet, event)
        renamed = step_of(other, redact(event, words))
        fleet, other = step.after, renamed.after
        assert renamed.commands == redact(step.commands, words)
        names = [words.text(Kind.NAME, name) for name in step.touched]
        assert list(renamed.touched) == names
        for name, shown_as in zip(step.touched, names, strict=True):
            record = redact(fleet.containers.get(name), words)
            assert other.containers.get(shown_as) == record
    assert untold(other) == untold(redact(fleet, words))


@given(seed=st.integers(0, 2**32))
@settings(max_examples=3, deadline=None)
def test_a_simulated_fleet_with_policies_of_its_own_replays_when_it_is_redacted(
    seed: int,
) -> None:
    journal = rows(seed)
    words = heard(journal, (Kept.PARAMS,))
    redacted = shown(journal, words)
    assert verdict(redacted, POLICIES) == verdict(journal, POLICIES)
    assert [row.at for row in redacted] == [row.at for row in journal]
    for name in set(words.numbered[Kind.NAME]) - {"refused"}:  # a kind of errors
        quoted = f'"{name}"'.encode()
        assert all(quoted not in row.event + row.changes for row in redacted)


@given(history=EVENTS, kept=KEPT, choice=st.integers(0, 99), part=st.booleans())
def test_a_divergence_stays_where_it_is(
    history: tuple[Event, ...],
    kept: frozenset[Kept],
    choice: int,
    part: bool,  # noqa: FBT001 - drawn
) -> None:
    journal = list(written(history))
    if journal:
        place = choice % len(journal)
        other = journal[choice * 7 % len(journal)]
        planted = (
            attrs.evolve(journal[place], changes=other.changes)
            if part
            else attrs.evolve(journal[place], commands=encode_commands(()))
        )
        journal[place] = planted
    damaged = tuple(journal)
    redacted = shown(damaged, heard(damaged, kept))
    assert verdict(redacted, NO_POLICIES) == verdict(damaged, NO_POLICIES)


def normal(journal: tuple[Row, ...]) -> list[Any]:
    """Replace every text and number by how many different ones came before it."""
    seen: dict[Any, int] = {}

    def walk(tree: Any) -> Any:
        if isinstance(tree, dict):
            return [[walk(key), walk(inner)] for key, inner in tree.items()]
        if isinstance(tree, list):
            return [walk(inner) for inner in tree]
        return seen.setdefault((type(tree), tree), len(seen))

    return [
        [walk(orjson.loads(part)) for part in (row.event, row.commands, row.changes)]
        for row in journal
    ]


@given(history=EVENTS)
def test_to_redact_twice_is_to_redact_once_up_to_names(
    history: tuple[Event, ...],
) -> None:
    journal = written(history)
    once = shown(journal, heard(journal, ()))
    twice = shown(once, heard(once, ()))
    assert normal(once) == normal(twice)
    assert verdict(once, NO_POLICIES) == verdict(twice, NO_POLICIES)


SPECS = drawn.container_specs(custom=True)


@given(one=SPECS, other=SPECS, field=st.sampled_from(attrs.fields(ContainerSpec)))
def test_specs_that_differ_still_differ_and_their_fingerprints_alike(
    one: ContainerSpec, other: ContainerSpec, field: Any
) -> None:
    for twin in (other, _with(one, field.name, getattr(other, field.name))):
        vocabulary = Vocabulary()
        pair = redact((one, twin), vocabulary)
        assert pair == (one, twin)
        words = Pseudonyms.of(vocabulary, key=KEY, kept=())
        mine, its = redact(pair, words)
        assert (mine == its) is (one == twin)
        same_process = fingerprint(one) == fingerprint(twin)
        assert (fingerprint(mine) == fingerprint(its)) is same_process
        for spec in (one, twin):
            mark = words.text(Kind.FINGERPRINT, fingerprint(spec))
            assert mark == fingerprint(redact(spec, words))


def _with(spec: ContainerSpec, field: str, value: Any) -> ContainerSpec:
    """Change one field, where that makes a spec still."""
    try:
        return attrs.evolve(spec, **{field: value})
    except ValueError:
        return spec


@given(names=st.sets(st.text(max_size=5)))
def test_words_keep_their_order_and_their_number(names: set[str]) -> None:
    for kind in (Kind.NAME, Kind.GROUP, Kind.ENV_KEY, Kind.CONFIG_KEY):
        vocabulary = Vocabulary()
        for name in names:
            _ = vocabulary.text(kind, name)
        words = Pseudonyms.of(vocabulary, key=KEY)
        others = [words.text(kind, name) for name in sorted(names)]
        assert others == sorted(others)
        assert len(set(others)) == len(names)


SUFFIXES = st.sampled_from(
    ("", "-0", "-1", "-10", "-0.r5", "-0.r5.1", "-1.r12", "-00", "-x", "-0-x")
)
NAMED = st.tuples(st.sampled_from(("web", "web-a", "we", "api")), SUFFIXES).map("".join)


@given(names=st.sets(NAMED), services=st.sets(st.sampled_from(("web", "web-a", "we"))))
def test_names_of_replicas_keep_their_order_and_follow_their_service(
    names: set[str], services: set[str]
) -> None:
    vocabulary = Vocabulary()
    for service in services:
        _ = vocabulary.text(Kind.SERVICE, service)
    for name in names:
        _ = vocabulary.text(Kind.NAME, name)
    words = Pseudonyms.of(vocabulary, key=KEY)
    others = [words.text(Kind.NAME, name) for name in sorted(names)]
    assert others == sorted(others)
    assert len(set(others)) == len(names)
    assert all(map(is_name, others))
    for service in services:
        for index in (0, 7, 7_000):
            replica = words.text(Kind.NAME, f"{service}-{index}")
            assert replica == f"{words.text(Kind.NAME, service)}-{index}"


def test_a_fleet_that_nothing_befell_stays_what_it_is() -> None:
    words = heard((), ())
    assert redact(NOTHING, words) == NOTHING
    assert isinstance(NOTHING, Fleet)
