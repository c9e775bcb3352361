"""Commands on a journal behind a gateway: a fleet file names it, the token opens it."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from orchestrator.core.state import RULES
from tests.cli.kit import Done, run
from tests.platforms.cloudflare.fake_gateway import TOKEN
from tests.platforms.cloudflare.fake_rest import Status
from tests.platforms.cloudflare.keeping_gateway import (
    KeepingGateway,
    fleet_file,
    secrets_file,
)
from tests.replay.golden import GOLDEN

EXPORT = GOLDEN / f"journal.rules-{RULES}.2.jsonl.gz"
ROWS = gzip.decompress(EXPORT.read_bytes()).count(b"\n") - 2
POLICIES = ("--policies", "tests.replay.golden:STRIKES")


@attrs.frozen
class Ground:
    """A gateway, the fleet file that names it, and the file with its token."""

    gateway: KeepingGateway
    folder: Path
    file: Path
    secrets: Path

    async def run(self, *words: str, **more: str) -> Done:
        """Run a command in this folder's own state, with no token but a given one."""
        env = {**os.environ, "XDG_STATE_HOME": str(self.folder / "states"), **more}
        env.pop("GATEWAY_TOKEN", None)
        done = await asyncio.to_thread(run, *words, env=env)
        assert "Traceback" not in done.err, done.err
        assert TOKEN not in done.out + done.err
        return done

    async def journal(self, *words: str) -> Done:
        return await self.run("journal", *words, "--secrets", str(self.secrets))

    async def good(self, *words: str) -> str:
        done = await self.run(*words, "--secrets", str(self.secrets))
        assert done.code == 0, done.err
        return done.out


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[Ground]:
    gateway = KeepingGateway()
    url = await gateway.go_up()
    yield Ground(gateway, tmp_path, fleet_file(tmp_path, url), secrets_file(tmp_path))
    await gateway.close()


@pytest.fixture
async def filled(ground: Ground) -> Ground:
    out = await ground.good("journal", "import", str(EXPORT), str(ground.file))
    assert out == f"{ROWS} rows\n"
    return ground


async def test_a_journal_goes_there_and_back(filled: Ground) -> None:
    out = filled.folder / "back.jsonl.gz"
    told = await filled.good("journal", "export", str(filled.file), str(out))
    assert told.startswith(f"{ROWS} rows, the last with digest ")
    assert gzip.decompress(out.read_bytes()) == gzip.decompress(EXPORT.read_bytes())
    near = filled.folder / "journal.db"
    assert (await filled.run("journal", "import", str(out), str(near))).code == 0
    redacted = filled.folder / "redacted.jsonl"
    words = ("export", str(filled.file), str(redacted), "--redact")
    assert (await filled.journal(*words)).code == 0
    assert b"golden" not in redacted.read_bytes()


async def test_info_tells_what_it_tells_of_an_export(filled: Ground) -> None:
    words = ("-o", "json", *POLICIES)
    ours: Any = json.loads(
        await filled.good("journal", "info", str(filled.file), *words)
    )
    theirs: Any = json.loads(
        (await filled.run("journal", "info", str(EXPORT), *words)).out
    )
    apart = {"file", "kind", "bytes", "held_by"}
    assert {k: v for k, v in ours.items() if k not in apart} == {
        k: v for k, v in theirs.items() if k not in apart
    }
    assert (ours["kind"], ours["held_by"]) == ("durable_object", None)
    assert ours["file"].startswith("http://127.0.0.1:")
    assert ours["bytes"] > 100 * ROWS
    filled.gateway.lease.grant(1, {"holder": "host/1", "ms": 600_000})
    held = await filled.good("journal", "info", str(filled.file), *POLICIES)
    assert "held_by:      host/1" in held


