"""What ``up`` tells of itself, as it is asked to."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from rich.console import Console

from orchestrator import MemoryJournal, Operator, SimulatedPlatform
from orchestrator.cli.live import show_live
from orchestrator.cli.telling import Telling, telling_options
from orchestrator.codec.api_choice import ApiChoice
from orchestrator.runtime.logs import LogFormat
from orchestrator.runtime.telemetry import NAMES_MAX
from tests.runtime.kit import fleet, spec
from tests.runtime.test_standby import until


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def told(*words: str) -> tuple[int, list[Telling]]:
    found: list[Telling] = []

    @click.command()
    @telling_options
    def command(*, telling: Telling) -> None:
        found.append(telling)

    return CliRunner().invoke(command, words).exit_code, found


def test_without_a_word_it_is_quiet_and_for_people() -> None:
    assert told() == (0, [Telling()])


def test_every_word_is_heard() -> None:
    words = "--log-format json --log-level debug --metrics-max-names 7"
    expected = Telling(log_format="json", log_level="debug", metrics_max_names=7)
    assert told(*words.split()) == (0, [expected])


@pytest.mark.parametrize(
    "words", ["--log-format xml", "--log-level loud", "--metrics-max-names -1"]
)
def test_what_there_is_not_is_a_mistake_of_usage(words: str) -> None:
    assert told(*words.split()) == (2, [])


@pytest.mark.parametrize(
    ("telling", "verbose", "level"),
    [
        (Telling(), False, logging.WARNING),
        (Telling(), True, logging.INFO),
        (Telling(log_level="error"), True, logging.INFO),
        (Telling(log_level="debug"), True, logging.DEBUG),
    ],
)
def test_verbose_is_short_for_info(
    telling: Telling, *, verbose: bool, level: int
) -> None:
    telling.begin(verbose=verbose)
    assert logging.getLogger().level == level


def test_a_word_is_in_place_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", raising=False)
    journal = Path("journal.db")
    assert Telling().telemetry(journal, 5).names_max == 5
    said = Telling(metrics_max_names=0).telemetry(journal, 5)
    assert (said.names_max, said.journal_file, said.traces) == (0, journal, None)
    assert ApiChoice().metrics_max_names == NAMES_MAX


@pytest.mark.parametrize("form", ["human", "json"])
def test_a_sentence_has_the_form_of_the_log(
    form: LogFormat, capsys: pytest.CaptureFixture[str]
) -> None:
    telling = Telling(log_format=form)
    telling.begin(verbose=False, fleet="demo")
    telling.say("listening")
    said = capsys.readouterr().err
    if form == "human":
        assert said == "listening\n"
    else:
        line = json.loads(said)
        assert (line["message"], line["fleet"]) == ("listening", "demo")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("is_seen", [True, False])
async def test_what_is_told_while_a_table_is_shown_stands_above_it(
    monkeypatch: pytest.MonkeyPatch, *, is_seen: bool
) -> None:
    """Where standard error goes to a file it goes there, and not to the terminal."""
    screen, errors = Terminal(), Terminal() if is_seen else io.StringIO()
    monkeypatch.setattr(sys, "stderr", errors)
    telling, end = Telling(), asyncio.Event()
    telling.begin(verbose=False)
    platform = SimulatedPlatform(speed=20)
    async with Operator.open(
        fleet(spec("web")), platform=platform, journal=MemoryJournal()
    ) as operator:
        console = Console(file=screen, force_terminal=True, width=100)
        showing = asyncio.ensure_future(show_live(operator, end, console))
        await until(lambda: "Ctrl-C" in screen.getvalue())
        telling.say("said to the owner")
        logging.getLogger("orchestrator").warning("found in the log")
        end.set()
        await showing
    for text in ("said to the owner", "found in the log"):
        assert (text in screen.getvalue()) == is_seen
        assert (text in errors.getvalue()) != is_seen
        assert f"go on{text}" not in screen.getvalue()
