"""JSON as configurations hold it: comments are read over, short values take a line."""

from __future__ import annotations

import json
import re
from textwrap import indent
from typing import Any, Final

from returns.result import Failure, Result, Success

__all__ = ("pretty", "read_jsonc")

WIDTH: Final = 76

_TEXT: Final = r'"(?:[^"\\]|\\.)*"'
_COMMENTS: Final = re.compile(rf"({_TEXT})|//[^\n]*|/\*.*?\*/", re.DOTALL)
_COMMAS: Final = re.compile(rf"({_TEXT})|,(?=\s*[}}\]])")


def read_jsonc(text: str) -> Result[dict[str, Any], str]:
    """Read an object; a failure says what is wrong.

    >>> read_jsonc('{"a": "//", /* one */ "b": [1, 2,], }  // end').unwrap()
    {'a': '//', 'b': [1, 2]}

    """
    bare = _COMMENTS.sub(lambda found: found[1] or " ", text)
    try:
        tree = json.loads(_COMMAS.sub(lambda found: found[1] or "", bare))
    except RecursionError:
        return Failure("tables within hundreds of others")
    except ValueError as error:
        return Failure(str(error))
    return Success(tree) if isinstance(tree, dict) else Failure("another JSON value")


def pretty(value: Any) -> str:
    """Write JSON: a value that is short takes one line, a longer one a line a part.

    >>> pretty({"tag": "v1", "new_sqlite_classes": ["A", "B"]})
    '{"tag": "v1", "new_sqlite_classes": ["A", "B"]}'

    """
    line = json.dumps(value)
    if len(line) <= WIDTH or not isinstance(value, dict | list) or not value:
        return line
    if isinstance(value, list):
        return _lines("[", [pretty(inner) for inner in value], "]")
    parts = [f"{json.dumps(key)}: {pretty(inner)}" for key, inner in value.items()]
    return _lines("{", parts, "}")


def _lines(first: str, parts: list[str], last: str) -> str:
    inner = ",\n".join(indent(part, "  ") for part in parts)
    return f"{first}\n{inner}\n{last}"
