"""``policy explain``, and custom policies that a fleet file names."""

from __future__ import annotations

import json
import os
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from orchestrator.cli.policy_svg import Drawn, draw_schedules
from orchestrator.core.policies import CrashLimit, RestartPolicy
from orchestrator.core.schedule import Fate, schedule
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.terms import FixedTerms
from tests.cli.kit import file_at, run

FLEET = """
[fleet]
name = "shop"
[[containers]]
name = "web"
command = ["run"]
replicas = 2
ports = { http = 80 }
stop_grace = "7s"
[containers.health.startup]
tcp = { port = "http" }
initial_delay = "1s"
[containers.health.readiness]
http = { port = "http", path = "/ready", statuses = [204] }
[containers.health.liveness]
http = { port = "http", path = "/alive" }
[[containers]]
name = "job"
command = ["run"]
health.liveness.command = ["true", "-x"]
[containers.restart]
when = "always"
max_restarts = 9
success_codes = [0, 3]
lost_after = "2m"
on_lost = "replace"
crash = { allowed_crashes = 5, on_loop = "hold" }
backoff = { delays = ["1s", "10s", "1m"], jitter = 0.5 }
exit_rules = [
  { codes_not_in = [0, 1, 3], action = "fail" },
  { signals = ["KILL", 34], action = "ignore" },
  { kinds = ["lost"], action = "complete" },
]
[[containers]]
name = "once"
command = ["run"]
restart = { when = "never", on_lost = "wait" }
[ad_hoc]
command = ["run"]
restart = { backoff = { factor = 1, jitter = 0 } }
[groups.core]
strategy = "rest_for_one"
members = ["web", "job"]
"""


@pytest.fixture
def fleet(tmp_path: Path) -> str:
    return str(file_at(tmp_path, FLEET))


def test_every_service_is_explained_once(fleet: str) -> None:
    done = run("policy", "explain", fleet)
    assert (done.code, done.err) == (0, "")
    heads = [line for line in done.out.splitlines() if line and line[0] not in " ─"]
    assert heads == [
        "web: 2 containers",
        "job: one container",
        "once: one container",
        "ad-hoc: the template of ad-hoc containers",
    ]


def test_a_policy_is_told_in_words(fleet: str) -> None:
    told = run("policy", "explain", fleet, "job").out
    for words in (
        "restarted after failures and after a clean end (exit 0 or 3)",
        "waits 1s, 10s, then 1m each time, spread by 50%",
        "up and ready for 10m: its failures are forgiven",
        "given up for good after 10 failures in a row",
        "a crash loop is 6 failures within 10m; it is held until somebody resets it",
        "so are 6 starts in a row that failed",
        "lost, once it was unknown for 2m",
        "member of group core; its end takes along those after it: nobody",
        "0. exit code other than 0, 1 or 3: a failure, given up at once",
        "1. signal KILL or 34: counts as nothing, and restarted",
        "2. kind lost: a success, and done",
        "`true -x` must exit with 0 every 10s",
        "runs that fail so: held after 6 times within 3m11s",
        "runs that end with 0 at once: restarted each time, 1s after the last end",
        "warning: success_codes names 0, which is a success anyway",
        "note: max_restarts 9 is reached by slow failures only",
    ):
        assert words in told
    once = run("policy", "explain", fleet, "once").out
    assert "a failure is final; a clean end (exit 0) completes it" in once
    assert "never lost, however long it is unknown" in once
    assert "waits 1s each time\n" in run("policy", "explain", fleet, "ad-hoc").out


def test_checks_are_told_with_the_time_they_take(fleet: str) -> None:
    told = run("policy", "explain", fleet, "web-1").out
    for words in (
        "startup: port http must take a connection every 10s; a start that does not"
        " pass has failed within 32s",
        "readiness: GET /ready on port http must answer 204 every 10s; one that hangs"
        " is not ready any more within 3 x 10s + 1s = 31s, and ready again within 11s",
        "a hung process is noticed within 3 x 10s + 1s = 31s, then stopped (killed 7s"
        " later), a failure",
        "its end takes along those after it: job",
    ):
        assert words in told


