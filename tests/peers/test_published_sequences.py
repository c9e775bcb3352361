"""What others publish about their restarts, reproduced by a fleet file alone.

The fleet files are the blocks of ``docs/how-to/coming-from.md``. Each test names where
the other system says what is asserted.
"""

from __future__ import annotations

import re
from itertools import accumulate, pairwise
from pathlib import Path

import attrs
import pytest

from orchestrator.codec.fleet_file import FleetFile, read_fleet_file
from orchestrator.core.backoff import Backoff, backoff_wait
from orchestrator.core.commands import StopContainer
from orchestrator.core.events import TimeReached
from orchestrator.core.exits import Exit, Exited
from orchestrator.core.requests import Start
from orchestrator.core.wake import wake_at
from tests.core.examples import Story

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "coming-from.md"
BLOCK = re.compile(r"^```toml\n(.*?)^```$", re.MULTILINE | re.DOTALL)

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE


def files() -> dict[str, FleetFile]:
    found = {}
    for block in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        file = read_fleet_file(block.encode(), file=PAGE.name, folder=".").unwrap()
        found[file.spec.name.removeprefix("from-")] = file
    return found


FILES = files()


@attrs.define
class Dying:
    """A container that lives *lives_ms* each time, in virtual time."""

    story: Story
    name: str
    lives_ms: int = 0
    exit: Exit = attrs.field(factory=lambda: Exited(code=1))
    starts: list[int] = attrs.field(factory=list[int])

    def until(self, end: int) -> Dying:
        """Go on until *end*, or until it is not started any more."""
        while self.story.fleet.at <= end:
            if self.phase() == "Starting":
                self._live()
                continue
            due = wake_at(self.story.container(self.name), fences=True)
            if due is None or due > end:
                break
            self.story.happens(TimeReached(at=due, name=self.name))
        return self

    def _live(self) -> None:
        self.starts.append(self.story.fleet.at)
        self.story.accepted(self.name).ready(self.name)
        ends_at = self.story.fleet.at + self.lives_ms
        self.story.ended(self.exit, self.name, at=ends_at)

    @property
    def waits(self) -> list[int]:
        """Return how long each end was before the start that followed."""
        return [b - a - self.lives_ms for a, b in pairwise(self.starts)]

    def phase(self) -> str:
        return self.story.phase(self.name)


def dying(
    system: str,
    lives_ms: int = 0,
    exit_: Exit = Exited(code=1),  # noqa: B008 - frozen
) -> Dying:
    spec = FILES[system].spec
    story = Story(*spec.containers, settings=spec.settings)
    return Dying(story, spec.containers[0].name, lives_ms, exit_)


def seconds(*numbers: float) -> list[int]:
    return [round(number * SECOND) for number in numbers]


def restarts_within(waits: list[int], span: int) -> int:
    return sum(moment <= span for moment in accumulate(waits))


class TestKubernetes:
    """kubernetes.io, Pod Lifecycle, "How Pods handle problems with containers"."""

    ROW = seconds(0, 10, 20, 40, 80, 160, 300, 300, 300)

    @pytest.mark.parametrize("code", [0, 1])
    def test_10_20_40_up_to_300_seconds_whatever_the_code(self, code: int) -> None:
        one = dying("kubernetes", exit_=Exited(code=code)).until(2 * HOUR)
        assert one.waits[:9] == self.ROW

    def test_four_delayed_restarts_in_5_minutes_and_15_in_an_hour_and_no_end(
        self,
    ) -> None:
        one = dying("kubernetes").until(24 * HOUR)
        delayed = one.waits[1:]
        assert restarts_within(delayed, 5 * MINUTE) == 4
        assert restarts_within(delayed, HOUR) == 15
        assert one.phase() == "BackingOff"
        assert len(one.starts) == 293

    def test_ten_minutes_without_trouble_start_the_row_anew(self) -> None:
        one = dying("kubernetes").until(10 * MINUTE)
        one.lives_ms = 10 * MINUTE
        one.until(30 * MINUTE)
        assert one.waits[-1] == 0
        one = dying("kubernetes").until(10 * MINUTE)
        one.lives_ms = 10 * MINUTE - 1
        one.until(30 * MINUTE)
        assert one.waits[-1] == 300 * SECOND


class TestKep4603:
    """kubernetes/enhancements, KEP-4603, "Design Details"."""

    def test_1_second_doubling_to_60(self) -> None:
        one = dying("kep-4603").until(HOUR)
        assert one.waits[:9] == seconds(1, 2, 4, 8, 16, 32, 60, 60, 60)

    def test_nine_restarts_in_5_minutes_and_64_in_an_hour(self) -> None:
        waits = dying("kep-4603").until(2 * HOUR).waits
        assert restarts_within(waits, 5 * MINUTE) == 9
        assert restarts_within(waits, HOUR) == 64

    def test_ten_minutes_without_trouble_start_the_row_anew(self) -> None:
        one = dying("kep-4603").until(5 * MINUTE)
        one.lives_ms = 10 * MINUTE
        assert one.until(30 * MINUTE).waits[-1] == SECOND


