"""Logs: a line an event, about something, and never two lines of one."""

from __future__ import annotations

import asyncio
import io
import logging
import sys
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from orchestrator.runtime.logs import configure_logging, plain, tell_lifecycle
from tests.api.live.kit import steps
from tests.runtime.kit import HOLD, LIMIT_MS, Faulty, fleet, opened, spec, value

LOG = logging.getLogger("orchestrator.test")
HOSTILE = "a\r\nlevel=error \x1b[2J\u2028\u202etxt\x85"


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def as_json(stream: io.StringIO) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in stream.getvalue().split("\n")[:-1]]


def test_a_line_of_json_says_what_it_is_about() -> None:
    stream = io.StringIO()
    configure_logging("json", "info", stream)
    about = {"fleet": "demo", "container": "web", "run": 3, "seq": 9, "secret": "no"}
    LOG.info("it %s", "works", extra=about)
    (line,) = as_json(stream)
    assert line.pop("at").endswith("Z")
    assert line == {
        "level": "info",
        "logger": "orchestrator.test",
        "message": "it works",
        "fleet": "demo",
        "container": "web",
        "run": 3,
        "seq": 9,
    }


def test_a_line_for_people_says_the_same() -> None:
    stream = io.StringIO()
    configure_logging("human", "info", stream)
    LOG.warning("it works", extra={"fleet": "demo", "seq": 9})
    line = stream.getvalue()
    assert line.endswith("Z WARNING fleet=demo seq=9 it works\n")


@pytest.mark.parametrize("form", ["json", "human"])
def test_no_text_can_begin_a_line_or_move_a_cursor(form: Any) -> None:
    stream = io.StringIO()
    configure_logging(form, "info", stream)
    LOG.info("it said: %s", HOSTILE, extra={"container": HOSTILE})
    text = stream.getvalue()
    assert len(text.splitlines()) == 1
    assert text[:-1].isprintable()


@pytest.mark.parametrize("form", ["json", "human"])
def test_what_an_exception_says_is_not_told_for_it_may_hold_a_secret(
    form: Any,
) -> None:
    stream = io.StringIO()
    configure_logging(form, "info", stream)
    try:
        raise ValueError("hunter2")  # noqa: TRY301 - it is logged here
    except ValueError:
        LOG.exception("it broke")
    text = stream.getvalue()
    assert "it broke (ValueError)" in text
    assert "test_logs.py" in text
    assert "hunter2" not in text
    assert len(text.splitlines()) == 1


def test_a_long_message_is_cut() -> None:
    assert plain("x" * 9_000).endswith("... (cut)")
    assert len(plain("x" * 9_000)) < 2_100


def test_the_level_says_what_is_left_out_and_the_last_call_holds() -> None:
    first, second = io.StringIO(), io.StringIO()
    configure_logging("human", "info", first)
    configure_logging("json", "error", second)
    LOG.warning("not told")
    LOG.error("told")
    assert not first.getvalue()
    assert [line["message"] for line in as_json(second)] == ["told"]


def test_by_default_it_goes_to_standard_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    configure_logging()
    LOG.warning("told")
    assert "told" in stream.getvalue()
    assert not capsys.readouterr().out


async def test_the_lives_of_containers_are_told() -> None:
    stream = io.StringIO()
    configure_logging("json", "info", stream)
    async with opened(fleet(spec("web"), spec("dead", HOLD))) as kit:
        await value(kit.operator.wait("web", limit_ms=LIMIT_MS))
        await kit.container("dead", "crash_looping")
    seq = kit.operator.seq
    lines = [
        line for line in as_json(stream) if line["logger"] == "orchestrator.lifecycle"
    ]
    assert all(
        line["fleet"] == "demo" and 1 <= line["seq"] <= seq and line["run"] >= 0
        for line in lines
    )
    web = [line for line in lines if line["container"] == "web"]
    assert (web[0]["phase"], web[-1]["phase"]) == ("pending", "running")
    assert [line["message"] for line in web[-2:]] == ["started", "ready"]
    dead = [line for line in lines if line["container"] == "dead"]
    ended = next(line for line in dead if line["message"].startswith("ended: "))
    assert (ended["event"], ended["run"]) == ("container_ended", 1)
    assert ended["exit"] == ended["message"].removeprefix("ended: ")
    held = dead[-1]
    assert (held["phase"], held["rule"]) == ("crash_looping", "crash_loop_hold")
    assert held["message"].startswith("crash looping: ")


def test_a_wait_says_when_it_ends_and_which_rule_decided() -> None:
    stream = io.StringIO()
    configure_logging("json", "info", stream)
    for seed in (2, 4, 5):
        for seq, step in enumerate(steps(seed), start=1):
            tell_lifecycle(seq, step, step.touched)
    lines = as_json(stream)
    waits = [line for line in lines if line.get("phase") == "backing_off"]
    assert waits
    assert all("rule" in line and line["next_start_at"] > 0 for line in waits)


def test_where_nobody_listens_nothing_is_worked_out() -> None:
    stream = io.StringIO()
    configure_logging("json", "warning", stream)
    for seq, step in enumerate(steps(2)[:20], start=1):
        tell_lifecycle(seq, step, step.touched)
    assert as_json(stream) == []
    configure_logging("json", "info", stream)
    for seq, step in enumerate(steps(2)[20:60], start=21):
        tell_lifecycle(seq, step, step.touched)
    lines = as_json(stream)
    assert lines
    assert all(line["seq"] > 20 for line in lines)


def test_every_line_says_of_which_fleet_it_is() -> None:
    stream = io.StringIO()
    configure_logging("json", "info", stream, fleet="demo")
    LOG.info("one")
    LOG.info("two", extra={"fleet": "other"})
    assert [line["fleet"] for line in as_json(stream)] == ["demo", "other"]


async def test_a_line_about_a_container_names_it() -> None:
    stream = io.StringIO()
    configure_logging("json", "warning", stream, fleet="demo")
    platform = Faulty()
    platform.bug = RuntimeError()  # before it is asked for anything
    async with opened(fleet(spec("web")), platform=platform):
        while "adapter failed" not in stream.getvalue():  # noqa: ASYNC110 - a line
            await asyncio.sleep(0.01)
        platform.bug = None
    found = [line for line in as_json(stream) if "adapter failed" in line["message"]]
    assert found[0]["container"] == "web"
    assert found[0]["run"] >= 1
    assert found[0]["fleet"] == "demo"