async def test_it_is_replayed_and_verified_as_an_export_is(filled: Ground) -> None:
    file = str(filled.file)
    verified = await filled.good("journal", "verify", file, *POLICIES)
    assert f"{ROWS} rows are whole, {ROWS} replay to the same decisions" in verified
    for question in (
        ("replay", "{}", "--until", "99", "-o", "json"),
        ("replay", "timeline", "{}", "-o", "json"),
        ("replay", "bisect", "{}", "restarts('web-0') > 0", "-o", "json"),
    ):
        ours = await filled.run(
            *(word.format(file) for word in question),
            *(*POLICIES, "--secrets", str(filled.secrets)),
        )
        theirs = await filled.run(
            *(word.format(EXPORT) for word in question), *POLICIES
        )
        assert (ours.code, ours.out) == (theirs.code, theirs.out), question
    both = ("replay", "diff", file, str(EXPORT), *POLICIES)
    alike = await filled.run(*both, "--secrets", str(filled.secrets))
    assert alike.code == 0, alike.err


async def test_an_import_goes_on_and_writes_over_nothing(ground: Ground) -> None:
    plain = ground.folder / "plain.jsonl"
    plain.write_bytes(gzip.decompress(EXPORT.read_bytes()))
    file, gateway = str(ground.file), ground.gateway
    gateway.archive.is_full = True
    full = await ground.journal("import", str(plain), file)
    assert (full.code, "is full" in full.err) == (5, True)
    gateway.archive.is_full = False
    head = plain.read_bytes().splitlines(keepends=True)
    cut = ground.folder / "cut.jsonl"
    cut.write_bytes(b"".join(head[:100]))
    refused = await ground.journal("import", str(cut), file)
    assert (refused.code, gateway.archive.head["seq"]) == (10, 0)
    taken = await ground.journal("import", str(cut), file, "--damaged")
    assert (taken.code, gateway.archive.head["seq"]) == (10, 99)
    assert (await ground.journal("import", str(plain), file)).code == 0
    assert gateway.archive.head["seq"] == ROWS
    over = await ground.journal("import", str(cut), file, "--damaged")
    assert (over.code, "it is not empty: it ends at" in over.err) == (5, True)


async def test_a_fleet_file_names_its_database_too(ground: Ground) -> None:
    file = fleet_file(ground.folder, "http://127.0.0.1:9", kind="sqlite")
    state = ground.folder / "states" / "orchestrator" / "demo"
    state.mkdir(parents=True)
    for words in (("import", str(EXPORT), str(file)), ("verify", str(file), *POLICIES)):
        done = await ground.run("journal", *words)
        assert done.code == 0, done.err
    assert (state / "journal.db").exists()
    assert ground.gateway.archive.seen == []


async def test_the_oldest_rows_are_cut_off_to_a_file_beside_the_fleet_file(
    filled: Ground,
) -> None:
    file = str(filled.file)
    needs = await filled.journal("compact", file, "--keep-rows", "9")
    assert (needs.code, "policy" in needs.err) == (2, True)
    compact = ("compact", file, *POLICIES)
    done = await filled.journal(*compact, "--keep-rows", "100")
    assert done.code == 0, done.err
    archive = filled.folder / f"demo.journal.rows-1-{ROWS - 100}.jsonl.gz"
    assert done.out.splitlines()[:2] == [
        f"rows 1 to {ROWS - 100} are in {archive}",
        f"the journal begins behind row {ROWS - 100} and has 100 rows",
    ]
    for place in (file, str(archive)):
        verified = await filled.journal("verify", place, *POLICIES)
        assert verified.code == 0, verified.err
    named = filled.folder / "named.jsonl"
    words = ("--keep-rows", "50", "--archive", str(named))
    assert (await filled.journal(*compact, *words)).code == 0
    assert named.exists()
    let_go = await filled.journal(*compact, "--keep-rows", "1", "--no-archive")
    assert "are gone" in let_go.out


