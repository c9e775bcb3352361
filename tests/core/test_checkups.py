"""What the changed verdict of a health check does to a container."""

from __future__ import annotations

import attrs
import pytest

from orchestrator.core.commands import DestroyContainer, StopContainer
from orchestrator.core.events import (
    CommandKind,
    ContainerErrored,
    ContainerObserved,
    HealthChanged,
)
from orchestrator.core.exits import Exited, StartFailed, Stopped, Unhealthy
from orchestrator.core.health import CheckKind, HealthCheck, HealthChecks, TcpProbe
from orchestrator.core.moves import fit
from orchestrator.core.observations import SeenRunning
from orchestrator.core.phases import (
    BackingOff,
    Escalation,
    Rule,
    Running,
    Starting,
    Stopping,
    Unknown,
)
from orchestrator.core.requests import Start, Stop
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.table import Table
from orchestrator.core.wake import wake_at

from .examples import NO_JITTER, Story, spec

CHECK = HealthCheck(probe=TcpProbe(port="http"))
STARTUP, READINESS, LIVENESS = CheckKind
RESET = NO_JITTER.backoff.reset_after_ms


def checked(*kinds: CheckKind) -> ContainerSpec:
    checks = HealthChecks(**{kind.value: CHECK for kind in kinds})
    return spec(ports=Table.of([("http", 80)]), health=checks)


def listening(*kinds: CheckKind, at: int = 100) -> Story:
    return Story(checked(*kinds)).accepted().ready(at=at)


def running(story: Story) -> Running:
    phase = story.container().phase
    assert isinstance(phase, Running)
    return phase


class TestStartup:
    def test_what_listens_is_not_ready_before_its_startup_check_has_passed(
        self,
    ) -> None:
        story = listening(STARTUP)
        assert running(story).ready_at is None
        assert running(story).listening
        assert wake_at(story.container(), fences=True) == 60_000
        story.checked(STARTUP, passing=True, at=700)
        assert running(story).ready_at == 700
        assert not running(story).listening
        assert running(story).is_listening
        assert story.container().history.startup_ms == 700

    def test_a_startup_check_that_fails_is_a_failed_start(self) -> None:
        story = listening(STARTUP)
        story.checked(STARTUP, passing=False, at=900, cause="connection refused")
        assert [type(order) for order in story.orders()] == [StopContainer]
        story.ended(Exited(code=143), at=950)
        container = story.container()
        assert container.last is not None
        reason = "its startup check failed: connection refused"
        assert container.last.exit == StartFailed(reason=reason)
        assert container.history.start_failures == 1
        assert container.history.failures == ()

    def test_a_cause_that_is_not_known_is_not_told(self) -> None:
        story = listening(STARTUP).checked(STARTUP, passing=False)
        phase = story.container().phase
        assert isinstance(phase, Stopping)
        assert phase.verdict == StartFailed(reason="its startup check failed")

    def test_a_check_may_pass_before_the_ports_listen(self) -> None:
        story = Story(checked(STARTUP)).accepted().started(at=50)
        story.checked(STARTUP, passing=True, at=60)
        assert running(story).ready_at is None
        assert running(story).startup_passed
        story.ready(at=80)
        assert running(story).ready_at == 80

    @pytest.mark.parametrize("passing", [True, False])
    def test_once_it_has_passed_it_says_nothing_more(self, passing: bool) -> None:  # noqa: FBT001
        story = listening(STARTUP, READINESS).checked(STARTUP, passing=True)
        before = story.container()
        story.checked(STARTUP, passing=passing, at=900)
        assert (story.container(), story.orders()) == (before, ())
        story.checked(READINESS, passing=True)
        before = story.container()
        story.checked(STARTUP, passing=passing, at=950)
        assert (story.container(), story.orders()) == (before, ())

    def test_a_start_that_never_passes_is_too_slow(self) -> None:
        story = listening(STARTUP).time(59_999)
        assert story.phase() == "Running"
        story.time(60_000)
        phase = story.container().phase
        assert isinstance(phase, Stopping)
        assert phase.verdict == StartFailed(reason="not ready within 1m")