class TestDocker:
    """docs.docker.com, Engine API, schema RestartPolicy; moby, restartmanager.go.

    Both: 100 ms, doubled each time. The code: a minute at most, a run of 10 s resets.
    """

    ROW = seconds(0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 60, 60)

    @pytest.mark.parametrize("code", [0, 1])
    def test_100_milliseconds_doubling_to_a_minute(self, code: int) -> None:
        one = dying("docker", exit_=Exited(code=code)).until(HOUR)
        assert one.waits[:12] == self.ROW

    def test_13_restarts_in_5_minutes_and_68_in_an_hour(self) -> None:
        waits = dying("docker").until(2 * HOUR).waits
        assert restarts_within(waits, 5 * MINUTE) == 13
        assert restarts_within(waits, HOUR) == 68

    @pytest.mark.parametrize(("lives_ms", "wait"), [(10_000, 100), (9_999, 60_000)])
    def test_a_run_of_ten_seconds_sets_it_back(self, lives_ms: int, wait: int) -> None:
        one = dying("docker").until(5 * MINUTE)
        one.lives_ms = lives_ms
        assert one.until(15 * MINUTE).waits[-1] == wait

    def test_on_failure_with_a_count_stops_after_that_many_restarts(self) -> None:
        one = dying("docker-on-failure").until(HOUR)
        assert (one.waits, one.phase()) == (seconds(0.1, 0.2, 0.4), "Failed")
        clean = dying("docker-on-failure", exit_=Exited(code=0)).until(HOUR)
        assert (len(clean.starts), clean.phase()) == (1, "Completed")


class TestNomad:
    """developer.hashicorp.com, Nomad, job specification, restart block, Parameters."""

    @pytest.mark.parametrize("code", [0, 1])
    def test_a_service_has_two_attempts_in_half_an_hour_and_has_then_failed(
        self, code: int
    ) -> None:
        one = dying("nomad-service", exit_=Exited(code=code)).until(24 * HOUR)
        assert len(one.starts) == 3
        assert (one.phase(), len(one.waits)) == ("CrashLooping", 2)
        assert all(15 * SECOND <= wait <= 18_750 for wait in one.waits)

    def test_its_delay_is_15_seconds_and_up_to_a_quarter_more(self) -> None:
        backoff = FILES["nomad-service"].spec.containers[0].restart.backoff
        waits = [backoff_wait(backoff, 1, salt, 1) for salt in range(5_000)]
        assert 15_000 <= min(waits) < 15_050
        assert 18_700 < max(waits) <= 18_750

    def test_mode_delay_goes_on_with_the_next_interval(self) -> None:
        one = dying("nomad-delay").until(90 * MINUTE - 1)
        minutes = [at / MINUTE for at in one.starts]
        assert minutes == [0, 0.25, 0.5, 30, 30.25, 30.5, 60, 60.25, 60.5]

    def test_a_batch_job_has_three_attempts_in_a_day_and_ends_well_with_0(self) -> None:
        one = dying("nomad-batch").until(48 * HOUR)
        assert one.waits == seconds(15, 15, 15)
        assert one.phase() == "CrashLooping"
        clean = dying("nomad-batch", exit_=Exited(code=0)).until(HOUR)
        assert (len(clean.starts), clean.phase()) == (1, "Completed")

    def test_a_failure_counts_no_more_when_its_interval_is_over(self) -> None:
        one = dying("nomad-batch", lives_ms=10 * HOUR).until(20 * 24 * HOUR)
        assert one.phase() != "CrashLooping"


class TestSystemd:
    """systemd.service(5), RestartSteps=; systemd.unit(5), StartLimitIntervalSec=."""

    def test_the_example_of_the_manual(self) -> None:
        one = dying("systemd-steps").until(HOUR)
        assert one.waits[:7] == seconds(10, 20, 40, 80, 160, 160, 160)

    @pytest.mark.parametrize(
        ("first_ms", "steps", "longest_ms"),
        [
            (10_000, 4, 160_000),
            (100, 5, 10_000),
            (100, 3, 10_000),
            (5_000, 1, 60_000),
            (1_000, 7, 300_000),
        ],
    )
    def test_the_formula_of_the_manual_is_a_factor(
        self, first_ms: int, steps: int, longest_ms: int
    ) -> None:
        ratio = (longest_ms / first_ms) ** (1 / steps)
        backoff = Backoff(
            initial_ms=first_ms, factor=ratio, max_ms=longest_ms, jitter=0
        )
        policy = FILES["systemd-steps"].spec.containers[0].restart
        spec = attrs.evolve(
            FILES["systemd-steps"].spec.containers[0],
            restart=attrs.evolve(policy, backoff=backoff),
        )
        one = Dying(Story(spec), spec.name).until(20 * MINUTE)
        expected = [first_ms * ratio**n for n in range(steps)] + [longest_ms] * 3
        for wait, published in zip(one.waits, expected, strict=False):
            assert wait == pytest.approx(published, abs=1)

    def test_five_starts_in_ten_seconds_and_it_stays_down(self) -> None:
        one = dying("systemd-limit").until(24 * HOUR)
        assert one.starts == [0, 100, 200, 300, 400]
        assert one.phase() == "CrashLooping"
        one.story.asked(Start(name=one.name, force=True))
        assert one.phase() == "Starting"

    def test_the_limit_never_fires_for_what_lives_long_enough(self) -> None:
        one = dying("systemd-limit", lives_ms=2_500).until(5 * MINUTE)
        assert len(one.starts) > 100


