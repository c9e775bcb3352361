"""``python -m tests.benchmarks [NAME...]``: measure areas, and print their tables.

Without a name it lists the areas. ``all`` runs each that needs nothing but this
machine, one after the other, each in a process of its own. ``record`` does the same,
and writes what was found into the page and the chart, which ``page`` writes anew;
``guard`` measures again, and compares with what was recorded. ``--smoke`` only sees
that everything runs; traces and journals are kept in ``--directory`` from one run to
the next.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from tests.benchmarks import areas
from tests.benchmarks.figures import Asked, markdown, plain
from tests.benchmarks.guard import guarded
from tests.benchmarks.record import read, recorded, written
from tests.benchmarks.runs import run_each

VERBS: Final = ("record", "guard", "page")
KEPT: Final = Path(tempfile.gettempdir()) / "orchestrator-benchmarks"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="areas, or all; before them record or guard; or page",
    )
    parser.add_argument("--rounds", type=int, default=5, help="5 if nothing is said")
    parser.add_argument("--containers", type=int, help="of a fleet")
    parser.add_argument("--events", type=int, help="rows of a journal")
    parser.add_argument("--minutes", type=float, help="how long what lasts shall last")
    parser.add_argument("--directory", type=Path, default=KEPT)
    parser.add_argument("--smoke", action="store_true", help="see that it runs")
    parser.add_argument("--json", action="store_true", help="for programs")
    return parser


def _listed() -> None:
    for name, entry in areas.known().items():
        needs = f" (needs: {entry.needs})" if entry.needs else ""
        print(f"{name:12} {areas.area_of(entry).ABOUT}{needs}")


def _measured(name: str, asked: Asked) -> dict[str, Any]:
    area = areas.area_of(areas.known()[name])
    return {"area": name, "about": area.ABOUT} | plain(area.figures(asked))


def main() -> int:
    """Run what the command line asks for; return the exit code."""
    parser = _parser()
    words = parser.parse_args()
    known = areas.known()
    verb = words.names[0] if words.names and words.names[0] in VERBS else ""
    names = words.names[1:] if verb else words.names
    if names == ["all"] or (verb and not names):
        names, verb = areas.everywhere(), verb or "all"
    if verb == "record" and words.smoke:
        parser.error("a smoke run measures nothing that is worth recording")
    if wrong := [name for name in names if name not in known]:
        parser.error(f"there is no area {wrong[0]!r}; there are {', '.join(known)}")
    asked = Asked(
        directory=words.directory,
        rounds=words.rounds,
        smoke=words.smoke,
        containers=words.containers,
        events=words.events,
        minutes=words.minutes,
    )
    asked.directory.mkdir(parents=True, exist_ok=True)
    if verb == "page":
        written(read())
        return 0
    if verb == "record":
        return recorded(names, asked)
    if verb == "guard":
        return guarded(names, asked)
    if not names:
        _listed()
        return 0
    if len(names) > 1 or verb:
        return run_each(names, asked, as_json=words.json)
    found = _measured(names[0], asked)
    text = json.dumps(found, indent=2) if words.json else _printed(found)
    print(text)
    return 0


def _printed(found: dict[str, Any]) -> str:
    return f"# {found['area']}\n\n{found['about']}\n\n{markdown(found)}"


if __name__ == "__main__":
    sys.exit(main())
