"""Whom to tell of trouble: an address, what it is told of, how often it is tried.

The address may hold a secret, in its path or as ``${secret.NAME}``: so no sentence
about it ever shows it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, cast
from urllib.parse import urlsplit

import attrs
from attrs.validators import ge, gt, instance_of, le, optional

from orchestrator.core.backoff import Backoff
from orchestrator.core.fields import holds
from orchestrator.core.moments import Millis
from orchestrator.core.names import is_env_key
from orchestrator.core.templates import placeholders, render

__all__ = (
    "ATTEMPTS_MAX",
    "URL_MAX",
    "NoticeKind",
    "Notify",
    "hidden_url",
    "is_notice_url",
    "is_notice_url_template",
)

ATTEMPTS_MAX: Final = 1_000
"""How often one notice may be tried."""

URL_MAX: Final = 2_048
"""Letters of an address."""

TIMEOUT_MAX: Final[Millis] = 300_000
"""Five minutes: a receiver that needs longer should answer first, then work."""


class NoticeKind(StrEnum):
    """What a notice tells of a container, or of a service."""

    CRASH_LOOPING = "crash_looping"
    FAILED = "failed"
    RECOVERED = "recovered"
    ROLLOUT_FINISHED = "rollout_finished"


def is_notice_url(text: object) -> bool:
    """Say whether a text is an address that a notice can be sent to.

    >>> is_notice_url("https://example.com/hook"), is_notice_url("ftp://example.com")
    (True, False)

    """
    if not isinstance(text, str) or not 0 < len(text) <= URL_MAX:
        return False
    if not text.isascii() or not text.isprintable() or set(text) & set(' "<>\\^`{|}#'):
        return False
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    return (
        parts.scheme in {"http", "https"}
        and bool(parts.hostname)
        and port != 0
        and "@" not in parts.netloc
    )


def is_notice_url_template(value: object) -> bool:
    """Say whether a value is an address, or becomes one with secrets filled in.

    >>> is_notice_url_template("https://example.com/${secret.PATH}")
    True
    >>> is_notice_url_template("https://example.com/${config.path}")
    False

    """
    if not isinstance(value, str) or len(value) > URL_MAX:
        return False
    named = placeholders(value)
    if any(each.family != "secret" for each in named):
        return False
    if len(named) == 1 and value == f"${{{named[0].path}}}":
        return True
    filled = render(value, {each.path: "x" for each in named})
    return "${" not in value.replace("${secret.", "") and is_notice_url(
        filled.value_or("")
    )


def hidden_url(url: str) -> str:
    """Return an address without what may be secret in it: all behind its host.

    >>> hidden_url("https://example.com/hook/0f3a?b=1")
    'https://example.com/***'
    >>> hidden_url("${secret.HOOK}"), hidden_url("https://example.com")
    ('${secret.HOOK}', 'https://example.com')

    """
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.replace("?", "/?", 1).partition("/")
    return f"{scheme}://{host}/***" if slash and path else url


def _is_address(_: object, attribute: attrs.Attribute[str], value: object) -> None:
    """Refuse what is no address, and do not show it."""
    if not is_notice_url_template(value):
        msg = (
            f"{attribute.name}: expected an http or https address without a user"
            " (${secret.NAME} may stand in it), found another text"
        )
        raise ValueError(msg)


def _are_kinds(value: object) -> bool:
    kinds = cast("tuple[object, ...]", value) if isinstance(value, tuple) else ()
    return (
        bool(kinds)
        and all(isinstance(kind, NoticeKind) for kind in kinds)
        and len(set(kinds)) == len(kinds)
    )


@attrs.frozen(kw_only=True)
class Notify:
    """Where notices go, and how: each is tried ``attempts`` times, then given up.

    ``secret`` names the secret that signs them; ``events`` are what is told. Before
    attempt n + 1 the wait is that of restart n under ``backoff``.
    """

    url: str = attrs.field(validator=_is_address, repr=False)
    secret: str | None = attrs.field(
        default=None, validator=optional(holds(is_env_key, "the name of a secret"))
    )
    events: tuple[NoticeKind, ...] = attrs.field(
        default=tuple(NoticeKind),
        validator=holds(_are_kinds, "each kind of notice once, and at least one"),
    )
    timeout_ms: Millis = attrs.field(
        default=10_000, validator=[instance_of(int), gt(0), le(TIMEOUT_MAX)]
    )
    attempts: int = attrs.field(
        default=10, validator=[instance_of(int), ge(1), le(ATTEMPTS_MAX)]
    )
    backoff: Backoff = attrs.field(
        default=Backoff(initial_ms=1_000, factor=3.0, max_ms=600_000),
        validator=instance_of(Backoff),
    )
