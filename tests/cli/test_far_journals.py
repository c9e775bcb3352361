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
        ("replay", "bisect", "{}", "--when", "restarts('web-0') > 0", "-o", "json"),
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
    filled.gateway.journal_faults.extend([Status(503, b"{}")] * 3)
    lost = await filled.journal("verify", file)
    assert (lost.code, "unreachable" in lost.err) == (5, True)
    filled.gateway.journal_faults.extend([Status(503, b"{}")] * 3)
    down = await filled.journal("compact", file, "--keep-rows", "9")
    assert down.code == 5
    again = await filled.journal("verify", file, *POLICIES)
    assert again.code == 0


ASKING: tuple[tuple[str, ...], ...] = (
    ("journal", "info", "{}"),
    ("journal", "verify", "{}"),
    ("journal", "export", "{}", "copy.jsonl"),
    ("journal", "import", str(EXPORT), "{}"),
    ("journal", "compact", "{}", "--keep-rows", "9"),
    ("journal", "repair", "{}"),
    ("replay", "{}", "--until", "9"),
    ("replay", "timeline", "{}"),
    ("replay", "bisect", "{}", "--when", "restarts('web-0') > 0"),
    ("replay", "diff", "{}", str(EXPORT)),
    ("replay", "what-if", "{}", "--skip", "9"),
)
"""Every command that asks a gateway for its journal."""


@pytest.mark.parametrize("words", ASKING)
async def test_who_is_not_let_in_is_told_which_token_it_was(
    ground: Ground, words: tuple[str, ...]
) -> None:
    """And not that the gateway cannot be reached: it has answered."""
    place = [word.format(ground.file) for word in words]
    if words[1] == "export":
        place[-1] = str(ground.folder / place[-1])
    missing = await ground.run(*place)
    told = "the secret GATEWAY_TOKEN is not set in the environment"
    assert (missing.code, told in missing.err) == (7, True), missing.err
    assert "--secrets FILE names another place" in missing.err
    empty = ground.folder / "empty"
    empty.write_text("OTHER=1\n", encoding="utf-8")
    empty.chmod(0o600)
    none = await ground.run(*place, "--secrets", str(empty))
    told = f"the secret GATEWAY_TOKEN is not set in {empty}"
    assert (none.code, told in none.err) == (7, True), none.err
    ground.gateway.tokens = {"another-token-of-it"}
    wrong = await ground.run(*place, "--secrets", str(ground.secrets))
    assert wrong.code == 7, wrong.err
    assert "not authorized: unauthorized: expected a bearer token" in wrong.err
    assert f"the secret GATEWAY_TOKEN of {ground.secrets} has to be what" in wrong.err
    assert "`npx wrangler secret put GATEWAY_TOKEN`" in wrong.err
    assert "unavailable" not in wrong.err
    given = await ground.run(*place, GATEWAY_TOKEN="a-wrong-token-of-it")
    assert (given.code, "a-wrong-token-of-it" in given.err) == (7, False)


async def test_the_past_and_a_plan_say_the_same_of_a_wrong_token(
    ground: Ground,
) -> None:
    state = ground.folder / "state"
    words = ("up", str(ground.file), "--state", str(state), "--once")
    assert (await ground.run(*words, "--secrets", str(ground.secrets))).code == 0
    ground.gateway.tokens = {"another-token-of-it"}
    looks = (
        ("list", "--at", "3", "--state", str(state)),
        ("status", "web", "--at", "3", "--state", str(state)),
        ("plan", str(ground.file), "--state", str(state)),
        ("journal", "info", str(state)),
        (*words, "--secrets", str(ground.secrets)),
    )
    for look in looks:
        done = await ground.run(*look)
        assert (done.code, "GATEWAY_TOKEN of" in done.err) == (7, True), done.err
    ground.secrets.unlink()
    for look in looks[:4]:
        done = await ground.run(*look)
        told = "the secret GATEWAY_TOKEN is not set in the environment"
        assert (done.code, told in done.err) == (7, True), done.err


# Repaired


async def altered(ground: Ground, seq: int) -> list[bytes]:
    """Alter a row at the gateway; return it and all behind it."""
    rows = ground.gateway.archive.rows
    rows[seq].body = rows[seq].body.replace(b'"at":', b'"at":9')
    return [row.body + b"\n" for at, row in rows.items() if at >= seq]


async def test_a_damaged_journal_is_repaired_from_here(filled: Ground) -> None:
    file = str(filled.file)
    rest = await altered(filled, ROWS - 4)
    damaged = await filled.journal("verify", file, *POLICIES)
    assert (damaged.code, f"at row {ROWS - 4}" in damaged.err) == (8, True)
    done = await filled.journal("repair", file)
    side = filled.folder / f"demo.journal.after-{ROWS - 5}.jsonl"
    assert (done.code, done.out.splitlines()) == (
        0,
        [
            f"the journal ends at row {ROWS - 5}; 0 rows are lost",
            f"5 rows behind a damage are in {side}",
        ],
    ), done.err
    assert side.read_bytes() == b"".join(rest)
    assert (await filled.journal("verify", file, *POLICIES)).code == 0
    again = await filled.journal("repair", file)
    assert again.out == f"the journal ends at row {ROWS - 5}; 0 rows are lost\n"


async def test_what_may_not_be_repaired_is_as_it_was(filled: Ground) -> None:
    file, gateway = str(filled.file), filled.gateway
    compact = ("compact", file, "--keep-rows", "50", "--no-archive", *POLICIES)
    assert (await filled.journal(*compact)).code == 0
    await altered(filled, ROWS - 4)
    before = gateway.archive.head
    for version, said in (
        ("1.3.0", "this gateway is 1.3.0"),
        ("1.10", "this gateway is old"),
        (None, "this gateway is old"),
    ):
        gateway.version = version
        old = await filled.journal("repair", file)
        told = f"{said}: `journal repair` needs 1.4.0"
        assert (old.code, told in old.err) == (6, True), old.err
        assert "deploy it" in old.err
    gateway.version = "1.10.0"
    gateway.faults.extend([Status(200, b'{"epoch":1,"holder":null}'), Status(401, b"")])
    assert (await filled.journal("repair", file)).code == 7
    gateway.lease.grant(1, {"holder": "host/1", "ms": 600_000})
    held = await filled.journal("repair", file)
    assert (held.code, "host/1 leads this fleet" in held.err) == (6, True)
    gateway.lease.grant(1, None)
    gateway.archive.base_body[0] = b'{"another":1}'
    base = await filled.journal("repair", file)
    assert (base.code, "nothing was cut off" in base.err) == (8, True)
    assert gateway.archive.head == before
    assert not [*filled.folder.glob("*.after-*")]


async def test_a_cut_that_is_in_doubt_names_the_archive(filled: Ground) -> None:
    file, beside = str(filled.file), filled.folder
    compact = ("compact", file, *POLICIES, "--keep-rows")
    archive = beside / f"demo.journal.rows-1-{ROWS - 100}.jsonl.gz"
    filled.gateway.dead_at = "journal/base"
    doubt = await filled.journal(*compact, "100")
    assert doubt.code == 5
    assert f"were cut off is not known: they are in {archive}, which" in doubt.err
    filled.gateway.dead_at = None
    done = await filled.journal(*compact, "50")
    assert done.code == 0, done.err
    gone = f"{archive}, of a cut that was not made, had no other rows: it is gone"
    assert gone in done.out
    (left,) = beside.glob("*.rows-*")
    assert left.name == f"demo.journal.rows-1-{ROWS - 50}.jsonl.gz"


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