class TestReadiness:
    def test_it_is_ready_while_its_check_passes(self) -> None:
        story = listening(READINESS)
        assert running(story).ready_at is None
        story.checked(READINESS, passing=True, at=300)
        assert running(story).ready_at == 300
        assert running(story).deadline is None
        story.checked(READINESS, passing=False, at=400)
        assert running(story).ready_at is None
        assert running(story).is_listening
        assert story.orders() == ()
        story.checked(READINESS, passing=True, at=500)
        assert running(story).ready_at == 500
        assert story.container().history.startup_ms == 300

    def test_what_is_not_ready_any_more_is_not_ended_by_time(self) -> None:
        story = listening(READINESS).checked(READINESS, passing=True)
        story.checked(READINESS, passing=False, at=400)
        assert wake_at(story.container(), fences=True) is None
        assert story.time(10**7).phase() == "Running"

    def test_what_is_not_ready_proves_nothing(self) -> None:
        story = listening(READINESS).ended(at=200).time(1_200).accepted().ready()
        story.checked(READINESS, passing=True, at=2_000)
        assert wake_at(story.container(), fences=True) == 2_000 + RESET
        story.checked(READINESS, passing=False, at=3_000)
        story.time(2_000 + RESET)
        assert story.container().history.attempts == 1
        story.checked(READINESS, passing=True, at=10**6)
        story.time(10**6 + RESET)
        assert story.container().history.attempts == 0

    def test_both_must_have_passed(self) -> None:
        for first, second in ((STARTUP, READINESS), (READINESS, STARTUP)):
            story = listening(STARTUP, READINESS)
            story.checked(first, passing=True, at=200)
            assert running(story).ready_at is None
            story.checked(second, passing=True, at=300)
            assert running(story).ready_at == 300

    def test_a_check_that_fails_before_it_ever_passed_changes_nothing_much(
        self,
    ) -> None:
        story = listening(READINESS)
        before = story.container()
        story.checked(READINESS, passing=False)
        assert story.container() == before


