"""``[notify]`` of a fleet file, read; what is wrong with its address is not shown."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from orchestrator.codec.fleet_problems import Problems
from orchestrator.codec.fleet_tables import Tree, spelt_out
from orchestrator.codec.problems import shown
from orchestrator.core.notify import Notify, is_notice_url_template

__all__ = ("notify_notes", "notify_warnings", "read_notify")

_STAND_IN: Final = "https://example.invalid/"
"""For the rest to be read, where the address is wrong."""

_HERE: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def read_notify(tree: Tree, head: Tree, problems: Problems) -> Notify | None:
    """Read the section, None where the file has none; *head* is ``[fleet]``."""
    hint = "it is a section of its own, [notify]"
    problems.not_given(head, ("notify",), "fleet", hint)
    _ = head.pop("notify", None)
    if "notify" not in tree:
        return None
    table = spelt_out(problems.table(tree, "notify"), "notify", problems.wrong)
    url = table.get("url")
    if not is_notice_url_template(url):
        expected = "an http or https address, in which ${secret.NAME} may stand"
        problems.wrong("notify.url", expected, _found(url))
        table["url"] = _STAND_IN
    return problems.read(table, Notify, "notify")


def _found(url: object) -> str:
    if url is None:
        return "nothing"
    return "another text" if isinstance(url, str) else shown(url)


def notify_warnings(notify: Notify | None) -> tuple[str, ...]:
    """Return what can hardly be meant."""
    if notify is None or not notify.url.startswith("http://"):
        return ()
    if urlsplit(notify.url).hostname in _HERE:
        return ()
    return ("[notify] url is not https: who is on the way can read what is told",)


def notify_notes(notify: Notify | None) -> tuple[str, ...]:
    """Return what is good to know."""
    if notify is None or notify.secret is not None:
        return ()
    return ("[notify] has no secret: its receiver cannot know who sent a notice",)
