"""The reference of the gateway, written from its own code.

What stands between ``<!-- from the code: NAME -->`` and ``<!-- end -->`` of the page is
drawn here: from the JavaScript of the Worker, from its OpenAPI file, and from what the
operator makes of its answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from orchestrator.core.exits import outcome
from orchestrator.core.moments import format_duration
from orchestrator.platforms.cloudflare.ends import END_KINDS, exit_of
from orchestrator.platforms.cloudflare.http import error_of
from orchestrator.platforms.cloudflare.project.files import gateway_sources
from tests.platforms.cloudflare.openapi import (
    FILE,
    Tree,
    document,
    operations,
    resolved,
)

__all__ = ("gateway_page", "message_kinds", "refusals")

SOURCES = {name: data.decode() for name, data in gateway_sources().items()}
PAGE = FILE.parent / "gateway.md"


def gateway_page() -> str:
    """Return the page, with each of its parts as the code says."""
    return _PART.sub(
        lambda found: f"{found[1]}\n{PARTS[found[2]]()}\n{found[3]}",
        PAGE.read_text(encoding="utf-8"),
    )


_PART = re.compile(
    r"(<!-- from the code: (\w+) -->\n).*?(<!-- end -->)", re.MULTILINE | re.DOTALL
)


def _table(heads: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([*lines, ""])


# Paths, orders and errors


def _paths() -> str:
    def rows() -> Iterator[tuple[str, ...]]:
        for method, path, operation in operations():
            success, *_ = operation["responses"]
            codes = (
                code
                for status, response in operation["responses"].items()
                if int(status) not in {200, 202, *EVERYWHERE}
                for code in _codes(response)
            )
            told = ", ".join(f"`{code}`" for code in codes)
            what = f"`{method} {path}`"
            yield what, operation["summary"].rstrip("."), success, told

    return _table(("path", "what it does", "success", "refusals of its own"), rows())


EVERYWHERE = (401, 413, 422, 500, 503)


def _codes(response: Tree) -> Iterator[str]:
    schema = resolved(response)["content"]["application/json"]["schema"]
    for part in schema.get("oneOf", [schema]):
        yield resolved(part)["properties"]["code"]["const"]


def refusals() -> set[tuple[int, str]]:
    """Return every status and code that the gateway can refuse with."""
    found: set[tuple[int, str]] = set()
    for text in SOURCES.values():
        calls = text.count("refuse(") - text.count("function refuse(")
        told = re.findall(r'refuse\((\d{3}), "(\w+)"', text)
        assert len(told) == calls, "a refusal whose code cannot be read"
        found |= {(int(status), code) for status, code in told}
    return found


TEXTS = {"name": "a", "holder": "a", "digest": "00" * 32}
"""Details that are texts; all others of which an error is made are numbers."""


def _errors() -> str:
    schemas = document()["components"]["schemas"]

    def rows() -> Iterator[tuple[str, ...]]:
        for status, code in sorted(refusals()):
            name = "".join(word.capitalize() for word in code.split("_"))
            schema = schemas[f"{name}Error"]
            fields = schema["properties"]["details"].get("properties", {})
            details = ", ".join(f"`{field}`" for field in fields)
            told = dict.fromkeys(fields, 0) | TEXTS
            tree = {"code": code, "message": "", "details": told}
            becomes = type(error_of(status, {}, tree)).__name__
            yield f"`{code}`", str(status), schema["description"], details, becomes

    return _table(
        ("code", "status", "what it says", "details", "to the operator"), rows()
    )


def _orders() -> str:
    schemas = document()["components"]["schemas"]

    def rows() -> Iterator[tuple[str, ...]]:
        fields = schemas["StartFields"]
        for name, schema in fields["properties"].items():
            told = schema.get("description") or resolved(schema).get("description", "")
            needed = "yes" if name in fields["required"] else ""
            yield f"`{name}`", _bounds(schema), needed, told

    return _table(("field of a start", "bounds", "needed", ""), rows())


def _bounds(schema: Tree) -> str:
    whole = {**resolved(schema), **schema}
    kind = whole.get("type", "")
    if isinstance(kind, list):
        kind, _ = kind
    match kind:
        case "string" if "maxLength" in whole:
            return f"text, at most {whole['maxLength']}"
        case "string":
            return f"text like `{whole['pattern'].strip('^$')}`"
        case "integer":
            least = whole.get("minimum", 0)
            most = whole["maximum"]
            return "number" if most > 2**52 else f"{least} to {most}"
        case "array":
            return f"at most {whole['maxItems']}: {_bounds(whole['items'])}"
        case "object" if "maxProperties" in whole:
            keys = whole["propertyNames"]["pattern"].strip("^$")
            inner = _bounds(whole["additionalProperties"])
            return f"at most {whole['maxProperties']}: keys like `{keys}`, {inner}"
        case "object":
            inside = whole["properties"].items()
            return ", ".join(f"`{key}` {_bounds(part)}" for key, part in inside)
        case "boolean":
            return "true or false"
        case _:
            size = document()["components"]["schemas"]["Size"]["properties"]
            names = ", ".join(f"`{name}`" for name in size)
            return f"a name, or a table of {names}"


# Ends and messages


def message_kinds() -> dict[str, tuple[str, ...]]:
    """Return each kind of message, with the texts that it is known by."""
    table = SOURCES["classify.js"].partition("export const TABLE = [")[2]
    lines = table.partition("\n];")[0].strip().splitlines()
    kinds: dict[str, tuple[str, ...]] = {}
    for line in lines:
        told = re.fullmatch(r'\s*\["(\w+)", /(.+)/i\],', line)
        assert told is not None, line
        texts = told[2].replace("\\(", "(").replace("\\)", ")").split("|")
        kinds[told[1]] = tuple(texts)
    return {**kinds, "unknown": ()}


def _ends() -> str:
    rows = (
        (f"`{kind}`", counts, _outcomes(kind)) for kind, counts in END_KINDS.items()
    )
    return _table(("kind", "what it counts as", "to the restart policy"), rows)


def _outcomes(kind: str) -> str:
    """Try an end of a kind in every way, and say what it counts as to the policy."""
    found = {
        str(outcome(exit_of({"kind": kind, "code": code}, was_up=was_up))): code
        for code in (7, 0)
        for was_up in (True, False)
    }
    if len(found) == 1:
        return next(iter(found))
    clean, other = sorted(found, key=lambda one: found[one])
    return f"{clean} with code 0, {other} with any other"


def _messages() -> str:
    def rows() -> Iterator[tuple[str, ...]]:
        for kind, texts in message_kinds().items():
            told = "; ".join(f"`{text}`" for text in texts) or "anything else"
            yield f"`{kind}`", told

    return _table(("kind", "a message that holds"), rows())


# Bounds and times

ABOUT: dict[tuple[str, str], str] = {
    ("auth.js", "TOKEN_MIN"): "characters of a token, at least",
    ("http.js", "BODY_MAX"): "bytes of a body",
    ("bounds.js", "ORDERS_MAX"): "orders of a batch",
    ("bounds.js", "PAGE_MAX"): "containers of a page of a list",
    ("bounds.js", "ENV_MAX"): "environment variables of a start",
    ("bounds.js", "ENV_VALUE_MAX"): "characters (UTF-16 units) of one",
    ("bounds.js", "WORDS_MAX"): "words of a command",
    ("bounds.js", "WORD_MAX"): "characters of one",
    ("bounds.js", "PORTS_MAX"): "ports of a container",
    ("bounds.js", "DURATION_MAX"): "the longest duration",
    ("classify.js", "RAW_MAX"): "characters of a message of Cloudflare that are kept",
    ("gateway.js", "EVENTS_MAX"): "events of one answer",
    ("gateway.js", "WAIT_MAX_MS"): "for the first event, at most",
    ("gateway.js", "ORDER_LIMIT_MS"): "for an object to take on an order; then 503",
    ("looks.js", "LOOK_LIMIT_MS"): "for an object to answer a look; then `unreachable`",
    ("looks.js", "LIST_LIMIT_MS"): "for a list, or a page of one; who was not looked at"
    " by then is `unreachable` in it",
    ("bounds.js", "EPOCH_MAX"): "the highest epoch, run or revision",
    ("looks.js", "LOOKS_AT_ONCE"): "objects that are looked at together",
    ("looks.js", "RETURN_MS"): "after which a registry that was made anew looks at its"
    " containers by itself, unless it was asked to",
    (
        "looks.js",
        "RETURN_PAGES",
    ): "pages of them that it looks at when an operator calls; the next call goes on",
    ("registry.js", "FLOOR_MS"): "the runs of a forgotten container stay refused by"
    " the registry",
    ("registry.js", "PRESENCE_PARTS"): "parts of `orphan_after_ms`; a call is written"
    " down once in each",
    ("ledger.js", "FEED_MAX"): "events that nobody has acknowledged, the newest ones",
    ("bounds.js", "LEASE_MS"): "for how long a lease is in force, at least and at most",
    ("lease.js", "WRITTEN_PARTS"): "parts of that time; a renewal is written down once"
    " in each",
    ("journal.js", "ROW_MAX"): "bytes of a row of the journal",
    ("journal.js", "APPEND_MAX"): "bytes of the rows of an append, unless it is one",
    ("journal.js", "FIRST_LINE_MAX"): "bytes of the first line of an append",
    ("journal.js", "ROWS_TOLD"): "rows of one answer: unless it says, and at most",
    ("archive.js", "PAGE_MAX"): "bytes of the rows of one answer, unless it is one",
    ("journal.js", "AWAITED_MAX_MS"): "for a row, or another holder of the lease, at"
    " most",
    ("bounds.js", "PART_MAX"): "bytes of a part of a snapshot, and of a value in which"
    " rows are kept",
    ("bounds.js", "PARTS_MAX"): "parts of a snapshot",
    ("snapshots.js", "STAGED_MS"): "parts of which no snapshot was made are kept",
    ("snapshots.js", "TOLD_MAX"): "missing parts that a refusal names",
    ("snapshots.js", "NEWEST_KEPT"): "the newest snapshots, which are all kept",
    ("snapshots.js", "REACH"): "times as far from the end as its younger neighbour may"
    " the older one of a snapshot be; else it goes",
    ("archive.js", "ROWS_AT_ONCE"): "rows that are deleted in one go after compaction",
    ("snapshots.js", "PARTS_AT_ONCE"): "parts of snapshots that are deleted in one go",
    ("archive.js", "FULL_SIZES"): "bytes in the storage of a registry: beyond them it"
    " takes no rows, and no parts of snapshots",
    (
        "operator_states.js",
        "START_LIMIT_MS",
    ): "for a hosted operator to answer after its start",
    (
        "operator_states.js",
        "MISSES_MAX",
    ): "bad answers in a row of one that was healthy; then it is killed",
    ("operator_states.js", "BACKOFF_MS"): "before it is started again after an end,"
    " doubled each time: at first and at most",
    ("operator_states.js", "STEADY_MS"): "of health, after which the wait begins anew",
    ("operator_states.js", "GRACE_MS"): "for it to leave; then it is killed",
    (
        "operator_states.js",
        "LOOKS_MS",
    ): "between two looks at it: while it starts, while it is healthy, while it ends",
    ("operator.js", "HEALTH_LIMIT_MS"): "for it to answer how it is",
    ("operator.js", "FALLBACK_MS"): "until its next alarm, where one has failed",
    ("operator.js", "LATE_MS"): "its alarm so late is set anew",
    ("operator.js", "ENDING_LIMIT_MS"): "for a kill of it to be answered, or its end"
    " told",
    ("operator.js", "SETTLES_MS"): "it is over and told no end: counts as lost after",
    ("operator.js", "WATCH_MS"): "between two renewals of the watch of it",
    ("operator.js", "OUTLIVES_MS"): "it may outlive its object, if nothing wakes that",
    ("operator.js", "TERM"): "the signal that asks it to leave",
    ("bounds.js", "HEADERS_MAX"): "headers of a question",
    ("bounds.js", "PROBE_MAX_MS"): "for a container to answer a question, at most",
    ("probe.js", "PROBE_LIMIT_MS"): "for a container to answer a question, unless it"
    " says",
    ("gateway.js", "PROBE_MARGIN_MS"): "so much longer for its object; then 503",
    ("probe.js", "TAKEN_MS"): "a connection that lasts so long was taken",
    ("probe.js", "KILL"): "the signal for a command whose time is over",
    ("container.js", "FALLBACK_MS"): "until the next alarm, where one has failed",
    ("post.js", "AGAIN_MS"): "between two tries to tell the registry, first and last",
    ("post.js", "NEWS_MAX"): "events that an object tells in one go",
    ("ready.js", "LIMIT_MS"): "for one port to answer",
    ("ready.js", "NO_PORT"): "the port on which nothing listens: who refuses there is"
    " up",
    ("alarm.js", "BEAT_MS"): "between two looks of an object after what it runs",
    ("alarm.js", "AGAIN_MS"): "between two looks where its watch has broken",
    ("run.js", "SETTLES_MS"): "a run that is over and told no end counts as lost after",
    ("ready.js", "LOOK_MS"): "between two looks at the ports: first, longest, and once"
    " `start_timeout_ms` is over",
    ("run.js", "OUTLIVES_MS"): "a container may outlive its object, if nothing wakes"
    " that",
    ("run.js", "KILL_LIMIT_MS"): "for a kill to be answered; then it is tried again",
    ("alarm.js", "LATE_MS"): "an alarm so late is set anew",
    ("alarm.js", "GONE_MS"): "the runs of a forgotten container stay refused by its"
    " object",
}

_CONSTANT = re.compile(
    r"^(?:export )?const ([A-Z_]{4,}) = ([\d_ *]+|\[[\d_, ]+\]);$", re.MULTILINE
)


def constants() -> dict[tuple[str, str], list[int]]:
    """Return the numbers that the sources name."""
    return {
        (name, key): [_product(part) for part in told.strip("[]").split(",")]
        for name, text in SOURCES.items()
        for key, told in _CONSTANT.findall(text)
    }


def _product(told: str) -> int:
    number = 1
    for factor in told.split("*"):
        number *= int(factor)
    return number


def _limits() -> str:
    found = constants()
    assert set(found) == set(ABOUT), set(found) ^ set(ABOUT)

    def rows() -> Iterator[tuple[str, ...]]:
        for key, about in ABOUT.items():
            numbers = (_number(key[1], number) for number in found[key])
            yield ", ".join(numbers), about

    return _table(("bound", ""), rows())


def _number(name: str, number: int) -> str:
    is_time = name.endswith("_MS") or name == "DURATION_MAX"
    return format_duration(number) if is_time else f"{number:,}"


PARTS: dict[str, Any] = {
    "paths": _paths,
    "orders": _orders,
    "errors": _errors,
    "ends": _ends,
    "messages": _messages,
    "limits": _limits,
}
