"""Texts that others wrote, as they may stand on a terminal: no control gets through.

And numbers of things, as people write them.
"""

from __future__ import annotations

from typing import Final

__all__ = ("cleaned", "counted", "short", "written")

TEXT_MOST: Final = 300
"""Letters of a text from a journal that are shown."""


def cleaned(text: str) -> str:
    r"""Return a text in which signs that cannot be printed are written out.

    >>> print(cleaned("a\x1b[31mb"))
    a\x1b[31mb

    """
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text
    )


def counted(number: int, what: str) -> str:
    """Write how many there are of something.

    >>> counted(1, "container"), counted(0, "container")
    ('1 container', '0 containers')

    """
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def short(text: str) -> str:
    r"""Return a text of a journal the same way, and no more than its beginning.

    >>> print(short("a\x1b[31mb"))
    a\x1b[31mb

    """
    if len(text) > TEXT_MOST:
        text = f"{text[: TEXT_MOST - 1]}…"
    return cleaned(text)


def written(text: str) -> str:
    r"""Return a line of a container's log the same way; its tabs stay.

    >>> print(written("a\tb\x1b[2J").expandtabs(2))
    a b\x1b[2J

    """
    return "\t".join(map(cleaned, text.split("\t")))
