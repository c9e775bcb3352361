"""What programs read: one tree as JSON or as YAML, and streams, a record a piece.

YAML is written in ASCII as JSON is: nothing in it steers a terminal.
"""

from __future__ import annotations

import json
from typing import Any, Final

import click

__all__ = ("TREES", "show_record", "show_tree", "tree_text")

TREES: Final = ("json", "yaml")
"""Formats for programs; the rest is for people, or a list of names."""


def tree_text(tree: Any, output: str) -> str:
    """Write a tree in a format of ``TREES``, without a line end.

    >>> print(tree_text({"name": "web-1", "ports": [80]}, "yaml"))
    name: web-1
    ports:
    - 80

    """
    if output == "json":
        return json.dumps(tree, indent=2)
    return _yaml(tree).rstrip("\n")


def show_tree(tree: Any, output: str) -> None:
    """Print a tree in a format of ``TREES``."""
    click.echo(tree_text(tree, output))


def show_record(record: Any, output: str) -> None:
    """Print one of many: JSON on a line of its own, YAML as a document of its own."""
    if output == "json":
        click.echo(json.dumps(record))
    else:
        click.echo(f"---\n{_yaml(record)}", nl=False)


def _yaml(tree: Any) -> str:
    import yaml  # noqa: PLC0415 - who asks for it pays

    class Plain(yaml.SafeDumper):
        """Writes what stands twice twice, in place of an anchor."""

        def ignore_aliases(self, data: Any) -> bool:
            del data
            return True

    plain = json.loads(json.dumps(tree))  # a word of an enumeration is a word
    return yaml.dump(plain, Dumper=Plain, sort_keys=False)
