"""What looks secret in a declaration, and is not shown: *** stands in its place.

Three things tell of a secret: the key that a value stands under, the part before the @
of an address, and a word such as ``--password=`` in the midst of a text. A placeholder
says nothing secret, and stays. What is masked is no value: who sends it back as one
would lose the true one, so it is found here, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, TypeAlias

import attrs
from returns.result import Failure

from orchestrator.core.errors import InvalidSpec, Problem
from orchestrator.core.fields import Json
from orchestrator.core.fleet_specs import FleetSettings, FleetSpec
from orchestrator.core.health import CommandProbe, HealthCheck, HealthChecks, HttpProbe
from orchestrator.core.notify import hidden_url
from orchestrator.core.services import Service
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.table import Table
from orchestrator.core.templates import Placeholder, parse_template

__all__ = (
    "MASK",
    "masked_service",
    "masked_settings",
    "masked_spec",
    "refused_masks",
)

MASK: Final = "***"

Hide: TypeAlias = Callable[[str], str]
"""What becomes of a text that looks secret."""

_TELLING: Final = (
    r"secret|token|passw|passphrase|pwd|dsn|cookie|api[_-]?key|private|credential|auth"
)
_KEY: Final = re.compile(rf"(?:{_TELLING}|[_-]key$)|(?-i:[a-z0-9]Key$)", re.IGNORECASE)

_VALUE: Final = r"(\"[^\"]*\"|'[^']*'|(?:\$\{[^}]*\}|[^\s;,&\"'}])+)"

_USER: Final = re.compile(
    r"(?<=://)((?![^\s:@/]*:\d+[/?#])[^\s\"'<>@:/]{0,512}:[^\s\"'<>]{0,2048}"
    r"|[^\s\"'<>@:/?#]{1,2048})(?=@)"
)
"""The user of an address, with a password or alone; a port is none."""

_SAID: Final = re.compile(
    rf"((?:{_TELLING}|[_-]key\b|(?-i:[a-z0-9]Key\b))[\w.-]{{0,64}}"
    r"(?:\s{0,4}=\s{0,4}|[\"']\s{0,4}[:=]\s{0,4}|:\s{1,4})(?:(?:bearer|basic)\s{1,4})?)"
    + _VALUE,
    re.IGNORECASE,
)
"""A telling word in a text, and the value that it is given."""

_FLAGGED: Final = re.compile(
    rf"(--[\w-]{{0,64}}(?:{_TELLING}|[_-]key)[\w-]{{0,64}}\s{{1,4}})(?!-){_VALUE}",
    re.IGNORECASE,
)
_BEARER: Final = re.compile(rf"(\bbearer\s{{1,4}}){_VALUE}", re.IGNORECASE)

_FLAG: Final = re.compile(rf"--?[\w.-]*(?:{_TELLING}|[_-]key)[\w.-]*", re.IGNORECASE)
"""A word of a command whose next word is its value, if that is no flag."""

_PLAIN_FLAG: Final = re.compile(r"--?[a-zA-Z][a-z-]*")


def masked_spec(spec: ContainerSpec) -> ContainerSpec:
    """Hide what looks secret in a spec."""
    return _spec(spec, _hidden)


def masked_service(service: Service) -> Service:
    """Hide what looks secret in the template of a service."""
    return attrs.evolve(service, template=masked_spec(service.template))


def masked_settings(settings: FleetSettings) -> FleetSettings:
    """Hide what looks secret in the template, and the path of the notices' address."""
    if settings.ad_hoc is not None:
        settings = attrs.evolve(settings, ad_hoc=masked_spec(settings.ad_hoc))
    if settings.notify is not None:
        hidden = attrs.evolve(settings.notify, url=hidden_url(settings.notify.url))
        settings = attrs.evolve(settings, notify=hidden)
    return settings


def refused_masks(
    value: FleetSpec | ContainerSpec | Table[str, Json] | tuple[str, ...],
    place: str = "$",
) -> InvalidSpec | None:
    """Refuse a declaration in which *** stands where a secret would be hidden.

    *value* is a fleet, a container, its config or its command; *place* is where it
    stood in what was sent.
    """
    problems = tuple(
        Problem(
            place=found,
            expected="the value itself",
            found=f"{MASK}, which is what is shown in its place",
        )
        for found in _masked_places(value, place)
    )
    return InvalidSpec(problems=problems) if problems else None


