"""What a record says of its runs: how they began, went and ended."""

from __future__ import annotations

import attrs

from orchestrator.core.admit import admit
from orchestrator.core.commands import (
    DestroyContainer,
    StartContainer,
    StopContainer,
)
from orchestrator.core.errors import SecretMissing
from orchestrator.core.events import (
    Booted,
    CommandAccepted,
    CommandFailed,
    CommandKind,
    ContainerErrored,
    ContainerObserved,
    Event,
    FleetObserved,
    HealthChanged,
    StopRequested,
    TimeReached,
)
from orchestrator.core.exits import Exited
from orchestrator.core.fingerprints import fingerprint
from orchestrator.core.health import CheckKind
from orchestrator.core.observations import SeenAbsent, SeenEnded, SeenUnreachable
from orchestrator.core.reduce import fold
from orchestrator.core.requests import Apply
from orchestrator.core.state import RULES, Fleet
from orchestrator.replay.history import NOTHING, states
from orchestrator.replay.imagined.causes import Causes, causes_of
from orchestrator.replay.imagined.lives import Ending, Life
from orchestrator.replay.imagined.typical import SAMPLES_MAX, median, sample
from tests.replay.simulated import fleet_of
from tests.replay.test_what_if import SECOND, WEB, begun, ended, told, up


def gathered(
    *events: Event, fleet: Fleet = NOTHING, skip: frozenset[int] = frozenset()
) -> Causes:
    return causes_of(states(told(*events, fleet=fleet), fleet=fleet), skip=skip)


def lives(causes: Causes) -> tuple[Life, ...]:
    return causes.lives["web"]


STARTED = [*begun(WEB), *up(1, 30)]
STOP = StopRequested(at=SECOND, name="web")
STOPPED = CommandAccepted(at=SECOND + 5, name="web", run=1, kind=CommandKind.STOP)


def test_a_run_that_ends_by_itself_lived_as_long_as_it_did() -> None:
    (life,) = lives(gathered(*STARTED, ended(1, SECOND)))
    assert life.ending is Ending.BY_ITSELF
    assert life.begun_at == 30
    assert [fact.at for fact in life.facts] == [50, 80, SECOND]
    assert life.until_ready == 2
    assert not life.cut_short
    assert [start.after_ms for start in life.starts] == [10]


def test_a_run_that_we_stop_has_no_end_of_its_own() -> None:
    causes = gathered(*STARTED, STOP, STOPPED, ended(1, SECOND + 40))
    (life,) = lives(causes)
    assert life.ending is Ending.BY_US
    assert len(life.facts) == 2
    assert life.stop_ms == 40
    assert (causes.typical.stop, causes.typical.answer) == (40, 5)


def test_a_run_that_we_stop_before_it_is_ready_is_cut_short() -> None:
    (life,) = lives(gathered(*begun(WEB), STOP, STOPPED, ended(1, SECOND + 40)))
    assert life.cut_short
    slow = TimeReached(at=61 * SECOND, name="web")
    causes = gathered(*begun(WEB), *up(1, 30)[:2], slow, ended(1, 62 * SECOND))
    assert not lives(causes)[0].cut_short


def test_a_run_is_alive_where_the_record_ends() -> None:
    (life,) = lives(gathered(*STARTED))
    assert life.ending is Ending.ALIVE
    assert life.stop_ms is None
    assert lives(gathered(*begun(WEB)))[0].cut_short


def test_an_end_that_is_skipped_was_never_told() -> None:
    (life,) = lives(gathered(*STARTED, ended(1, SECOND), skip=frozenset({7})))
    assert life.ending is Ending.ALIVE
    assert len(life.facts) == 2


def test_a_start_that_failed_ended_its_run() -> None:
    error = SecretMissing(name="web", key="KEY")
    failed = CommandFailed(
        at=40, name="web", run=1, kind=CommandKind.START, error=error
    )
    (life,) = lives(gathered(*begun(WEB), failed))
    assert life.ending is Ending.BY_ITSELF
    assert [start.error for start in life.starts] == [error]
    assert life.facts == ()


def test_a_failure_that_is_skipped_goes_as_the_next_run_of_the_same_spec() -> None:
    other = attrs.evolve(WEB, image="other")
    failed = CommandFailed(
        at=40,
        name="web",
        run=1,
        kind=CommandKind.START,
        error=SecretMissing(name="web", key="KEY"),
    )
    events = [*begun(WEB), failed]
    for at, run, spec in ((SECOND, 2, other), (5 * SECOND, 3, WEB)):
        fleet = fold(NOTHING, events)
        events.append(admit(fleet, Apply(spec=fleet_of(spec)), at).unwrap())
        if run > 2:
            stopped = attrs.evolve(STOPPED, at=at + 5, run=run - 1)
            events += [stopped, ended(run - 1, at + 40)]
        events += up(run, at + 40)
    causes = gathered(*events, skip=frozenset({4}))
    first, second = lives(causes)
    assert (first.run, second.run) == (1, 2)
    assert len(first.facts) == 2
    assert causes.alike["web", fingerprint(WEB)] == (first,)
    assert causes.alike["web", fingerprint(other)] == (second,)