async def test_who_leads_is_not_disturbed(filled: Ground) -> None:
    filled.gateway.lease.grant(1, {"holder": "host/1", "ms": 600_000})
    file, before = str(filled.file), filled.gateway.archive.head
    for words in (
        ("compact", file, "--keep-rows", "100", *POLICIES),
        ("import", str(EXPORT), file),
    ):
        done = await filled.journal(*words)
        assert (done.code, "host/1 leads this fleet" in done.err) == (6, True)
    assert filled.gateway.archive.head == before
    assert filled.gateway.archive.base is None


async def test_what_is_in_the_way_is_said_in_a_sentence(filled: Ground) -> None:
    file = str(filled.file)
    missing = await filled.run("journal", "verify", file)
    assert missing.code == 7
    assert "the secret GATEWAY_TOKEN is not set" in missing.err
    filled.gateway.tokens = {"another-token-of-it"}
    wrong = await filled.journal("verify", file)
    assert (wrong.code, "not authorized" in wrong.err) == (5, True)
    filled.gateway.tokens = {TOKEN}
    filled.gateway.journal_faults.extend([Status(503, b"{}")] * 3)
    lost = await filled.journal("verify", file)
    assert (lost.code, "unreachable" in lost.err) == (5, True)
    filled.gateway.journal_faults.extend([Status(503, b"{}")] * 3)
    down = await filled.journal("compact", file, "--keep-rows", "9")
    assert down.code == 5
    repaired = await filled.journal("verify", file, *POLICIES)
    assert repaired.code == 0
    refused = await filled.run("journal", "repair", file)
    assert (refused.code, "behind a gateway" in refused.err) == (2, True)


async def test_an_operator_keeps_its_journal_behind_the_gateway(ground: Ground) -> None:
    state = ground.folder / "state"
    words = ("up", str(ground.file), "--state", str(state), "--once")
    done = await ground.run(*words, "--secrets", str(ground.secrets))
    assert done.code == 0, done.err
    archive = ground.gateway.archive
    assert archive.head["seq"] > 0
    assert archive.fleets
    assert not (state / "journal.db").exists()
    assert ground.secrets.read_text() not in (state / "fleet.json").read_text()
    # No operator runs: its journal is read where it is, with the token that it had.
    place = str(archive.head["seq"])
    past = await ground.run("status", "web", "--at", place, "--state", str(state))
    assert past.code == 0, past.err
    planned = await ground.run("plan", str(ground.file), "--state", str(state))
    assert planned.code == 0, planned.err
    told = await ground.run("journal", "info", str(state), "-o", "json")
    assert json.loads(told.out)["kind"] == "durable_object"
    copy = ground.folder / "copy.jsonl"
    exported = await ground.run("journal", "export", "--state", str(state), str(copy))
    assert exported.code == 0, exported.err
    assert copy.read_bytes().count(b"\n") == archive.head["seq"] + 2
    # Another start goes on with it, and so does the end of all.
    rows = archive.head["seq"]
    again = await ground.run(*words, "--secrets", str(ground.secrets))
    assert again.code == 0, again.err
    assert archive.head["seq"] > rows
    down = await ground.run(
        "down", "--state", str(state), "--secrets", str(ground.secrets)
    )
    assert down.code == 0, down.err


async def test_a_journal_that_was_left_in_the_folder_is_to_be_moved_first(
    ground: Ground,
) -> None:
    state = ground.folder / "state"
    state.mkdir()
    (state / "journal.db").write_bytes(b"")
    words = ("up", str(ground.file), "--state", str(state), "--once")
    done = await ground.run(*words, "--secrets", str(ground.secrets))
    assert done.code == 6
    assert "`orchestrator journal import` moves it" in done.err
    assert ground.gateway.archive.head["seq"] == 0
    nobody = await ground.run(*words)
    assert (nobody.code, "is not set" in nobody.err) == (7, True)
    ground.gateway.journal_faults.extend([Status(503, b"{}")] * 3)
    lost = await ground.run(*words, "--secrets", str(ground.secrets))
    assert lost.code == 5