def test_the_table_lists_what_the_policy_does(fleet: str) -> None:
    told = run("policy", "explain", fleet, "web", "--restarts", "5").out
    rows = [line.split() for line in told.splitlines() if line.strip()[:1].isdigit()]
    assert [row[:7] for row in rows] == [
        ["1", "0s", "0s", "1", "of", "3", "1s"],
        ["2", "1s", "1s", "2", "of", "3", "2s"],
        ["3", "3s", "3s", "3", "of", "3", "4s"],
        ["4", "7s", "7s", "4", "of", "3", "9m53s"],
        ["5", "10m", "10m", "4", "of", "3", "16s"],
    ]
    lives = run("policy", "explain", fleet, "web", "--lives", "10m").out
    assert "if each run fails after 10m (exit 1)" in lives
    assert "runs that fail so: restarted each time, 1s after the last end" in lives


def test_programs_get_json(fleet: str) -> None:
    done = run("policy", "explain", fleet, "-o", "json", "--restarts", "4")
    web, job, once, ad_hoc = json.loads(done.out)
    assert (web["name"], web["replicas"], ad_hoc["replicas"]) == ("web", 2, 0)
    assert web["failures"][3] == {
        "number": 4,
        "began_at": 7_000,
        "ended_at": 7_000,
        "phase": "crash_looping",
        "rule": "crash_loop_cooldown",
        "why": "it fails too often and cools down",
        "attempt": 4,
        "counted": 4,
        "wait_ms": 593_000,
        "least_ms": 593_000,
        "most_ms": 593_000,
        "start_at": 600_000,
    }
    assert len(job["exit_rules"]) == 3
    assert job["warnings"] == ["success_codes names 0, which is a success anyway"]
    assert once["failures"][0]["start_at"] is None
    assert once["clean_exits"][0]["phase"] == "completed"


def test_what_cannot_be_explained_is_told_without_a_traceback(
    fleet: str, tmp_path: Path
) -> None:
    done = run("policy", "explain", fleet, "wbe")
    assert done.code == 11
    assert done.err == (
        f"orchestrator: {fleet}: no container is called 'wbe'; did you mean \"web\"?\n"
    )
    assert run("policy", "explain", fleet, "zzzzzz").err.endswith("'zzzzzz'\n")
    assert run("policy", "explain", str(tmp_path / "none.toml")).code == 2
    for words in (["--restarts", "0"], ["--lives", "soon"], ["--lives", "-1s"]):
        done = run("policy", "explain", fleet, *words)
        assert done.code == 2
        assert "Traceback" not in done.err
    done = run("policy", "explain", fleet, "--svg", str(tmp_path / "no" / "x.svg"))
    assert done.code == 5
    assert "No such file or directory" in done.err
    bad = file_at(tmp_path, "[flet]")
    assert run("policy", "explain", str(bad)).code == 2
    empty = file_at(tmp_path, '[fleet]\nname = "x"')
    done = run("policy", "explain", str(empty))
    assert (done.code, done.out) == (0, "")


SVG = "{http://www.w3.org/2000/svg}"


def test_the_drawing_tells_its_content_in_words(fleet: str, tmp_path: Path) -> None:
    out = tmp_path / "web.svg"
    done = run("policy", "explain", fleet, "--svg", str(out), "--lives", "5s")
    assert f"drawn into {out}" in done.out
    drawn = ET.fromstring(out.read_bytes())  # noqa: S314 - our own
    assert drawn.get("width") == "800"
    assert drawn.findtext(f"{SVG}title") == "Restarts of fleet.toml"
    about = drawn.findtext(f"{SVG}desc") or ""
    assert "web: 2 containers: failure 1 at 5s, waits 1s;" in about
    assert "once: one container: failure 1 at 5s, failed: it failed" in about
    texts = {each.text for each in drawn.iter(f"{SVG}text")}
    assert "window of 10m: 4 failures, 3 allowed" in texts
    assert "1s (900ms to 1s100ms), failure backoff" in texts
    again = tmp_path / "again.svg"
    run("policy", "explain", fleet, "--svg", str(again), "--lives", "5s")
    assert again.read_bytes() == out.read_bytes()