def test_a_start_that_today_s_rules_would_not_have_given_is_of_no_known_spec() -> None:
    strange = StartContainer(name="ghost", run=1, revision=1)
    *before, last = told(*STARTED)
    last = attrs.evolve(last, commands=(strange,))
    causes = causes_of(states([*before, last]))
    assert [life.mark for life in causes.lives["ghost"]] == [""]


def test_a_run_that_is_out_of_sight_for_too_long_is_given_up_by_us() -> None:
    lost = ContainerErrored(at=SECOND, name="web", run=1, cause="cut off")
    late = TimeReached(at=62 * SECOND, name="web")
    life = lives(gathered(*STARTED, lost, late))[0]
    assert life.ending is Ending.BY_US
    assert [type(fact.event) for fact in life.facts][-1] is ContainerErrored


def test_what_is_not_found_after_it_was_accepted_has_ended() -> None:
    absent = ContainerObserved(at=SECOND, name="web", run=1, sight=SeenAbsent())
    assert lives(gathered(*STARTED, absent))[0].ending is Ending.BY_ITSELF
    early = attrs.evolve(absent, at=35)
    (life,) = lives(gathered(*begun(WEB), early))
    assert life.ending is Ending.ALIVE


def test_what_is_seen_to_have_ended_has() -> None:
    seen = ContainerObserved(
        at=SECOND, name="web", run=1, sight=SeenEnded(exit=Exited(code=0))
    )
    unseen = attrs.evolve(seen, at=900, sight=SeenUnreachable())
    (life,) = lives(gathered(*STARTED, unseen, seen))
    assert life.ending is Ending.BY_ITSELF
    assert len(life.facts) == 4


def test_a_start_that_an_operator_took_with_it_was_none() -> None:
    again: list[Event] = [
        Booted(at=SECOND, epoch=2, rules=RULES, fences=True),
        FleetObserved(at=SECOND + 20, complete=True),
    ]
    causes = gathered(*begun(WEB), *again, *up(1, SECOND + 20))
    (life,) = lives(causes)
    assert (len(life.starts), life.took) == (1, 1)
    assert life.begun_at == SECOND + 20
    assert causes.looks == (30, 20)
    lost = gathered(*begun(WEB), Booted(at=SECOND, epoch=2, rules=RULES))
    assert lives(lost)[0].starts[0].after_ms is None


def test_news_of_a_run_that_is_over_tell_nothing_new() -> None:
    verdict = HealthChanged(
        at=2 * SECOND, name="web", run=1, check=CheckKind.LIVENESS, passing=False
    )
    one = gathered(*STARTED, ended(1, SECOND))
    more = gathered(*STARTED, ended(1, SECOND), ended(1, SECOND), verdict)
    assert lives(one) == lives(more)


def test_a_run_from_before_the_record_is_kept_apart() -> None:
    fleet = fold(NOTHING, STARTED)
    causes = gathered(STOP, STOPPED, ended(1, SECOND + 40), fleet=fleet)
    assert "web" not in causes.lives
    (life,) = causes.older["web"]
    assert (life.begun_at, life.ending) == (None, Ending.BY_US)
    stopping = fold(NOTHING, [*STARTED, STOP])
    (life,) = gathered(ended(1, SECOND + 40), fleet=stopping).older["web"]
    assert (life.ending, life.stop_ms) == (Ending.BY_US, None)


def test_a_stop_that_is_escalated_is_answered_each_time() -> None:
    late = [TimeReached(at=at * SECOND, name="web") for at in (17, 23)]
    destroyed = CommandAccepted(
        at=24 * SECOND, name="web", run=1, kind=CommandKind.DESTROY
    )
    entries = told(*STARTED, STOP, STOPPED, *late, destroyed, ended(1, 25 * SECOND))
    kinds = {type(command) for entry in entries for command in entry.commands}
    assert {StopContainer, DestroyContainer} <= kinds
    (life,) = lives(causes_of(states(entries)))
    assert len(life.stops) == 2
    assert life.stop_ms == 2 * SECOND


def test_an_answer_to_no_command_says_nothing() -> None:
    strange = CommandAccepted(at=90, name="web", run=1, kind=CommandKind.STOP)
    forgotten = attrs.evolve(strange, kind=CommandKind.FORGET)
    assert lives(gathered(*STARTED, strange, forgotten)) == lives(gathered(*STARTED))


def test_the_median_is_one_of_the_durations() -> None:
    assert (median([]), median([4, 1]), median([3, 9, 5])) == (0, 1, 5)


def test_only_so_many_durations_are_kept() -> None:
    kept: list[int] = []
    for duration in range(SAMPLES_MAX + 5):
        sample(kept, duration)
    assert len(kept) == SAMPLES_MAX