def _masked_places(
    value: FleetSpec | ContainerSpec | Table[str, Json] | tuple[str, ...], place: str
) -> Iterator[str]:
    if isinstance(value, FleetSpec):
        settings = value.settings
        if settings.ad_hoc is not None:
            yield from _masked_places(settings.ad_hoc, f"{place}.settings.ad_hoc")
        if settings.notify is not None and settings.notify.url.endswith(f"/{MASK}"):
            yield f"{place}.settings.notify.url"
        for number, spec in enumerate(value.containers):
            yield from _masked_places(spec, f"{place}.containers[{number}]")
        for number, service in enumerate(value.services):
            where = f"{place}.services[{number}].template"
            yield from _masked_places(service.template, where)
    elif isinstance(value, ContainerSpec):
        for key, text in value.env.items():
            if _bears(partial(_keyed, key, text)):
                yield f"{place}.env.{key}"
        yield from _masked_places(value.config, f"{place}.config")
        yield from _masked_places(value.command, f"{place}.command")
        if _bears(partial(_checks, value.health)):
            yield f"{place}.health"
    elif isinstance(value, Table):
        for key, inner in value.items():
            if _bears(partial(_item, key, inner)):
                yield f"{place}.{key}"
    elif _bears(partial(_words, value)):
        yield place


def _bears(walk: Callable[[Hide], object]) -> bool:
    """Say whether a walk comes upon a mask where it would hide something."""
    met: list[str] = []

    def hide(text: str) -> str:
        met.append(text)
        return text

    walk(hide)
    return any(MASK in text for text in met)


def _hidden(text: str) -> str:
    """Return a mask, and the placeholders of a text.

    >>> _hidden("pass-${secret.KEY}"), _hidden("${secret.KEY}"), _hidden("pass")
    ('***${secret.KEY}', '${secret.KEY}', '***')

    """
    if "${" not in text:
        return MASK
    parsed = parse_template(text)
    if isinstance(parsed, Failure):
        return MASK
    kept = (
        f"${{{part.path}}}" if isinstance(part, Placeholder) else MASK
        for part in parsed.unwrap()
    )
    return re.sub(r"(?:\*\*\*)+", MASK, "".join(kept))


def _spec(spec: ContainerSpec, hide: Hide) -> ContainerSpec:
    return attrs.evolve(
        spec,
        env=_texts(spec.env, hide),
        config=_config(spec.config, hide),
        command=_words(spec.command, hide),
        health=_checks(spec.health, hide),
    )


def _texts(table: Table[str, str], hide: Hide) -> Table[str, str]:
    return Table.of((key, _keyed(key, text, hide)) for key, text in table.items())


def _keyed(key: str, text: str, hide: Hide) -> str:
    return hide(text) if _KEY.search(key) else _text(text, hide)


def _config(config: Table[str, Json], hide: Hide) -> Table[str, Json]:
    return Table.of((key, _item(key, value, hide)) for key, value in config.items())


def _item(key: str, value: Json, hide: Hide) -> Json:
    if _KEY.search(key):
        return hide(value if isinstance(value, str) else "")
    return _json(value, hide)


def _json(value: Json, hide: Hide) -> Json:
    """Look into tables and lists, too; how deep they go is bounded where they come."""
    if isinstance(value, str):
        return _text(value, hide)
    if isinstance(value, Table):
        return _config(value, hide)
    if isinstance(value, tuple):
        return tuple(_json(each, hide) for each in value)
    return value


def _words(command: tuple[str, ...], hide: Hide) -> tuple[str, ...]:
    """Hide in the words of a command; what follows a telling flag is its value."""
    words: list[str] = []
    before = ""
    for word in command:
        is_value = _FLAG.fullmatch(before) and not _PLAIN_FLAG.fullmatch(word)
        words.append(hide(word) if is_value else _text(word, hide))
        before = word
    return tuple(words)


def _checks(checks: HealthChecks, hide: Hide) -> HealthChecks:
    return HealthChecks(
        startup=_check(checks.startup, hide),
        readiness=_check(checks.readiness, hide),
        liveness=_check(checks.liveness, hide),
    )


def _check(check: HealthCheck | None, hide: Hide) -> HealthCheck | None:
    match None if check is None else check.probe:
        case CommandProbe(command=command) as probe:
            probe = attrs.evolve(probe, command=_words(command, hide))
        case HttpProbe(path=path, headers=headers) as probe:
            headers = _texts(headers, hide)
            probe = attrs.evolve(probe, path=_text(path, hide), headers=headers)
        case _:
            return check
    return None if check is None else attrs.evolve(check, probe=probe)


def _text(text: str, hide: Hide) -> str:
    """Hide what looks secret in the midst of a text.

    >>> _text("postgres://app:pw@db/x?token=7", _hidden)
    'postgres://***@db/x?token=***'
    >>> _text("postgres://app:${secret.PW}@db", _hidden)
    'postgres://app:${secret.PW}@db'

    """
    if "://" in text:
        text = _USER.sub(lambda found: _user(found[0], hide), text)
    for pattern in (_SAID, _FLAGGED, _BEARER):
        text = pattern.sub(lambda found: found[1] + _value(found[2], hide), text)
    return text


def _user(text: str, hide: Hide) -> str:
    """Hide a user, unless a placeholder is all that is secret of it."""
    user, _, password = text.partition(":")
    if password and hide(password) == password and MASK not in password:
        return text
    return hide(user if not password else text)


def _value(text: str, hide: Hide) -> str:
    """Hide a value within its quotes."""
    quote = text[0] if text[0] in "\"'" else ""
    return quote + hide(text.strip(quote) if quote else text) + quote