class TestLiveness:
    def ill(self, story: Story, at: int) -> Story:
        return story.checked(LIVENESS, passing=False, at=at)

    def test_what_is_ill_is_stopped_in_order_and_has_failed(self) -> None:
        story = self.ill(listening(LIVENESS), at=500)
        (order,) = story.orders()
        assert isinstance(order, StopContainer)
        story.accepted(kind=CommandKind.STOP).ended(Exited(code=0), at=600)
        container = story.container()
        assert container.last is not None
        assert container.last.exit == Unhealthy(check="liveness")
        assert container.history.failures == (600,)
        assert (container.history.unhealthy, container.history.attempts) == (1, 1)
        assert isinstance(container.phase, BackingOff)
        assert container.phase.rule is Rule.FAILURE_BACKOFF

    def test_what_falls_ill_again_is_destroyed_and_what_is_kept_of_it_with_it(
        self,
    ) -> None:
        story = self.ill(listening(LIVENESS), at=500).ended(at=600)
        story.time(1_600).accepted().ready()
        self.ill(story, at=2_000)
        assert story.orders() == (DestroyContainer(name="web", run=2),)
        phase = story.container().phase
        assert phase == Stopping(
            since=2_000,
            run=2,
            deadline=2_000 + 5_000,
            verdict=Unhealthy(check="liveness"),
            escalation=Escalation.DESTROYED,
            destroys=1,
            started_at=1_600,
            ready_at=1_600,
        )
        story.ended(Exited(code=137), at=2_100)
        assert story.container().history.unhealthy == 2

    def test_a_destruction_that_is_not_confirmed_is_given_again(self) -> None:
        story = self.ill(listening(LIVENESS), at=500).ended(at=600)
        story.time(1_600).accepted().ready()
        self.ill(story, at=2_000).time(7_000)
        assert story.orders() == (DestroyContainer(name="web", run=2),)
        phase = story.container().phase
        assert isinstance(phase, Stopping)
        assert (phase.destroys, phase.deadline) == (2, 12_000)

    def test_proven_uptime_between_two_makes_the_second_a_first(self) -> None:
        story = self.ill(listening(LIVENESS), at=500).ended(at=600)
        story.time(1_600).accepted().ready()
        self.ill(story, at=1_600 + RESET)
        assert [type(order) for order in story.orders()] == [StopContainer]
        story = self.ill(listening(LIVENESS), at=500).ended(at=600)
        story.time(1_600).accepted().ready()
        self.ill(story, at=1_600 + RESET - 1)
        assert [type(order) for order in story.orders()] == [DestroyContainer]

    def test_another_end_between_two_makes_the_second_a_first(self) -> None:
        story = self.ill(listening(LIVENESS), at=500).ended(at=600)
        story.time(1_600).accepted().ready().ended(Exited(code=1), at=1_700)
        assert story.container().history.unhealthy == 0
        story.time(3_700).accepted().ready()
        self.ill(story, at=4_000)
        assert [type(order) for order in story.orders()] == [StopContainer]

    def test_one_that_passes_says_nothing(self) -> None:
        story = listening(LIVENESS)
        before = story.container()
        story.checked(LIVENESS, passing=True, at=900)
        assert (story.container(), story.orders()) == (before, ())
        assert running(story).ready_at == 100


@pytest.mark.parametrize("check", CheckKind)
@pytest.mark.parametrize("passing", [True, False])
class TestWhatChangesNothing:
    def test_a_verdict_on_another_run(self, check: CheckKind, passing: bool) -> None:  # noqa: FBT001
        story = listening(*CheckKind)
        for run in (0, 2):
            before = story.container()
            event = HealthChanged(
                at=900, name="web", run=run, check=check, passing=passing
            )
            story.happens(event)
            assert (story.container(), story.orders()) == (before, ())

    def test_a_verdict_of_a_check_that_it_has_not(
        self,
        check: CheckKind,
        passing: bool,  # noqa: FBT001
    ) -> None:
        story = listening(*(kind for kind in CheckKind if kind is not check))
        before, ignored = story.container(), story.fleet.ignored
        story.checked(check, passing=passing, at=900)
        assert (story.container(), story.orders()) == (before, ())
        assert story.fleet.ignored == ignored + 1

    @pytest.mark.parametrize("phase", ["Starting", "Unknown", "Stopping", "BackingOff"])
    def test_a_verdict_on_what_does_not_run(
        self,
        check: CheckKind,
        passing: bool,  # noqa: FBT001
        phase: str,
    ) -> None:
        story = Story(checked(*CheckKind)).accepted()
        if phase != "Starting":
            story.ready(at=100)
        if phase == "Unknown":
            story.happens(ContainerErrored(at=200, name="web", run=1, cause="cut off"))
        if phase == "Stopping":
            story.checked(STARTUP, passing=False, at=200)
        if phase == "BackingOff":
            story.ended(at=200)
        assert story.phase() == phase
        before = story.container()
        story.checked(check, passing=passing, at=300)
        assert (story.container(), story.orders()) == (before, ())


