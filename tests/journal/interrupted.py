"""Work on a journal that is killed at each of its steps: a program of its own.

``python -m tests.journal.interrupted compact|cut|repair|import FOLDER``: for each step
of the work the folder is copied, the work done on the copy, and the process that does
it killed (-9) as it begins the step. It prints what was found then, a line a step.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from orchestrator.codec.wire import encode_fleet
from orchestrator.core.state import RULES
from orchestrator.journal.archives import archive_rows
from orchestrator.journal.beside import free_name
from orchestrator.journal.compaction import KeepRows, compact
from orchestrator.journal.imported import import_rows, in_the_way
from orchestrator.journal.port import START, Snapshot
from orchestrator.journal.reading import entry_of, open_reading
from orchestrator.journal.repair import repair
from orchestrator.journal.sqlite import open_sqlite
from orchestrator.replay.history import Entry, fold
from tests.journal.opened import all_of, drafts, good, opened

STEPS = {"execute", "executemany", "executescript", "close", "open", "write", "flush"}
STEPS |= {"fsync", "ftruncate", "link", "pwrite", "rename", "replace", "unlink"}
"""Functions, written in C, that change a disk, or go on to where one does."""


def kept_whole(folder: Path) -> str:
    """Say what is left after the work was killed, and do it again."""
    path = folder / "journal.db"
    read = all_of(path)
    assert read.is_whole, read.error
    before, chained_to = (0, START) if read.base is None else (15, read.base.head)
    assert (read.rows[0].seq, read.head.seq) == (before + 1, 20)
    if before:
        archives = [all_of(one) for one in folder.glob("*.rows-1-15*.jsonl.gz")]
        assert any(one.is_whole and one.head == chained_to for one in archives)
    done = compact(path, KeepRows(5))
    assert "Success" in str(done), done
    again = all_of(path)
    assert again.base is not None
    assert (again.base.seq, again.head.seq) == (15, 20)
    return "new" if before else "old"


def cut_while_written(path: Path) -> None:
    """Append a row, cut off those up to 15, append another one."""

    async def cut() -> None:
        journal = await good(open_sqlite(path))
        head = await good(journal.append(await good(journal.head()), drafts([21])))
        rows = await good(journal.read(0, 15))
        entries = [entry for row in rows if isinstance(entry := entry_of(row), Entry)]
        base = Snapshot(
            seq=15,
            digest=rows[-1].digest,
            rules=RULES,
            body=encode_fleet(fold(entries)),
        )
        archive = free_name(path, "rows-1-15", "jsonl.gz")
        assert archive_rows(archive, rows, None, base) is None
        await good(journal.begin_behind(base))
        await good(journal.append(head, drafts([22])))
        await good(journal.close())

    asyncio.run(cut())


def kept_what_was_written(folder: Path) -> str:
    path = folder / "journal.db"
    read = all_of(path)
    assert read.is_whole, read.error
    before = 0 if read.base is None else read.base.seq
    assert (before, read.rows[0].seq) in {(0, 1), (15, 16)}
    assert read.rows[-1].seq == read.head.seq
    if before:
        archives = [all_of(one) for one in folder.glob("*.rows-1-15*.jsonl.gz")]
        assert any(one.is_whole and one.head.seq == 15 for one in archives)
        assert read.head.seq in {21, 22}
    done = compact(path, KeepRows(3))
    assert "Success" in str(done), done
    assert all_of(path).head == read.head
    return f"{before}-{read.head.seq}"


def kept_what_was_whole(folder: Path) -> str:
    path = folder / "journal.db"
    was = all_of(path)
    assert "Success" in str(repair(path))
    read = all_of(path)
    assert read.is_whole, read.error
    assert read.head.seq == 7
    left = [one.read_bytes() for one in folder.glob("*.after-7*.jsonl")]
    assert any(one.count(b'"event"') == 13 for one in left), left
    return "new" if was.is_whole else "old"


def imported(path: Path) -> Any:
    read = opened(open_reading(path.with_name("export.jsonl")))
    return import_rows(path, read.rows(), read.source.base)


def nothing_or_all(folder: Path) -> str:
    path = folder / "journal.db"
    if path.exists():
        assert all_of(path) == all_of(folder / "export.jsonl")
        return "new"
    assert in_the_way(path) is None
    done = imported(path)
    assert "Success" in str(done), done
    names = {one.name for one in folder.iterdir()}
    assert names == {"export.jsonl", "journal.db", "journal.db.head"}, names
    assert all_of(path) == all_of(folder / "export.jsonl")
    return "nothing"


WORK: dict[str, tuple[Callable[[Path], Any], Callable[[Path], str]]] = {
    "compact": (lambda path: compact(path, KeepRows(5)), kept_whole),
    "cut": (cut_while_written, kept_what_was_written),
    "repair": (repair, kept_what_was_whole),
    "import": (imported, nothing_or_all),
}


def killed_at(step: int, work: Callable[[Path], Any], path: Path) -> bool:
    """Do work in a process that is killed at a step; False where it had fewer."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    passed = 0

    def watch(_: FrameType, event: str, called: Any) -> None:
        nonlocal passed
        if event == "c_call" and called.__name__ in STEPS:
            passed += 1
            if passed == step:
                os.kill(os.getpid(), signal.SIGKILL)

    threading.setprofile(watch)  # for the thread of a journal that is written
    sys.setprofile(watch)
    work(path)
    sys.setprofile(None)
    os._exit(0)


def main() -> None:
    work, look = WORK[sys.argv[1]]
    folder = Path(sys.argv[2])
    step, is_killed = 1, True
    while is_killed:
        copy = folder.with_name(f"step-{step}")
        shutil.copytree(folder, copy)
        is_killed = killed_at(step, work, copy / "journal.db")
        print(look(copy))
        shutil.rmtree(copy)
        step += 1


if __name__ == "__main__":
    main()
