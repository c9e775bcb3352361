"""``replay timeline`` as its users see it: words, a tree, a drawing; hostile texts."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import attrs
import pytest
from click import ClickException
from click.testing import CliRunner, Result

from orchestrator.cli.plain import TEXT_MOST
from orchestrator.cli.replay_timeline import timeline
from orchestrator.cli.svg import Scale
from orchestrator.cli.time_axis import axis_of_day
from orchestrator.cli.timeline_svg import LANES_MOST, drawing_of
from orchestrator.cli.timeline_text import by_container, by_time
from orchestrator.cli.timeline_words import plain, sentences, was_already
from orchestrator.cli.times_of_day import clock_of, date_of, day_of, offset_of
from orchestrator.core.errors import NoCapacity, Refused
from orchestrator.core.events import CommandKind, TimeReached
from orchestrator.core.exits import Exited, StartFailed, Unhealthy
from orchestrator.core.health import CheckKind
from orchestrator.core.phases import Rule
from orchestrator.core.state import RULES
from orchestrator.journal.jsonl import export_rows
from orchestrator.journal.port import START, Row, chained
from orchestrator.replay.timelines.happenings import (
    Asked,
    Checked,
    Closed,
    Decided,
    Entered,
    Fate,
    Happening,
    Left,
    LookFailed,
    LostSight,
    Opened,
    OrderFailed,
    RunBegun,
    RunEnded,
    RunReady,
    RunUp,
    TookOver,
    What,
    Wish,
)
from orchestrator.replay.timelines.recording import Recorder
from orchestrator.replay.timelines.strips import Strips
from tests.cli.kit import run
from tests.replay.golden import GOLDEN

JOURNAL = str(GOLDEN / f"journal.rules-{RULES}.2.jsonl.gz")
OLDER = str(GOLDEN / "journal.rules-1.2.jsonl.gz")
INCIDENT = str(GOLDEN.parents[1] / "docs" / "examples" / "incident.jsonl.gz")
KNOWN = ("--policies", "tests.replay.golden:STRIKES")
SVG = "{http://www.w3.org/2000/svg}"
NASTY = "</text><script>\x1b[31m\x07\x9b2J\u202e\ud800\n"
HERE: dict[str, Any] = {"seq": 7, "at": 3_000, "name": "web"}


def told(*words: str) -> Result:
    return CliRunner().invoke(timeline, (*words, *KNOWN))


def done(*words: str) -> str:
    result = told(*words)
    assert result.exit_code == 0, result.output
    return result.stdout


# The command


def test_each_container_is_told_with_its_sums_its_runs_and_its_rules() -> None:
    text = done(JOURNAL)
    assert "the fleet\n" in text
    head = text.splitlines()[0]
    assert head.startswith("rows 1 to 854, from 1970-01-01 ")
    assert "\nimage-missing\n  ready 0.00 % of " in text
    assert f"an operator takes over: epoch 1, rules {RULES}" in text
    assert "owner applies its fleet file" in text
    assert max(map(len, text.splitlines())) <= 80
    flaky = text.partition("\nflaky\n")[2].partition("\n\n")[0]
    assert "starts run 1 of revision 1 (it was declared)" in flaky
    assert "failure backoff: it" in flaky


def test_all_of_it_can_be_told_in_order_of_time() -> None:
    lines = done(JOURNAL, "--by-time").splitlines()
    rows = [int(line.split("#")[1].split()[0]) for line in lines if " #" in line[:20]]
    assert rows == sorted(rows)
    assert max(map(len, lines)) <= 80
    assert any("fleet: an operator takes over" in line for line in lines)


def test_a_stretch_of_one_container_is_told_alone() -> None:
    text = done(JOURNAL, "--container", "extra", "--since", "450", "--until", "520")
    assert text.startswith("rows 451 to 520, from ")
    assert "is running already, run 1, ready" in text
    assert "flaky" not in text


def test_where_there_is_no_row_that_is_said() -> None:
    assert done(JOURNAL, "--since", "9999").startswith("no row, from ")
    assert "nothing happened" in done(JOURNAL, "--by-time", "--until", "0")


def test_of_each_container_the_newest_rows_are_kept_and_the_others_counted() -> None:
    text = done(JOURNAL, "--container", "flaky", "--limit", "2")
    assert "rows before these are left out; see --limit)" in text
    flaky = text.partition("\nflaky\n")[2]
    assert flaky.count("#") == 2


def test_the_tree_has_stable_names() -> None:
    tree = json.loads(done(JOURNAL, "-o", "json", "--container", "flaky"))
    assert list(tree) == [
        "begins_at",
        "ends_at",
        "first_row",
        "last_row",
        "boots",
        "requests",
        "failed_looks",
        "rollouts",
        "left_out",
        "rows_decided_otherwise",
        "first_row_decided_otherwise",
        "containers",
    ]
    (flaky,) = tree["containers"]
    assert list(flaky) == [
        "name",
        "totals",
        "spans",
        "runs",
        "waits",
        "decisions",
        "requests",
        "health",
        "failures",
        "left_out",
    ]
    first = flaky["runs"][0]
    assert first["exit"] == {"type": "unhealthy", "check": "liveness"}
    assert first["exit_text"] == "unhealthy: liveness"
    assert (first["row"], first["ended_row"], first["rule"]) == (3, 65, "declared")
    assert {one["event"] for one in flaky["decisions"]} >= {"container_ended"}
    assert {one["failed"] for one in flaky["failures"]} == {"start"}


def test_what_nobody_told_but_a_look_has_seen_is_said() -> None:
    text = done(INCIDENT, "--container", "worker")
    assert max(map(len, text.splitlines())) <= 80
    rows = dict(re.findall(r"#(\d+) +(.*?)(?=\n  \d\d:|\Z)", text, re.DOTALL))
    seen = {row for row, words in rows.items() if "(seen by a look, nobody" in words}
    assert seen == {"29", "34", "42", "50"}
    assert "run 4 is up (seen by a look); run 4 is ready\n" in text
    (worker,) = json.loads(done(INCIDENT, "-o", "json", "--container", "worker"))[
        "containers"
    ]
    assert {
        str(run["ended_row"]) for run in worker["runs"] if run["ended_seen"]
    } == seen
    facts = [
        (run["started_seen"], run["ready_seen"], run["ended_seen"])
        for run in worker["runs"]
    ]
    assert facts[0] == (False, False, False)
    assert facts[1] == (None, None, True)
    assert facts[4] == (True, None, True)


def test_a_journal_of_older_rules_is_told_and_what_differs_is_said() -> None:
    result = told(OLDER)
    assert result.exit_code == 0
    assert "125 rows hold other commands than today's code decides" in result.stderr
    assert "the first is row 138" in result.stderr


def test_a_database_tells_the_same_as_its_export(tmp_path: Path) -> None:
    state = tmp_path / "journal.db"
    assert run("journal", "import", JOURNAL, str(state)).code == 0
    assert done(str(state)) == done(JOURNAL) == done(str(tmp_path))


def test_a_drawing_is_written_and_may_come_with_the_tree(tmp_path: Path) -> None:
    file = tmp_path / "t.svg"
    assert done(JOURNAL, "--svg", str(file)) == f"drawn into {file}\n"
    root = ET.fromstring(file.read_text(encoding="utf-8"))  # noqa: S314 - ours
    texts = [each.text for each in root.iter(f"{SVG}text")]
    assert {"flaky", "steady", "1970-01-01"} <= set(texts)
    first = file.read_bytes()
    tree = json.loads(done(JOURNAL, "--svg", str(file), "-o", "json"))
    assert len(tree["containers"]) == len([t for t in texts if t and "%" in t]) - 1
    assert file.read_bytes() == first


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--container", "nope"), 11, "there is no container 'nope'"),
        (("--since", "9", "--until", "3"), 2, "--until 3 lies before --since 9"),
        (
            ("--since", "1970-01-02T00:00Z", "--until", "1970-01-01T00:00Z"),
            2,
            "--until lies before --since",
        ),
        (("--svg", "/nowhere/at/all.svg"), 2, "/nowhere/at/all.svg: No such file"),
        (("--by-time", "-o", "json"), 2, "--by-time tells in text only"),
        (("--by-time", "--svg", "x.svg"), 2, "--by-time tells in text only"),
        (("--limit", "0"), 2, "0 is not in the range"),
        (("--since", "soon"), 2, "expected a time such as"),
    ],
)
def test_a_mistake_gets_a_sentence(
    words: tuple[str, ...], code: int, says: str
) -> None:
    result = CliRunner().invoke(
        timeline, (JOURNAL, *words, *KNOWN), standalone_mode=False
    )
    error = result.exception
    assert isinstance(error, ClickException)
    assert says in error.message
    assert getattr(error, "code", error.exit_code) == code


def test_a_policy_that_is_not_registered_is_named() -> None:
    result = CliRunner().invoke(timeline, (JOURNAL,))
    assert "policy or rollout strategy 'strikes'" in str(result.output)


def test_a_damaged_journal_is_told_up_to_the_damage(tmp_path: Path) -> None:
    import gzip

    lines = gzip.decompress(Path(JOURNAL).read_bytes()).splitlines(keepends=True)
    file = tmp_path / "j.jsonl"
    file.write_bytes(b"".join(lines[:30]) + b"{]\n")
    done_ = run("replay", "timeline", str(file), *KNOWN)
    assert done_.code in {8, 10}
    assert "the fleet" in done_.out
    assert "Traceback" not in done_.err


def test_a_compacted_journal_is_told_from_where_it_begins(tmp_path: Path) -> None:
    state = str(tmp_path / "journal.db")
    assert run("journal", "import", JOURNAL, state).code == 0
    assert run("journal", "compact", state, "--keep-rows", "50", *KNOWN).code == 0
    assert done(state).startswith("rows 805 to 854, from ")
    assert done(state, "--since", "820").startswith("rows 821 to 854, from ")
    for words in (("--since", "3"), ("--until", "1970-01-01T00:00:00Z")):
        result = CliRunner().invoke(
            timeline, (state, *words, *KNOWN), standalone_mode=False
        )
        assert isinstance(result.exception, ClickException)
        assert "the journal begins behind row 804" in result.exception.message


# Hostile texts


def hostile() -> tuple[Happening, ...]:
    entered = Entered(
        **HERE,
        phase="backing_off",
        entered_at=0,
        run=None,
        ready=False,
        wanted=True,
        rule=Rule.FAILURE_BACKOFF,
        planned=99_000,
        attempt=1,
        waits_for=NASTY,
    )
    return (
        Opened(seq=6, at=0),
        Asked(seq=7, at=3_000, name="", wish=Wish.APPLY, by=NASTY, why=NASTY),
        LookFailed(seq=7, at=3_000, cause=NASTY),
        Asked(**{**HERE, "name": NASTY}, wish=Wish.START, by=NASTY, why=NASTY),
        Checked(**HERE, run=1, check=CheckKind.LIVENESS, passing=False, cause=NASTY),
        LostSight(**HERE, run=1, cause=NASTY),
        OrderFailed(
            **HERE, run=1, kind=CommandKind.STOP, error=Refused(cause=NASTY * 99)
        ),
        Decided(
            **HERE,
            event=TimeReached(at=0),
            what=What.WAIT,
            rule=Rule.GROUP_RESTART,
            until=99_000,
            waits_for=NASTY,
        ),
        Decided(
            **HERE,
            event=TimeReached(at=0),
            what=What.STOP,
            run=1,
            verdict=StartFailed(reason=NASTY),
        ),
        entered,
        attrs.evolve(entered, seq=8, name=NASTY),
        Closed(seq=8, at=9_000),
    )


def test_no_control_and_no_markup_gets_through() -> None:
    for lines in (by_time(hostile()), by_container(hostile(), 9)):
        text = "\n".join(lines)
        assert all(line.isprintable() for line in text.splitlines())
        assert "\\x1b[31m" in text
    recorder, strips = Recorder(9), Strips()
    for item in hostile():
        recorder.take(item)
        strips.take(item)
    page = drawing_of(recorder.timeline(), strips, NASTY)
    root = ET.fromstring(page)  # noqa: S314 - our own
    assert root.find(f".//{SVG}script") is None
    assert "\x1b" not in page


def test_hostile_texts_of_a_real_journal_do_not_reach_the_terminal(
    tmp_path: Path,
) -> None:
    from orchestrator.core.admit import admit
    from orchestrator.core.fleet_specs import FleetSpec
    from orchestrator.core.reduce import step_of
    from orchestrator.core.requests import Apply
    from orchestrator.core.specs import ContainerSpec
    from orchestrator.replay.history import NOTHING
    from orchestrator.runtime.steps import draft_of

    spec = FleetSpec(
        name="demo", containers=(ContainerSpec(name="web", command=("run",)),)
    )
    text = NASTY.replace("\ud800", "")
    event = admit(NOTHING, Apply(spec=spec, by=text, why=text), 5).unwrap()
    rows: tuple[Row, ...] = chained(START, [draft_of(step_of(NOTHING, event))])
    file = tmp_path / "j.jsonl"
    export_rows(file, rows)
    for words in ((), ("--by-time",), ("-o", "json")):
        shown = done(str(file), *words)
        assert all(each.isprintable() or each == "\n" for each in shown)


def test_a_text_without_end_is_cut() -> None:
    assert len(plain("a" * 10**6)) == TEXT_MOST
    assert plain("a\tb") == "a\\tb"


# Words


def only(*items: Happening) -> str:
    return "; ".join(sentences(items))


EVENT = TimeReached(at=0)


@pytest.mark.parametrize(
    ("items", "words"),
    [
        ((Opened(seq=0, at=0), Closed(seq=0, at=0)), ""),
        (
            (TookOver(seq=1, at=0, epoch=3, rules=2),),
            "an operator takes over: epoch 3, rules 2",
        ),
        (
            (Asked(**HERE, wish=Wish.START, by="me", why="", force=True),),
            "me asks for a start by force",
        ),
        (
            (Asked(**HERE, wish=Wish.STOP, by="me", why="late"),),
            "me asks for a stop: late",
        ),
        (
            (
                Checked(
                    **HERE, run=2, check=CheckKind.READINESS, passing=True, cause=""
                ),
            ),
            "the readiness check of run 2 passes",
        ),
        (
            (OrderFailed(**HERE, run=2, kind=CommandKind.FORGET, error=NoCapacity()),),
            "the removal from the platform failed: no capacity",
        ),
        (
            (
                RunEnded(
                    **HERE,
                    run=2,
                    fate=Fate.ENDED,
                    exit=Exited(code=7),
                    crashed=True,
                    started_at=1_000,
                    ready_at=2_000,
                ),
            ),
            "run 2 ended: exit 7, a crash, up 2s, ready 1s",
        ),
        (
            (
                OrderFailed(**HERE, run=2, kind=CommandKind.START, error=NoCapacity()),
                RunEnded(
                    **HERE,
                    run=2,
                    fate=Fate.ENDED,
                    exit=NoCapacity(),
                    crashed=False,
                    started_at=None,
                    ready_at=None,
                ),
            ),
            "run 2 ended: no capacity, it was never up",
        ),
        (
            (
                RunEnded(
                    **HERE,
                    run=2,
                    fate=Fate.REFUSED,
                    exit=None,
                    crashed=False,
                    started_at=None,
                    ready_at=None,
                ),
            ),
            "run 2 never began: the platform knows a newer run",
        ),
        (
            (
                RunEnded(
                    **HERE,
                    run=2,
                    fate=Fate.LET_GO,
                    exit=None,
                    crashed=False,
                    started_at=1_000,
                    ready_at=None,
                ),
            ),
            "run 2 is let go, and runs on",
        ),
        (
            (
                RunBegun(
                    **HERE, run=3, revision=1, adopted=True, started_at=0, ready_at=0
                ),
            ),
            "run 3 is found alive and ready, and is taken over",
        ),
        ((RunUp(**HERE, run=3),), "run 3 is up"),
        ((RunReady(**HERE, run=3, ready=False),), "run 3 is not ready any more"),
        ((RunUp(**HERE, run=3, seen=True),), "run 3 is up (seen by a look)"),
        (
            (RunReady(**HERE, run=3, ready=True, seen=True),),
            "run 3 is ready (seen by a look)",
        ),
        (
            (
                RunUp(**HERE, run=3, seen=True),
                RunReady(**HERE, run=3, ready=True, seen=True),
            ),
            "run 3 is up (seen by a look); run 3 is ready",
        ),
        (
            (
                RunEnded(
                    **HERE,
                    run=2,
                    fate=Fate.ENDED,
                    exit=Exited(code=70),
                    crashed=True,
                    started_at=None,
                    ready_at=None,
                    seen=True,
                ),
            ),
            "run 2 ended: exit 70, a crash (seen by a look, nobody told),"
            " it was never up",
        ),
        ((Left(**HERE),), "it has left the fleet"),
    ],
)
def test_an_item_is_told_in_a_sentence(
    items: tuple[Happening, ...], words: str
) -> None:
    assert only(*items) == words


@pytest.mark.parametrize(
    ("what", "more", "words"),
    [
        (What.QUEUE, {"rule": Rule.DECLARED}, "waits for its turn to start (it was"),
        (What.QUEUE, {"waits_for": "db"}, "waits for db, which it depends on"),
        (What.WAIT, {"until": 5_000, "attempt": 2}, "waits 2s, until "),
        (What.WAIT, {"until": 10**9}, " on 1970-01-1"),
        (What.COOL_DOWN, {"until": 5_000}, "crash loop: cools down 2s, until "),
        (What.HOLD, {"waits_for": "db"}, "is held, with db of its group"),
        (What.COMPLETE, {}, "is done"),
        (What.GIVE_UP, {"rule": Rule.MAX_RESTARTS}, "is given up (max restarts: "),
        (What.REST, {}, "rests"),
        (What.SLEEP, {}, "sleeps"),
        (What.START, {"run": 3}, "starts run 3"),
        (What.START_AGAIN, {"run": 3}, "commands the start of run 3 again"),
        (What.STOP, {"run": 3}, "stops run 3, which it is not to have"),
        (
            What.DESTROY,
            {"run": 3, "verdict": Unhealthy(check="liveness")},
            "destroys run 3, to end as: unhealthy: liveness",
        ),
        (What.FORGET, {}, "has the platform forget it"),
    ],
)
def test_a_decision_is_told_with_its_rule(
    what: What, more: dict[str, Any], words: str
) -> None:
    assert words in only(Decided(**HERE, event=EVENT, what=what, **more))


def entered(phase: str, **more: Any) -> Entered:
    fields: dict[str, Any] = {
        "entered_at": 0,
        "run": 3,
        "ready": False,
        "wanted": True,
        "rule": None,
        "planned": None,
        "attempt": 0,
        "waits_for": "",
    }
    return Entered(**HERE, phase=phase, **{**fields, **more})


def test_where_a_container_is_is_told_only_where_nothing_else_has_said_it() -> None:
    assert only(entered("starting")) == ""
    assert only(entered("unknown")) == "run 3 is out of sight"
    assert only(entered("running")) == "run 3 is seen again"
    assert only(RunUp(**HERE, run=3), entered("running")) == "run 3 is up"
    goes_on = only(entered("stopping"))
    assert goes_on == "run 3 goes on ending, then it will start again"
    assert only(entered("stopping", wanted=False)).endswith("then it will rest")
    stop = Decided(**HERE, event=EVENT, what=What.STOP, run=3)
    assert only(stop, entered("stopping")) == only(stop)
    loop = entered("crash_looping", rule=Rule.CRASH_LOOP_HOLD, run=None, planned=9_000)
    assert was_already(loop).startswith("is crash looping already, 6s, until ")


def test_times_beyond_the_calendar_are_numbers() -> None:
    far = 10**18
    assert clock_of(far) == f"{far} ms"
    assert (day_of(far), date_of(far), offset_of(far)) == ("no date", "no date", 0)
    scale = Scale(begin=far, end=far + 10_000, left=0, right=100)
    assert any(str(far) in piece for piece in axis_of_day(scale, 10, 0))


@pytest.mark.parametrize(
    ("span", "label"),
    [(2_000, ":00.500"), (60_000, ":10"), (86_400_000, ":00<"), (30 * 86_400_000, "-")],
)
def test_an_axis_shows_times_as_exact_as_its_steps(span: int, label: str) -> None:
    begin = 1_764_115_200_000
    scale = Scale(begin=begin, end=begin + span, left=100, right=900)
    pieces = list(axis_of_day(scale, 10, 0))
    labels = [piece for piece in pieces if "<text" in piece]
    assert 3 <= len(labels) <= 20
    assert any(label in piece for piece in labels)


def test_more_lanes_than_one_can_look_at_are_counted() -> None:
    recorder, strips = Recorder(1), Strips()
    items: list[Happening] = [Opened(seq=0, at=0)]
    items += [
        attrs.evolve(entered("failed", rule=Rule.NEVER_RESTART), name=f"c{n:04}")
        for n in range(LANES_MOST + 3)
    ]
    items.append(Closed(seq=9, at=9_000))
    for item in items:
        recorder.take(item)
        strips.take(item)
    page = drawing_of(recorder.timeline(), strips, "many")
    assert "3 more containers are not drawn" in page
    assert "c0499" in page
    assert "c0501" not in page


def test_a_drawing_of_nothing_says_so() -> None:
    page = drawing_of(Recorder(1).timeline(), Strips(), "empty")
    assert "nothing happened" in page
    assert "No container" in page
    ET.fromstring(page)  # noqa: S314 - our own
