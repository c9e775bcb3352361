"""A journal goes out as a file, also in other words, and comes back."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import click
import orjson
import pytest
from click.testing import CliRunner

from orchestrator.cli import exports
from orchestrator.cli.failing import Failed
from orchestrator.cli.main import cli
from orchestrator.cli.outputs import Output
from orchestrator.codec.wire import encode_fleet
from orchestrator.core.events import Declaration, SpecApplied
from orchestrator.core.fields import Json
from orchestrator.core.fleet_specs import FleetSettings
from orchestrator.core.policies import CustomPolicyRef, RestartPolicy
from orchestrator.core.reduce import fold, step_of
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import RULES
from orchestrator.core.table import Table
from orchestrator.journal.jsonl import export_rows
from orchestrator.journal.port import START, Draft, Row, Snapshot, chained
from orchestrator.journal.reading import Reading, entry_of, open_reading
from orchestrator.replay.history import NOTHING, Entry
from orchestrator.replay.redacted.pseudonyms import Vocabulary
from orchestrator.runtime.outcomes import opened
from orchestrator.runtime.steps import draft_of
from tests.cli.kit import COMMAND, Done
from tests.replay.golden import POLICIES, golden_path

GOLDEN = golden_path(RULES).with_name(f"journal.rules-{RULES}.2.jsonl.gz")
STRIKES = ("--policies", "tests.replay.golden:STRIKES")
NAMES = (b"steady", b"golden", b"extra", b"never-ready", b"http", b"image-missing")


def run(*words: str) -> Done:
    """Run a command within this process: its output, its exit code."""
    result = CliRunner().invoke(cli, words, standalone_mode=False)
    match result.exception:
        case None:
            return Done(0, result.stdout, result.stderr)
        case Failed() as error:
            return Done(error.code, result.stdout, result.stderr + error.message)
        case click.UsageError() as error:
            return Done(2, result.stdout, error.message)
        case other:
            raise other


def good(done: Done) -> str:
    assert done.code == 0, done.err
    return done.out


def lines(path: Path) -> list[Any]:
    data = path.read_bytes()
    data = gzip.decompress(data) if path.suffix == ".gz" else data
    return [orjson.loads(line) for line in data.splitlines()]


def entries(path: Path) -> list[Entry]:
    read = opened(open_reading(path))
    assert isinstance(read, Reading)
    found = list(read.entries())
    assert read.error is None
    read.close()
    return found


@pytest.fixture
def original(tmp_path: Path) -> Path:
    """Return the beginning of a golden journal: small, and with everything in it."""
    read = opened(open_reading(GOLDEN))
    assert isinstance(read, Reading)
    rows = tuple(row for row in read.rows() if row.seq <= 120)
    read.close()
    path = tmp_path / "original.jsonl.gz"
    opened(export_rows(path, rows))
    return path


def test_a_redacted_export_replays_and_says_nothing(
    original: Path, tmp_path: Path
) -> None:
    out, names, back = (tmp_path / name for name in ("a.jsonl", "names", "back.db"))
    said = good(
        run(
            *("journal", "export", "--redact", "--names-to", str(names)),
            *(str(original), str(out)),
        )
    )
    assert said.startswith("120 rows in other words, the last with digest ")
    assert not any(name in out.read_bytes() for name in NAMES)
    header, *rows, end = lines(out)
    original_end = lines(original)[-1]["end"]
    assert header["redacted"] == {"of": original_end["digest"], "kept": []}
    assert end["end"]["seq"] == 120
    assert [row["at"] for row in rows] == [row["at"] for row in lines(original)[1:-1]]
    way_back = json.loads(names.read_text())
    assert way_back["fleet"] == {"golden": "fleet-1"}
    assert way_back["name"]["dead"] == "c01"
    assert names.stat().st_mode & 0o077 == 0

    said = good(run("journal", "import", str(out), str(back)))
    digest = original_end["digest"][:16]
    assert said == (
        f"120 rows, in other words; the original ends with digest {digest}\n"
    )
    for place in (out, back):
        assert "120 replay to the same" in good(
            run("journal", "verify", str(place), *STRIKES)
        )
    again = tmp_path / "again.jsonl"
    good(run("journal", "export", str(back), str(again)))
    assert again.read_bytes().splitlines()[1:] == out.read_bytes().splitlines()[1:]


def test_what_was_allowed_is_kept_and_the_header_says_so(
    original: Path, tmp_path: Path
) -> None:
    out, other = tmp_path / "a.jsonl.gz", tmp_path / "b.jsonl"
    keep = ("--keep", "names", "--keep", "config")
    good(run("journal", "export", "--redact", *keep, str(original), str(out)))
    header, *rows, _ = lines(out)
    assert header["redacted"]["kept"] == ["config", "names"]
    assert rows[1]["event"]["fleet"] == "golden"
    spec = rows[1]["event"]["declarations"][0]["spec"]
    assert (spec["command"], list(spec["ports"])) == (["run"], ["http"])
    good(run("journal", "export", str(out), str(other)))
    assert lines(other)[0] == header


def test_an_export_goes_through_pipes(original: Path) -> None:
    plain = gzip.decompress(original.read_bytes())
    for words in (("-", "-"), (str(original), "-")):
        done = subprocess.run(
            (*COMMAND, "journal", "export", *words),
            input=plain,
            capture_output=True,
            check=True,
        )
        assert done.stdout == plain
        assert done.stderr.startswith(b"120 rows, the last with digest ")
    redacted = subprocess.run(
        (*COMMAND, "journal", "export", "--redact", "-", "-"),
        input=original.read_bytes(),
        capture_output=True,
        check=True,
    ).stdout
    assert not any(name in redacted for name in NAMES)
    assert len(redacted.splitlines()) == 122


def compacted(original: Path, path: Path, after: int) -> list[Entry]:
    """Write the rows behind one of them, with a base, as a compaction leaves them."""
    read = opened(open_reading(original))
    assert isinstance(read, Reading)
    rows: list[Row] = list(read.rows())
    read.close()
    found = [entry_of(row) for row in rows]
    whole = [entry for entry in found if isinstance(entry, Entry)]
    fleet = fold(NOTHING, (entry.event for entry in whole[:after]), POLICIES)
    base = Snapshot(
        seq=after, digest=rows[after - 1].digest, rules=RULES, body=encode_fleet(fleet)
    )
    opened(export_rows(path, rows[after:], base))
    return whole


def test_a_compacted_journal_is_redacted_from_its_base_on(
    original: Path, tmp_path: Path
) -> None:
    short, out, back = (tmp_path / name for name in ("s.jsonl", "a.jsonl", "b.db"))
    compacted(original, short, 60)
    good(run("journal", "export", "--redact", str(short), str(out)))
    assert not any(name in out.read_bytes() for name in NAMES)
    base = lines(out)[1]["base"]
    assert base["seq"] == 60
    assert base["digest"] != lines(short)[1]["base"]["digest"]
    good(run("journal", "import", str(out), str(back)))
    for place in (short, out, back):
        said = good(run("journal", "verify", str(place), *STRIKES))
        assert "60 replay to the same decisions" in said
    again = tmp_path / "again.jsonl"
    good(run("journal", "export", str(back), str(again)))
    assert again.read_bytes().splitlines()[1:] == out.read_bytes().splitlines()[1:]
    assert [entry.seq for entry in entries(out)] == list(range(61, 121))


@pytest.mark.parametrize(
    ("after", "which"),
    [
        (0, "120 rows"),
        (60, "60 rows, 61 to 120"),
        (119, "1 row, 120"),
        (120, "0 rows behind row 120"),
    ],
)
def test_the_rows_are_counted_that_are_there_and_not_those_before_them(
    after: int, which: str, original: Path, tmp_path: Path
) -> None:
    short, out, back = (tmp_path / name for name in ("s.jsonl", "a.jsonl", "b.db"))
    if after:
        compacted(original, short, after)
    else:
        short = original
    many, _, rest = which.partition(" row")
    ends = f", the last with digest {lines(short)[-1]['end']['digest'][:16]}\n"
    assert good(run("journal", "export", str(short), str(out))) == which + ends
    assert good(run("journal", "import", str(short), str(back))) == f"{which}\n"
    redact = ("--force", "--redact", str(short), str(out))
    said = good(run("journal", "export", *redact))
    row, rest = ("row", rest) if many == "1" else ("rows", rest.removeprefix("s"))
    assert said.startswith(f"{many} {row} in other words{rest}, the last with ")
    back = tmp_path / "other.db"
    said = good(run("journal", "import", str(out), str(back)))
    assert said.startswith(f"{which}, in other words; the original ends with ")


def test_a_compaction_between_the_two_readings_is_noticed(
    original: Path, tmp_path: Path
) -> None:
    short, out = tmp_path / "short.jsonl", tmp_path / "out.jsonl"
    compacted(original, short, 60)
    first, again = opened(open_reading(original)), opened(open_reading(short))
    assert isinstance(first, Reading)
    assert isinstance(again, Reading)
    sharing = exports.Sharing(kept=frozenset(), names_to=None)
    with pytest.raises(Failed, match="compacted meanwhile") as refused:
        exports._rewrite(first, again, Output(path=out), Vocabulary(), sharing)
    assert refused.value.code == 6
    assert not out.exists()
    first.close()
    again.close()


def test_a_base_that_makes_no_sense_is_a_damage(original: Path, tmp_path: Path) -> None:
    read = opened(open_reading(original))
    assert isinstance(read, Reading)
    rows = list(read.rows())
    read.close()
    base = Snapshot(seq=60, digest=rows[59].digest, rules=RULES, body=b'{"name":7}')
    bad = tmp_path / "bad.jsonl"
    opened(export_rows(bad, rows[60:], base))
    done = run("journal", "export", "--redact", str(bad), str(tmp_path / "out"))
    assert done.code == 8
    assert not (tmp_path / "out").exists()


def damaged(original: Path, path: Path, kind: str) -> int:
    """Write what is cut off or altered behind row 39; return the exit code of it."""
    plain = gzip.decompress(original.read_bytes()).splitlines(keepends=True)
    if kind == "cut":
        path.write_bytes(b"".join(plain[:40]) + plain[40][:40])
        return 10
    plain[40] = plain[40].replace(b'"at":', b'"at":1', 1)
    path.write_bytes(b"".join(plain))
    return 8


@pytest.mark.parametrize("words", [(), ("--redact",)])
@pytest.mark.parametrize("kind", ["cut", "altered"])
def test_of_what_is_damaged_no_file_is_made_unless_it_is_asked_for(
    original: Path, tmp_path: Path, kind: str, words: tuple[str, ...]
) -> None:
    bad, out, names = (tmp_path / name for name in ("bad", "out.jsonl", "names"))
    code = damaged(original, bad, kind)
    if words:
        words = (*words, "--names-to", str(names))
    done = run("journal", "export", *words, str(bad), str(out))
    assert done.code == code
    assert "41" in done.err or "row 40" in done.err
    assert "--damaged takes what is whole" in done.err
    assert "orchestrator journal repair" in done.err
    assert {one.name for one in tmp_path.iterdir()} == {"bad", "original.jsonl.gz"}

    done = run("journal", "export", "--damaged", *words, str(bad), str(out))
    assert done.code == code
    assert done.out.startswith("39 rows")
    assert lines(out)[-1]["seq"] == 39
    again = run("journal", "verify", str(out), *STRIKES)
    assert again.code == 10
    assert "was cut off at line 41" in again.err


@pytest.mark.parametrize("kind", ["cut", "altered"])
def test_a_damaged_export_is_imported_only_where_it_is_asked_for(
    original: Path, tmp_path: Path, kind: str
) -> None:
    bad, back = tmp_path / "bad", tmp_path / "back.db"
    code = damaged(original, bad, kind)
    done = run("journal", "import", str(bad), str(back))
    assert (done.code, done.out) == (code, "")
    assert "--damaged takes what is whole" in done.err
    assert {one.name for one in tmp_path.iterdir()} == {"bad", "original.jsonl.gz"}
    done = run("journal", "import", "--damaged", str(bad), str(back))
    assert (done.code, done.out) == (code, "39 rows\n")
    assert len(entries(back)) == 39


def test_what_breaks_off_in_a_pipe_has_no_end_line(
    original: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad"
    code = damaged(original, bad, "altered")
    done = run("journal", "export", str(bad), "-")
    assert done.code == code
    assert "39 rows" not in done.err
    assert orjson.loads(done.out.splitlines()[-1])["seq"] == 39


def test_a_journal_is_never_written_over(original: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    path, other, link = state / "journal.db", tmp_path / "other.db", tmp_path / "link"
    for target in (path, other):
        good(run("journal", "import", str(original), str(target)))
    link.symlink_to(path)
    os.link(path, tmp_path / "second.db")
    places = [path, link, other, tmp_path / "second.db"]
    places += [state / f"journal.db{part}" for part in ("-wal", "-shm", ".head")]
    places += [state / "journal.db.lock", tmp_path / "other.db.head"]
    before = {one: one.read_bytes() for one in places if one.exists()}
    for source in (path, state):
        for place in places:
            for words in ((), ("--force",), ("--force", "--redact")):
                done = run("journal", "export", *words, str(source), str(place))
                assert done.code == 6, place
                assert str(place) in done.err
    assert {one: one.read_bytes() for one in places if one in before} == before
    assert not (state / "journal.db.lock").exists()
    same = ("--force", str(original), str(original))
    assert (
        "is the journal that is to be exported" in run("journal", "export", *same).err
    )
    assert len(entries(original)) == 120


def test_a_file_is_written_over_only_by_force(original: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text("mine")
    done = run("journal", "export", str(original), str(out))
    assert (done.code, "--force writes over it" in done.err) == (6, True)
    assert out.read_text() == "mine"
    good(run("journal", "export", "--force", str(original), str(out)))
    assert len(entries(out)) == 120


def test_the_file_of_standard_input_is_not_written_over(original: Path) -> None:
    with original.open("rb") as source:
        done = subprocess.run(
            (*COMMAND, "journal", "export", "--force", "-", str(original)),
            stdin=source,
            capture_output=True,
            check=False,
        )
    assert done.returncode == 6
    assert len(entries(original)) == 120


def test_a_device_is_written_into(original: Path) -> None:
    good(run("journal", "export", str(original), "/dev/null"))
    assert run("journal", "export", str(original), "/dev/full").code == 5
    for device in ("/dev/null", "/dev/full"):
        assert Path(device).is_char_device()


def test_names_go_to_a_new_file_before_the_export_is_written(
    original: Path, tmp_path: Path
) -> None:
    out, names = tmp_path / "out.jsonl", tmp_path / "names"
    words = ("journal", "export", "--redact", "--names-to")
    names.write_text("mine")
    done = run(*words, str(names), str(original), str(out))
    assert (done.code, "names go to a new file" in done.err) == (6, True)
    assert names.read_text() == "mine"
    with pytest.raises(FileNotFoundError):
        run(*words, str(tmp_path / "no" / "names"), str(original), str(out))
    assert not out.exists()
    done = run(*words, str(out), str(original), str(out))
    assert (done.code, out.exists()) == (2, False)
    names.unlink()
    nowhere = tmp_path / "no" / "out.jsonl"
    assert run(*words, str(names), str(original), str(nowhere)).code == 5
    assert not names.exists()


def test_an_import_makes_no_folder(original: Path, tmp_path: Path) -> None:
    done = run("journal", "import", str(original), str(tmp_path / "no" / "back.db"))
    assert done.code == 5
    assert f"there is no folder {tmp_path / 'no'}" in done.err
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize(
    ("data", "code"), [(b"this is no journal\n", 8), (b"", 10), (b'{"format":', 10)]
)
def test_of_what_is_no_journal_nothing_is_made(
    data: bytes, code: int, tmp_path: Path
) -> None:
    bad, out = tmp_path / "bad.jsonl", tmp_path / "out"
    bad.write_bytes(data)
    for words in (("import",), ("export",), ("export", "--redact")):
        assert run("journal", *words, str(bad), str(out)).code == code
        assert not out.exists()


def test_a_journal_without_a_row_is_one_still(tmp_path: Path) -> None:
    empty, out, back = (tmp_path / name for name in ("e.jsonl", "o.jsonl", "b.db"))
    opened(export_rows(empty, ()))
    good(run("journal", "export", "--redact", str(empty), str(out)))
    assert len(lines(out)) == 2
    good(run("journal", "import", str(out), str(back)))
    assert back.exists()


def test_a_divergence_is_redacted_as_it_was_recorded(
    original: Path, tmp_path: Path
) -> None:
    read = opened(open_reading(original))
    assert isinstance(read, Reading)
    drafts = [
        Draft(
            at=row.at,
            event=row.event,
            commands=b"[]" if row.seq == 3 else row.commands,
            changes=b'{"steady":{"mystery":"acme"},"job":7,"dead":{"phase":"acme"}}'
            if row.seq == 20
            else row.changes,
        )
        for row in read.rows()
    ]
    read.close()
    bad, out, names = (tmp_path / name for name in ("bad.jsonl", "o.jsonl", "names"))
    opened(export_rows(bad, chained(START, drafts)))
    to = ("--names-to", str(names))
    good(run("journal", "export", "--redact", *to, str(bad), str(out)))
    assert b"acme" not in out.read_bytes()
    assert b"mystery" not in out.read_bytes()
    other = json.loads(names.read_text())["name"]
    unreadable = {"unreadable": True}
    assert lines(out)[20]["changes"] == {
        other["steady"]: unreadable,
        other["job"]: unreadable,
        other["dead"]: {"phase": unreadable},
    }
    for place in (bad, out):
        done = run("journal", "verify", str(place), *STRIKES)
        assert done.code == 8
        assert "row 3" in done.err + done.out


def test_what_a_custom_policy_decides_by_is_kept_and_told(tmp_path: Path) -> None:
    pairs: list[tuple[str, Json]] = [("acme-limit", 3), ("acme-team", "acme")]
    params = Table.of(pairs)
    ref = CustomPolicyRef(name="strikes", version=1, params=params)
    spec = ContainerSpec(name="web", image="x", restart=RestartPolicy(custom=ref))
    applied = SpecApplied(
        at=0,
        fleet="acme",
        settings=FleetSettings(),
        declarations=(Declaration(spec=spec, salt=1),),
    )
    journal, out = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    opened(export_rows(journal, chained(START, [draft_of(step_of(NOTHING, applied))])))
    done = run("journal", "export", "--redact", str(journal), str(out))
    assert done.err == (
        "parameters of custom policies are kept, for they decide by them:"
        " acme-limit, acme-team\n"
    )
    assert lines(out)[0]["redacted"]["kept"] == ["params"]
    assert b'"acme-team":"acme"' in out.read_bytes()
    more = ("--redact-params", str(journal), str(out))
    done = run("journal", "export", "--force", "--redact", *more)
    assert (done.code, done.err) == (0, "")
    assert lines(out)[0]["redacted"]["kept"] == []
    assert b"acme" not in out.read_bytes()


def test_options_of_redaction_want_it(original: Path, tmp_path: Path) -> None:
    for words in (("--keep", "names"), ("--redact-params",), ("--names-to", "x")):
        out = str(tmp_path / "out")
        done = run("journal", "export", *words, str(original), out)
        assert done.code == 2
        assert "need --redact" in done.err
    wrong = run("journal", "export", "--redact", "--keep", "all", str(original), "x")
    assert wrong.code == 2
    assert "'names', 'config', 'texts', 'addresses'" in wrong.err