class TestSupervisord:
    """supervisord.org, "Process States"; [program:x], startsecs and startretries."""

    def test_1_2_and_3_seconds_and_then_fatal(self) -> None:
        one = dying("supervisord").until(HOUR)
        assert (one.waits, one.phase()) == (seconds(1, 2, 3), "Failed")

    def test_one_that_was_up_for_startsecs_has_a_clean_sheet(self) -> None:
        one = dying("supervisord", lives_ms=1_000).until(MINUTE)
        assert one.phase() != "Failed"
        assert set(one.waits) == {1_000}
        short = dying("supervisord", lives_ms=999).until(HOUR)
        assert short.phase() == "Failed"


class TestOtp:
    """erlang.org, OTP Design Principles, Supervisor Behaviour.

    Sections "Restart Strategy" and "Maximum Restart Intensity".
    """

    def story(self, strategy: str) -> Story:
        spec = FILES["otp"].spec
        block = next(
            block
            for block in BLOCK.findall(PAGE.read_text(encoding="utf-8"))
            if "from-otp" in block
        )
        text = re.sub(r'strategy = "\w+"', f'strategy = "{strategy}"', block)
        file = read_fleet_file(text.encode(), file="", folder=".").unwrap()
        story = Story(*file.spec.containers, settings=spec.settings)
        for one in spec.containers:
            story.accepted(one.name).ready(one.name)
        return story

    @pytest.mark.parametrize(
        ("strategy", "taken"),
        [("one_for_all", ["database", "web"]), ("rest_for_one", ["web"])],
    )
    def test_the_strategy_says_who_is_ended_and_started_with_it(
        self, strategy: str, taken: list[str]
    ) -> None:
        story = self.story(strategy).ended(name="queue", at=10_000)
        stops = [each for each in story.orders() if isinstance(each, StopContainer)]
        assert [stop.name for stop in stops] == taken
        assert story.phase("queue") == "Starting"
        for name in taken:
            story.ended(name=name, at=10_001)
            assert story.phase(name) == "Starting"

    def test_a_second_failure_within_five_seconds_is_one_too_many(self) -> None:
        for later, phase in ((4_999, "CrashLooping"), (5_000, "Starting")):
            story = self.story("one_for_all").ended(name="queue", at=10_000)
            for name in ("database", "web"):
                story.ended(name=name, at=10_000).accepted(name).ready(name)
            story.accepted("queue").ready("queue")
            story.ended(name="queue", at=10_000 + later)
            assert story.phase("queue") == phase
            for name in ("database", "web"):
                story.ended(name=name)
                assert story.phase(name) == phase


class TestEcs:
    """docs.aws.amazon.com, ECS API, ContainerRestartPolicy, ignoredExitCodes."""

    @pytest.mark.parametrize("code", [0, 155])
    def test_no_restart_after_a_code_that_is_ignored(self, code: int) -> None:
        one = dying("ecs", exit_=Exited(code=code)).until(HOUR)
        assert (len(one.starts), one.phase()) == (1, "Completed")

    def test_a_restart_after_any_other(self) -> None:
        assert len(dying("ecs", exit_=Exited(code=1)).until(HOUR).starts) > 1


class TestFly:
    """fly.io/docs, Machines, "Machine restart policy": on-failure and max_retries."""

    def test_ten_retries_and_then_it_is_stopped(self) -> None:
        one = dying("fly").until(HOUR)
        assert (len(one.waits), one.phase()) == (10, "Failed")
        clean = dying("fly", exit_=Exited(code=0)).until(HOUR)
        assert (len(clean.starts), clean.phase()) == (1, "Completed")


class TestCfContainerOrchestrator:
    """@jonbeckman/cf-container-orchestrator 1.0.0, LifecycleService, isCrashLooping.

    windowMs 600 000, allowedCrashes 3, no wait; ReconcileService starts it again.
    """

    def test_four_starts_at_once_in_ten_minutes_and_96_in_four_hours(self) -> None:
        one = dying("cf-container-orchestrator").until(4 * HOUR - 1)
        assert one.starts[:8] == [0] * 4 + [10 * MINUTE] * 4
        assert len(one.starts) == 96


def test_every_block_of_the_page_is_driven_by_a_test() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    for name in FILES:
        assert f'"{name}"' in text, name
    assert len(FILES) == len(BLOCK.findall(PAGE.read_text(encoding="utf-8")))
