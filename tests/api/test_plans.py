"""Plans and differences by HTTP: foreseen, never done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from orchestrator.api.headers import KEY_HEADER, REPLAYED_HEADER
from orchestrator.codec.wire import tree_of
from orchestrator.core.origins import Origin
from tests.api.test_app import Answer, api
from tests.runtime.kit import HOLD, fleet, spec

DECLARED = fleet(spec("web"), spec("dead", HOLD), reconcile_interval_ms=0)


def tree(*names: str) -> Any:
    return tree_of(fleet(*(spec(name) for name in names)))


def code(answer: Answer) -> str:
    return str(answer.body["error"]["code"])


async def test_a_plan_tells_what_it_would_change_and_changes_nothing(
    tmp_path: Path,
) -> None:
    async with api(tmp_path) as it:
        seq = it.kit.operator.seq
        same = await it.call("POST", "/v1/plan", json=tree_of(DECLARED))
        assert same.body["changes"] == []
        answer = await it.call("POST", "/v1/plan?prune=keep", json=tree("web", "new"))
        assert answer.status == 200
        changes = {one["name"]: one["action"] for one in answer.body["changes"]}
        assert changes == {"dead": "keep", "new": "create"}
        revisions = answer.body["revision_before"], answer.body["revision_after"]
        assert revisions == (1, 2)
        assert it.kit.operator.fleet.revision == 1
        assert it.kit.operator.seq == seq


async def test_a_plan_is_refused_as_the_apply_would_be(tmp_path: Path) -> None:
    async with api(tmp_path) as it:
        behind = {"If-Match": '"7"'}
        answer = await it.call("POST", "/v1/plan", json=tree("web"), headers=behind)
        assert (answer.status, code(answer)) == (409, "revision_conflict")
        wrong = await it.call("POST", "/v1/plan", json={"name": "demo", "x": 1})
        assert (wrong.status, code(wrong)) == (422, "invalid_spec")
        masked = tree("web")
        masked["containers"][0]["env"] = {"API_TOKEN": "***"}
        answer = await it.call("POST", "/v1/plan", json=masked)
        assert (answer.status, code(answer)) == (422, "invalid_spec")
        what = await it.call("POST", "/v1/plan?prune=burn", json=tree("web"))
        assert (what.status, code(what)) == (422, "invalid_spec")


async def test_an_apply_prunes_as_its_query_says(tmp_path: Path) -> None:
    async with api(tmp_path) as it:
        key = {KEY_HEADER: "deploy-7"}
        path, body = "/v1/spec?prune=keep", tree("web")
        for replayed in (None, "true"):
            answer = await it.call("PUT", path, json=body, headers=key)
            assert answer.status == 200
            assert answer.headers.get(REPLAYED_HEADER) == replayed
        assert it.kit.operator.fleet.containers["dead"].origin is Origin.AD_HOC
        other = await it.call("PUT", "/v1/spec?prune=stop", json=body, headers=key)
        assert (other.status, code(other)) == (422, "key_reused")


async def test_what_is_not_as_it_was_asked_for_is_told(tmp_path: Path) -> None:
    async with api(tmp_path) as it:
        answer = await it.call("GET", "/v1/diff")
        assert answer.status == 200
        (found,) = answer.body
        assert (found["name"], found["kind"]) == ("dead", "not_running")
        assert (found["asked"], found["found"]) == ("running", "crash_looping")
