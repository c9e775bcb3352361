"""Rollouts as a user types them, over processes of this machine."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from orchestrator.cli.client import Client
from orchestrator.cli.rollout_words import STATUSES, facts_of, hint_of, line_of
from orchestrator.core.lineages import RolloutStatus
from tests.cli.kit import COMMAND, LIMIT_S, Done, file_at, has_said, reached, run, up

FLEET = """
[fleet]
name = "shop"
[[containers]]
name = "web"
replicas = {replicas}
command = ["sh", "-c", "echo I am {version}; {program}"]
restart = {{ backoff = {{ initial_ms = 50, max_ms = 100 }} }}
{policy}
"""

POLICY = """
[containers.rollout]
strategy = "{strategy}"
min_ready = "{min_ready}"
container_deadline = "60s"
progress_deadline = "120s"
{more}
"""

SLEEP, DIE = "exec sleep 999", "exit 3"

DYING = "5s"
"""Who is ready for so long counts: a busy machine shows sooner that one has died."""


@attrs.frozen(kw_only=True)
class Shop:
    """A fleet with one service, and the operator that looks after it."""

    folder: Path
    strategy: str = "rolling"
    more: str = ""
    replicas: int = 3
    min_ready: str = "100ms"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def file(self, version: int, program: str = SLEEP) -> Path:
        policy = POLICY.format(
            strategy=self.strategy, min_ready=self.min_ready, more=self.more
        )
        text = FLEET.format(
            replicas=self.replicas, version=version, program=program, policy=policy
        )
        return file_at(self.folder, text)

    def says(self, *words: str) -> Done:
        return run(*words, "--state", str(self.state))

    def applies(self, version: int, program: str = SLEEP, *words: str) -> Done:
        return self.says("apply", str(self.file(version, program)), *words)

    def begins(self) -> Client:
        """Wait until all replicas of the first version are up."""
        client = reached(self.state)
        for index in range(self.replicas):
            ready: dict[str, Any] = {"for": "ready"}
            client.get("containers", f"web-{index}", "wait", **ready)
        return client

    def rollout(self) -> dict[str, Any]:
        info: dict[str, Any] = json.loads(
            self.says("rollout", "status", "web", "-o", "json").out
        )
        return info


def until(client: Client, is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Wait until a rollout is as it shall be, and return it."""
    late = time.monotonic() + LIMIT_S
    while True:
        info: dict[str, Any] = client.get("services", "web", "rollout")
        if is_so(info):
            return info
        assert time.monotonic() < late, info
        time.sleep(0.02)


def has_status(status: str) -> Callable[[dict[str, Any]], bool]:
    return lambda info: info["status"] == status


def all_say(shop: Shop, client: Client, line: str) -> None:
    """Wait until the newest run of each replica has said what it is.

    Those whom a rollout has replaced may be on their way out yet when it is over.
    """
    late = time.monotonic() + LIMIT_S
    while any(service["leaving"] for service in client.get("services")):
        assert time.monotonic() < late, client.get("services")
        time.sleep(0.02)
    for info in client.get("containers"):
        has_said(shop.state, info["name"], line)


def test_an_apply_follows_its_rollout_to_the_end(tmp_path: Path) -> None:
    shop = Shop(folder=tmp_path)
    with up(shop.file(1), shop.state):
        client = shop.begins()
        none = shop.says("rollout", "status", "web")
        assert (none.code, "has no rollout" in none.err) == (11, True)
        done = shop.applies(2)
        assert done.code == 0, done
        assert "3 to roll" in done.out
        assert "web: the rollout to revision 2 is done" in done.out
        all_say(shop, client, "I am 2")
        told = shop.says("rollout", "status", "web").out
        assert "revision: 2, from 1" in told
        assert told.count("counted\n") == 3
        assert "2          done" in shop.says("services").out
        assert "1 -> 2" in shop.says("rollout", "status").out
        history = shop.says("rollout", "history", "web")
        assert "I am 1" in history.out
        assert "rolling    done" in history.out
        again = json.loads(shop.applies(2, SLEEP, "-o", "json").out)
        assert (again["outcome"], again["rollouts"]) == ("settled", [])


