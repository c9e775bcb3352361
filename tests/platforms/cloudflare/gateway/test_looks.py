"""How far a look goes: the module of the Worker, asked in node, by a quick clock.

A hundred milliseconds of the module are one here, and all containers live.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from orchestrator.platforms.cloudflare.project.files import gateway_sources
from tests.bench.machine import node

ROWS = 300
AT_ONCE = 32

ASK = """
const { setTimeout: real } = globalThis;
globalThis.setTimeout = (does, ms) => real(does, ms / 100);
const { Looks } = await import("./looks.js");
const [count, how, what, ...words] = JSON.parse(process.argv[2]);
const rows = Array.from({ length: count }, (_, at) => ({
  name: `web-${String(at).padStart(5, "0")}`, binding: "WEB", run: 1, view: null,
}));
const ledger = {
  rows: () => rows,
  all: () => rows,
  page: ({ after, limit }) => {
    const behind = rows.filter(({ name }) => name > after);
    const goesOn = behind.length > limit;
    const next = goesOn ? behind[limit - 1].name : null;
    return { rows: behind.slice(0, limit), next };
  },
  ends: () => ({ first: 1, last: 0 }),
  fact: () => "a-generation",
  keepView: () => {},
};
let asked = 0;
if (how === "late") {  // no timer fires, and each question takes a tenth of a second
  globalThis.setTimeout = () => 0;
  Date.now = () => 1_000 + asked * 100;
}
const answer = () => new Promise((resolve) => {
  asked += 1;
  if (how !== "silent") resolve({ run: 1, phase: "running" });
});
const object = { look: answer, load: answer };
const env = { WEB: { idFromName: (name) => name, get: () => object } };
const looks = new Looks(env, ledger, () => "fleet");
const isUnseen = ({ phase, in_flight }) =>
  phase === "unreachable" || (phase === undefined && in_flight === undefined);
const does = {
  async look(page) {
    const told = await looks.list(page ?? undefined);
    return seen(told, told.containers, page !== null);
  },
  async loads(page) {
    const told = await looks.loads(page);
    return seen(told, told.loads, true);
  },
  async returns(looksAt) {
    const after = [];
    for (let call = 0; call < 4; call++) {
      if (call === looksAt) await looks.list({ after: "", limit: 1 });
      await Promise.all([looks.afterReturn(), looks.afterReturn()]);
      after.push(asked);
    }
    return { after };
  },
};
async function seen({ next }, items, isPage) {
  const inTime = asked;
  const pause = () => new Promise((resolve) => real(resolve, 700));
  await pause();
  for (let waits = 0; !isPage && asked < count && waits < 40; waits++) await pause();
  const unseen = items.filter(isUnseen).length;
  return { items: items.length, unseen, next, inTime, asked };
}
process.stdout.write(JSON.stringify(await does[what](...words)));
process.exit(0);
"""

KEPT = """
const { saysTheSame } = await import("./ledger.js");
const told = JSON.parse(process.argv[2]).map(([kept, view]) => saysTheSame(kept, view));
process.stdout.write(JSON.stringify(told));
"""
VIEW: dict[str, Any] = {
    "name": "web",
    "run": 1,
    "phase": "running",
    "problem": {"raw": 'it said {"a":1,"now":5}'},
    "running": True,
    "now": 1_764_000_000_000,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("looks")
    for name, data in gateway_sources().items():
        (made / name).write_bytes(data)
    (made / "package.json").write_text('{"type": "module"}')
    (made / "ask.js").write_text(ASK)
    (made / "kept.js").write_text(KEPT)
    return made


def asked(folder: Path, *question: Any, script: str = "ask.js") -> Any:
    done = subprocess.run(
        [str(node("pinned")), script, json.dumps(question)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("what", ["look", "loads"])
@pytest.mark.parametrize(
    ("page", "items", "goes_on"),
    [
        ({"after": "", "limit": 200}, 200, "web-00199"),
        ({"after": "web-00199", "limit": 200}, 100, None),
    ],
)
def test_a_page_whose_time_is_up_asks_nobody_any_more(
    folder: Path, what: str, page: Any, items: int, goes_on: str | None
) -> None:
    told = asked(folder, ROWS, "silent", what, page)
    assert (told["items"], told["unseen"], told["next"]) == (items, items, goes_on)
    # Two or three rounds of five seconds each have begun within ten.
    assert 2 * AT_ONCE <= told["inTime"] <= told["asked"] <= 3 * AT_ONCE


def test_so_it_is_where_timers_are_late(folder: Path) -> None:
    told = asked(folder, ROWS, "late", "look", {"after": "", "limit": 200})
    assert 100 <= told["inTime"] == told["asked"] <= 100 + AT_ONCE
    assert told["unseen"] == 200 - told["asked"]


def test_a_whole_list_goes_on_to_wake_everybody(folder: Path) -> None:
    told = asked(folder, ROWS, "silent", "look", None)
    assert (told["items"], told["unseen"]) == (ROWS, ROWS)
    assert "next" not in told
    assert told["inTime"] <= 3 * AT_ONCE < ROWS == told["asked"]


def test_a_registry_that_has_come_back_asks_some_pages_with_each_call(
    folder: Path,
) -> None:
    told = asked(folder, 17_000, "answers", "returns", None)
    assert told["after"] == [8_000, 16_000, 17_000, 17_000]


def test_it_leaves_the_rest_to_an_operator_that_looks_by_itself(folder: Path) -> None:
    told = asked(folder, 17_000, "answers", "returns", 1)
    assert told["after"] == [8_000, 8_001, 8_001, 8_001]


def test_what_a_container_says_is_kept_unless_only_its_clock_went_on(
    folder: Path,
) -> None:
    kept = json.dumps(VIEW, separators=(",", ":"))
    others: dict[str, Any] = {
        "run": 2,
        "phase": "ended",
        "problem": {"raw": 'it said {"a":1,"now":6}'},
        "running": False,
    }
    changed = [{**VIEW, fact: other} for fact, other in others.items()]
    later = {**VIEW, "now": VIEW["now"] + 5}
    views = [VIEW, later, *changed]
    told = asked(folder, *((kept, view) for view in views), script="kept.js")
    assert told == [True, True, *(False for _ in changed)]
    assert asked(folder, (None, VIEW), script="kept.js") == [False]