@pytest.mark.parametrize("allowed", [0, 1, 3])
@pytest.mark.parametrize("name", ["web", "<&\"'\0>"])
def test_any_schedule_can_be_drawn(allowed: int, name: str) -> None:
    crash = CrashLimit(allowed_crashes=allowed, window_ms=10_000)
    spec = ContainerSpec(
        name="web", command=("run",), restart=RestartPolicy(crash=crash)
    )
    for restarts in (1, 2, 7):
        found = schedule(spec, FixedTerms(), Fate(restarts=restarts))
        one = Drawn(
            name=name, words=(name,), schedule=found, window_ms=10_000, allowed=allowed
        )
        picture = draw_schedules([one], file=name, fate="fails")
        assert ET.fromstring(picture).tag == f"{SVG}svg"  # noqa: S314 - our own


OWN = """
from orchestrator import CustomPolicy, GiveUp, RestartAt

def decide(told):
    if told.attempts > 2:
        return GiveUp()
    return RestartAt(at=told.ended_at + 200 * told.attempts)

ONE = CustomPolicy(name="own", version=1, decide=decide)
MANY = (ONE, CustomPolicy(name="own", version=2, decide=decide))
TWICE = [ONE, ONE]
STRANGE = [3]
"""


def own(folder: Path, name: str, version: int = 1) -> str:
    """Write a fleet that names the policies of a module beside it."""
    (folder / "own_policies.py").write_text(OWN)
    line = f'policies = "own_policies:{name}"' if name else ""
    text = f"""
[fleet]
name = "own"
min_restart_delay = "1ms"
{line}
[[containers]]
name = "web" # never ready, however late its end is seen: nobody listens there
command = ["false"]
ports = {{ http = 8080 }}
restart = {{ custom = {{ name = "own", version = {version} }} }}
"""
    return str(file_at(folder, text))


@pytest.mark.parametrize(("name", "version"), [("ONE", 1), ("MANY", 2)])
def test_a_custom_policy_of_the_file_is_asked(
    tmp_path: Path, name: str, version: int
) -> None:
    done = run("policy", "explain", own(tmp_path, name, version), "-o", "json")
    (web,) = json.loads(done.out)
    assert [each["wait_ms"] for each in web["failures"]] == [200, 400, None]
    assert "the policy 'own' version" in web["words"][0]


@pytest.mark.parametrize(
    ("name", "version", "cause"),
    [
        ("", 1, "expected a fleet that names its policies, found 'own'"),
        (
            "NONE",
            1,
            "fleet.policies: 'own_policies:NONE' cannot be loaded: AttributeError",
        ),
        ("decide", 1, "holds no policies: TypeError: 'function' object is not iter"),
        (
            "STRANGE",
            1,
            "fleet.policies: 'own_policies:STRANGE' holds no policies: 3 is no Custom",
        ),
        ("TWICE", 1, "policy 'own' version 1 is given twice"),
        ("ONE", 2, "rollout strategy 'own' version 2, which is not registered"),
    ],
)
def test_policies_that_are_not_there_are_told(
    tmp_path: Path, name: str, version: int, cause: str
) -> None:
    fleet = own(tmp_path, name, version)
    state = ("--state", str(tmp_path / "state"))
    for words in (("policy", "explain", fleet), ("up", fleet, "--once", *state)):
        done = run(*words)
        assert done.code == 2
        assert cause in done.err
        assert "Traceback" not in done.err
    assert not (tmp_path / "state" / "fleet.json").exists()


def test_a_fleet_with_a_custom_policy_lives_and_is_verified(tmp_path: Path) -> None:
    fleet, state = own(tmp_path, "ONE"), tmp_path / "state"
    done = run("up", fleet, "--once", "--state", str(state))
    assert done.code == 4
    assert "web is failed: a policy of the embedding program said so" in done.err
    journal = str(state / "journal.db")
    assert run("journal", "verify", journal).code == 2
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    verified = run(
        "journal", "verify", journal, "--policies", "own_policies:ONE", env=env
    )
    assert verified.code == 0, verified.err
    assert "replay to the same decisions" in verified.out
    assert run("down", "--state", str(state)).out == "everything is down\n"