def test_what_dies_is_reverted_and_tried_again_only_when_asked(tmp_path: Path) -> None:
    steps = 'steps = [{ share = "34%", soak = "300ms" }]\nfailure_budget = 1'
    shop = Shop(folder=tmp_path, strategy="canary", more=steps, min_ready=DYING)
    with up(shop.file(1), shop.state):
        client = shop.begins()
        runs = {info["name"]: info["run"] for info in client.get("containers")}
        done = shop.applies(2, DIE)
        assert done.code == 9, done
        assert "was reverted to revision 1" in done.err
        all_say(shop, client, "I am 1")
        now = {info["name"]: info["run"] for info in client.get("containers")}
        assert sum(now[name] != runs[name] for name in runs) == 1
        again = shop.applies(2, DIE)
        assert again.code == 9, "a job that runs again does not turn green"
        assert "nothing to change" in again.out
        said = "web: the rollout to revision 2 was reverted to revision 1: "
        for same in (again, shop.says("plan", str(shop.file(2, DIE)))):
            assert same.err.startswith(said)
            assert "`orchestrator rollout start web` tries it again" in same.err
        assert shop.says("plan", str(shop.file(2, DIE))).code == 0
        assert shop.applies(2, DIE, "--detach").code == 9
        machine = json.loads(shop.applies(2, DIE, "-o", "json").out)
        assert machine["outcome"] == "reverted"
        assert [each["revision"] for each in machine["rollouts"]] == [2]
        tried = shop.says("rollout", "start", "web", "--wait", "-o", "json")
        assert tried.code == 9, tried
        assert json.loads(tried.out)["status"] == "reverted"
        followed = shop.says("rollout", "status", "web", "--wait")
        assert followed.code == 9, followed
        machine = json.loads(shop.applies(3, DIE, "-o", "json").out)
        assert machine["outcome"] == "reverted"
        assert "exit 3" in machine["rollouts"][0]["reason"]
        back = shop.applies(1)
        assert back.code == 0, "what runs is declared again"
        told = "services.web.template: another one -> what runs already"
        assert told in back.out
        quiet = shop.applies(1)
        assert (quiet.code, quiet.err) == (0, "")
        assert shop.says("plan", str(shop.file(1))).err == ""


def test_what_is_to_be_held_stays_as_it_is(tmp_path: Path) -> None:
    more = 'on_failure = "hold"\nfailure_budget = 0'
    shop = Shop(folder=tmp_path, more=more, min_ready=DYING)
    with up(shop.file(1), shop.state):
        client = shop.begins()
        done = shop.applies(2, DIE)
        assert done.code == 9, done
        assert "is held" in done.err
        info = client.get("services", "web", "rollout")
        assert (info["old"], info["moved"]) == (2, 1)


def test_a_rollout_waits_for_its_owner(tmp_path: Path) -> None:
    steps = 'steps = [{ share = 1 }, { share = 2 }]\npromote = "manual"'
    shop = Shop(folder=tmp_path, strategy="canary", more=steps)
    with up(shop.file(1), shop.state):
        client = shop.begins()
        assert shop.applies(2, SLEEP, "--detach").code == 0
        info = until(client, has_status("awaiting_promotion"))
        assert (info["counted"], info["old"]) == (1, 2)
        late = shop.says("rollout", "status", "web", "--wait", "--timeout", "0s")
        assert (late.code, "it goes on" in late.err) == (3, True)
        assert "`orchestrator rollout promote web` has it go on" in late.out
        for action, code in (("start", 6), ("resume", 6), ("pause", 0), ("pause", 6)):
            done = shop.says("rollout", action, "web", "--why", "to look at it")
            assert done.code == code, (action, done)
        told = shop.says("rollout", "status", "web").out
        assert "is paused" in told
        assert "to look at it" in told
        assert shop.says("rollout", "promote", "web").code == 6
        assert shop.says("rollout", "resume", "web").code == 0
        assert shop.says("rollout", "promote", "web").code == 0
        _ = until(client, lambda info: info["counted"] == info["goal"] == 2)
        _ = until(client, has_status("awaiting_promotion"))
        done = shop.says("rollout", "promote", "web", "--wait", "--timeout", "60s")
        assert done.code == 0, done
        all_say(shop, client, "I am 2")


def test_a_rollout_is_aborted_and_a_service_goes_back(tmp_path: Path) -> None:
    shop = Shop(folder=tmp_path, min_ready="10s")
    with up(shop.file(1), shop.state):
        client = shop.begins()
        assert shop.applies(2, SLEEP, "--detach").code == 0
        assert shop.says("rollout", "start", "web").code == 6
        done = shop.says("rollout", "abort", "web", "--why", "too slow", "--wait")
        assert done.code == 0, done
        assert "aborted by" in done.out
        assert "too slow" in done.out
        all_say(shop, client, "I am 1")
        assert shop.says("rollout", "status", "web", "--wait").code == 9
        late = shop.says("rollout", "abort", "web")
        assert (late.code, "is reverted" in late.err) == (6, True)
        quick = attrs.evolve(shop, min_ready="100ms")
        assert quick.applies(2, SLEEP, "--detach").code == 0  # nothing but its pace
        assert shop.says("rollout", "start", "web", "--wait").code == 0
        all_say(shop, client, "I am 2")
        back = shop.says("rollout", "undo", "web", "--to", "1", "--wait")
        assert back.code == 0, back
        all_say(shop, client, "I am 1")
        gone = shop.says("rollout", "undo", "web", "--to", "99")
        assert (gone.code, "revision 99" in gone.err) == (11, True)


def test_new_ones_run_beside_the_old_until_all_are_there(tmp_path: Path) -> None:
    more = 'promote = "manual"\nkeep_old = "300ms"'
    shop = Shop(folder=tmp_path, strategy="blue_green", more=more, replicas=2)
    with up(shop.file(1), shop.state):
        client = shop.begins()
        assert shop.applies(2, SLEEP, "--detach").code == 0
        info = until(client, has_status("awaiting_promotion"))
        names = [each["name"] for each in info["members"]]
        assert names == ["web-0", "web-0.r2", "web-1", "web-1.r2"]
        assert shop.says("rollout", "promote", "web", "--wait").code == 0
        all_say(shop, client, "I am 2")
        assert client.get("services")[0]["members"] == ["web-0.r2", "web-1.r2"]
        assert shop.applies(3, SLEEP, "--detach").code == 0
        until(client, has_status("awaiting_promotion"))
        assert shop.says("rollout", "abort", "web", "--wait").code == 0
        all_say(shop, client, "I am 2")


