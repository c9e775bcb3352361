"""In which line of a TOML text a key stands, for messages.

``tomllib`` does not tell. This is no parser: it looks for headers and for keys at the
beginning of a line, outside of texts and arrays that go over several lines. A key that
it misses is told with the line of what holds it.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Final, TypeAlias

__all__ = ("Lines", "line_of", "lines_of")

Lines: TypeAlias = dict[str, int]
"""From a path such as ``containers[0].restart.when`` to its line, counted from 1."""

_WORD: Final = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_PATH: Final = rf"{_WORD}(?:\s*\.\s*{_WORD})*"
_HEADER: Final = re.compile(rf"\s*(\[\[?)\s*({_PATH})\s*\]")
_KEY: Final = re.compile(rf"\s*({_PATH})\s*=")
_IGNORED: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|#[^\n]*')
_LONG: Final = ('"""', "'''")


def lines_of(text: str) -> Lines:
    r"""Map the paths of a text to their lines.

    >>> lines_of("[fleet]\nname = 1\n[[containers]]\nports.http = 80\n")
    {'fleet': 1, 'fleet.name': 2, 'containers[0]': 3, 'containers[0].ports.http': 4}

    """
    lines: Lines = {}
    counts: Counter[str] = Counter()
    prefix, depth, closing = "", 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        if closing:
            closing = "" if closing in line else closing
            continue
        if depth == 0:
            header, key = _HEADER.match(line), _KEY.match(line)
            if header:
                prefix = _opened(header[1], _plain(header[2]), counts)
                _ = lines.setdefault(prefix, number)
                continue
            if key:
                _ = lines.setdefault(f"{prefix}.{_plain(key[1])}".lstrip("."), number)
        closing = _left_open(line)
        bare = _IGNORED.sub("", line)
        depth = max(0, depth + bare.count("[") - bare.count("]"))
    return lines


def _plain(path: str) -> str:
    return ".".join(word.strip(" \t\"'") for word in path.split("."))


def _opened(brackets: str, path: str, counts: Counter[str]) -> str:
    """Return the path of a header; tables of an array are numbered."""
    *before, last = path.split(".")
    opened = ""
    for word in before:
        opened = f"{opened}.{word}".lstrip(".")
        if counts[opened]:
            opened += f"[{counts[opened] - 1}]"
    opened = f"{opened}.{last}".lstrip(".")
    if brackets == "[[":
        counts[opened] += 1
        return f"{opened}[{counts[opened] - 1}]"
    return opened


def _left_open(line: str) -> str:
    """Return the quotes of a long text that begins in a line and does not end there."""
    for quotes in _LONG:
        if line.count(quotes) % 2:
            return quotes
    return ""


def line_of(lines: Lines, path: str) -> int | None:
    """Return the line of a path, or of the nearest thing that holds it.

    >>> line_of({"fleet": 1, "fleet.name": 2}, "fleet.name[3].x")
    2

    """
    while path:
        if path in lines:
            return lines[path]
        cut = max(path.rfind("."), path.rfind("["))
        path = path[: max(cut, 0)]
    return None