class TestUnknown:
    def test_what_comes_back_into_sight_is_as_ready_as_it_was(self) -> None:
        story = listening(READINESS).checked(READINESS, passing=True, at=200)
        story.happens(ContainerErrored(at=300, name="web", run=1, cause="cut off"))
        assert isinstance(story.container().phase, Unknown)
        sight = SeenRunning(ready=True)
        story.happens(ContainerObserved(at=400, name="web", run=1, sight=sight))
        assert running(story).ready_at == 200

    def test_what_was_not_ready_is_not_made_so_by_being_seen(self) -> None:
        story = listening(READINESS)
        story.happens(ContainerErrored(at=300, name="web", run=1, cause="cut off"))
        sight = SeenRunning(ready=True)
        story.happens(ContainerObserved(at=400, name="web", run=1, sight=sight))
        assert running(story).ready_at is None
        story.checked(READINESS, passing=True, at=500)
        assert running(story).ready_at == 500


class TestRedeclaring:
    def test_checks_change_without_a_new_run(self) -> None:
        story = listening()
        story.asked(story.apply(checked(READINESS, LIVENESS)), at=200)
        assert story.orders() == ()
        assert running(story).ready_at == 100
        story.checked(READINESS, passing=False, at=300)
        assert running(story).ready_at is None

    def test_a_check_that_goes_keeps_nothing_from_being_ready(self) -> None:
        story = listening(READINESS)
        assert running(story).ready_at is None
        story.asked(story.apply(checked()), at=200)
        assert running(story).ready_at == 200
        story = listening(STARTUP, READINESS).checked(STARTUP, passing=True, at=150)
        story.asked(story.apply(checked(STARTUP)), at=200)
        assert running(story).ready_at == 200

    def test_what_was_ready_once_has_passed_a_startup_check_that_comes_later(
        self,
    ) -> None:
        story = listening()
        story.asked(story.apply(checked(STARTUP, READINESS)), at=200)
        assert running(story).startup_passed
        story.checked(READINESS, passing=False, at=300)
        story.checked(READINESS, passing=True, at=400)
        assert running(story).ready_at == 400

    def test_what_was_never_ready_has_a_startup_check_that_comes_later_before_it(
        self,
    ) -> None:
        story = Story(checked()).accepted().started(at=50)
        story.asked(story.apply(checked(STARTUP)), at=60).ready(at=100)
        assert running(story).ready_at is None
        story.checked(STARTUP, passing=True, at=200)
        assert running(story).ready_at == 200

    def test_one_without_a_startup_check_has_passed_none(self) -> None:
        story = listening()
        story.asked(story.apply(checked(READINESS)), at=200)
        assert not running(story).startup_passed

    def test_what_starts_takes_the_new_checks_along(self) -> None:
        story = Story(checked()).accepted()
        story.asked(story.apply(checked(STARTUP)), at=50)
        assert isinstance(story.container().phase, Starting)
        story.ready(at=100)
        assert running(story).ready_at is None


def test_a_start_that_was_asked_for_is_the_last_word_on_an_ill_run() -> None:
    story = listening(LIVENESS).checked(LIVENESS, passing=False, at=200)
    story.asked(Stop(name="web"), at=300).asked(Start(name="web"), at=400)
    phase = story.container().phase
    assert isinstance(phase, Stopping)
    assert phase.verdict == Stopped()
    story.ended(Exited(code=1), at=500)
    assert story.phase() == "Starting"
    assert story.container().history.crashes_total == 0


def test_a_check_that_passes_once_more_changes_nothing() -> None:
    story = listening(READINESS).checked(READINESS, passing=True)
    before = story.container()
    assert running(story).ready_at is not None
    assert story.checked(READINESS, passing=True).container() is before


def test_starts_that_failed_are_forgotten_when_what_was_taken_over_is_fit() -> None:
    story = listening(READINESS)
    taken_over = attrs.evolve(running(story), deadline=None)
    history = attrs.evolve(story.container().history, start_failures=2, startup_ms=70)
    container = attrs.evolve(story.container(), phase=taken_over, history=history)
    ready = fit(container, taken_over, 500)
    assert ready.phase == attrs.evolve(
        taken_over, ready_at=500, readiness_passed=True, listening=False
    )
    assert (ready.history.start_failures, ready.history.startup_ms) == (0, 70)