def test_up_once_leaves_when_its_rollout_is_over(tmp_path: Path) -> None:
    shop = Shop(folder=tmp_path, min_ready="1500ms", more="failure_budget = 0")
    with up(shop.file(1), shop.state) as operator:
        shop.begins()
        operator.send_signal(signal.SIGKILL)
        operator.wait()
        good = shop.says("up", str(shop.file(2)), "--once")
        assert good.code == 0, good
        bad = shop.says("up", str(shop.file(3, DIE)), "--once")
        assert (bad.code, "was reverted to revision 2" in bad.err) == (9, True), bad
        with up(shop.file(3, DIE), shop.state):
            all_say(shop, reached(shop.state), "I am 2")


def test_who_follows_is_told_where_the_operator_has_ended(tmp_path: Path) -> None:
    shop = Shop(folder=tmp_path, min_ready="15s")
    with up(shop.file(1), shop.state) as operator:
        shop.begins()
        assert shop.applies(2, SLEEP, "--detach").code == 0
        command = ("rollout", "status", "web", "--wait", "--state", str(shop.state))
        with subprocess.Popen(
            (*COMMAND, *command),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as following:
            assert following.stdout is not None
            assert "is progressing" in following.stdout.readline()
            operator.send_signal(signal.SIGKILL)
            operator.wait()
            _, told = following.communicate(timeout=LIMIT_S)
        assert following.returncode == 5
        assert "the rollout goes on when its operator runs again" in told


def test_mistakes_are_told(tmp_path: Path) -> None:
    shop = Shop(folder=tmp_path)
    with up(shop.file(1), shop.state):
        shop.begins()
        for words, code, text in (
            (("status", "ghost"), 11, "there is no service 'ghost'"),
            (("start", "ghost"), 11, "there is no service 'ghost'"),
            (("history", "ghost"), 11, "there is no service 'ghost'"),
            (("history", "web"), 11, "has no rollout"),
            (("pause", "web"), 11, "has no rollout"),
            (("undo", "web", "--to", "0"), 2, "--to"),
            (("status", "--wait"), 2, "--wait needs a SERVICE"),
        ):
            done = shop.says("rollout", *words)
            assert (done.code, text in done.err) == (code, True), done


MORE = {
    "recreate": "",
    "rolling": "max_surge = 1",
    "canary": 'steps = [{ share = 1, soak = "1s" }]',
    "blue_green": 'keep_old = "1s"',
}


@pytest.mark.parametrize("strategy", MORE)
def test_a_rollout_goes_on_where_its_operator_was_killed(
    tmp_path: Path, strategy: str
) -> None:
    # It is not over before the operator is killed, however late that is.
    shop = Shop(folder=tmp_path, strategy=strategy, more=MORE[strategy], min_ready="5s")
    with up(shop.file(1), shop.state) as operator:
        client = shop.begins()
        assert shop.applies(2, SLEEP, "--detach").code == 0
        before = until(client, lambda info: info["moved"] > 0)
        operator.send_signal(signal.SIGKILL)
        operator.wait()
        assert before["status"] not in {"done", "reverted", "held"}
        with up(shop.file(2), shop.state):
            client = reached(shop.state)
            again = client.get("services", "web", "rollout")
            assert again["began_at"] == before["began_at"]
            done = shop.says("rollout", "status", "web", "--wait")
            assert done.code == 0, done
            all_say(shop, client, "I am 2")
            [web] = client.get("services")
            assert (web["ready"], web["leaving"], web["revision"]) == (3, [], 2)
            assert {info["run"] for info in client.get("containers")} <= {1, 2}
            verified = run("journal", "verify", str(shop.state / "journal.db"))
            assert verified.code == 0, verified.err


def test_every_status_has_its_words() -> None:
    assert set(STATUSES) == {status.value for status in RolloutStatus}
    for status in RolloutStatus:
        info: dict[str, Any] = {
            **dict.fromkeys(("revision", "previous", "step", "goal"), 1),
            **dict.fromkeys(("replicas", "counted", "moved", "old"), 1),
            **dict.fromkeys(("old_available", "failures", "budget"), 1),
            **dict.fromkeys(("since", "began_at", "progress_at"), 1),
            **dict.fromkeys(("service", "strategy", "by", "why", "reason"), "web"),
            **dict.fromkeys(("deadline", "ended_at")),
            "status": status.value,
            "until": 5,
            "back_to": 1,
        }
        assert line_of(info).startswith("web: the rollout to revision 1 ")
        assert facts_of(info)["asked_why"] == "web"
        waits = status.value in {"paused", "awaiting_promotion", "held", "reverted"}
        assert (hint_of(info) is not None) == waits
