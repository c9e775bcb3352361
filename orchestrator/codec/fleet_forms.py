"""Values of the core as a fleet file spells them: what its reader reads back.

Durations are texts, what is at its default is left out, rules and checks stand under
the key that says what they are. ``read(form(x)) == x``.
"""

# pyright: basic
# Fields of any class are Any by nature; mypy holds the rest.
from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, Final, assert_never

import attrs

from orchestrator.codec.fleet_autoscaling import NAMED
from orchestrator.codec.fleet_policies import SIGNALS
from orchestrator.codec.fleet_rollouts import keys_of
from orchestrator.codec.fleet_tables import DURATIONS, LISTS, Tree
from orchestrator.codec.platform_choices import CHOICES
from orchestrator.core.autoscaling import Autoscaling
from orchestrator.core.exit_rules import Codes, ExitMatch, ExitRule, Kinds, Signals
from orchestrator.core.health import CommandProbe, HealthCheck, HttpProbe, TcpProbe
from orchestrator.core.hosting import INSTANCE_TYPES, InstanceType
from orchestrator.core.moments import Millis
from orchestrator.core.rollout_policies import RolloutPolicy, Share
from orchestrator.core.table import Table

__all__ = ("exact_duration", "form_of", "table_of")

_MILLI: Final = 1_000
_SIGNAL_NAMES: Final = {number: name for name, number in SIGNALS.items()}

_UNITS: Final[tuple[tuple[str, Millis], ...]] = (
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
)


def exact_duration(millis: Millis) -> str:
    """Write a duration with all its units, so that it is read back as it was.

    >>> exact_duration(3_661_001), exact_duration(90_000), exact_duration(0)
    ('1h1m1s1ms', '1m30s', '0s')

    """
    words: list[str] = []
    rest = millis
    for name, size in _UNITS:
        count, rest = divmod(rest, size)
        if count:
            words.append(f"{count}{name}")
    return "".join(words) or "0s"


def form_of(value: Any, *, whole: bool = False) -> Any:
    """Return a value as a file spells it; *whole*: with what is at its default."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Table):
        return {key: form_of(inner) for key, inner in value.items()}
    if isinstance(value, tuple):
        return [form_of(inner) for inner in value]
    if isinstance(value, RolloutPolicy):
        return _rollout(value, whole=whole)
    write = _FORMS.get(type(value))
    if write is not None:
        return write(value)
    return table_of(value, whole=whole) if attrs.has(type(value)) else value


def table_of(
    value: Any, *, leaving_out: tuple[str, ...] = (), whole: bool = False
) -> Tree:
    """Return the fields of a value as the table of a file; see ``form_of``."""
    table: Tree = {}
    for field in attrs.fields(type(value)):
        inner = getattr(value, field.name)
        is_said = whole or inner != field.default
        if field.name in leaving_out or not is_said:
            continue
        table |= _entry(field.name, form_of(inner, whole=whole))
    return table


def _entry(key: str, form: Any) -> Tree:
    """Return a key with its value, a duration as its text."""
    if key in DURATIONS and form is not None:
        return {key.removesuffix("_ms"): exact_duration(form)}
    if key in LISTS and form is not None:
        return {key.removesuffix("_ms"): [exact_duration(each) for each in form]}
    return {key: form}


def _rule(rule: ExitRule) -> Tree:
    suffix = "_not_in" if rule.match.negated else ""
    key, values = _matched(rule.match)
    return {f"{key}{suffix}": values, "action": rule.action.value}


def _matched(match: ExitMatch) -> tuple[str, list[Any]]:
    match match:
        case Codes(values=codes):
            return "codes", [*codes]
        case Signals(values=signals):
            return "signals", [_SIGNAL_NAMES.get(each, each) for each in signals]
        case Kinds(values=kinds):
            return "kinds", [kind.value for kind in kinds]
        case _:
            assert_never(match)


def _check(check: HealthCheck) -> Tree:
    probe: Tree = form_of(check.probe)
    return {**probe, **table_of(check, leaving_out=("probe",))}


def _size(size: InstanceType) -> Any:
    named = INSTANCE_TYPES.get(size.name) == size
    return size.name if named else table_of(size)


def _rollout(policy: RolloutPolicy, *, whole: bool) -> Tree:
    """Return a rollout policy, without the keys that its strategy does not take."""
    fields = attrs.fields_dict(RolloutPolicy)
    others = tuple(set(fields) - set(keys_of(policy.strategy)))
    return table_of(policy, leaving_out=others, whole=whole)


def _share(share: Share) -> int | str:
    return str(share) if share.is_percent else share.value


def _autoscaling(scaling: Autoscaling) -> Tree:
    table = {NAMED.get(key, key): form for key, form in table_of(scaling).items()}
    whole, rest = divmod(scaling.target_milli, _MILLI)
    table["target"] = scaling.target_milli / _MILLI if rest else whole
    if "tolerance" in table:
        table["tolerance"] = f"{scaling.tolerance_percent}%"
    return table


def _choice(choice: Any) -> Tree:
    return {"kind": choice.kind, **table_of(choice)}


_FORMS: Final[dict[type, Callable[[Any], Any]]] = {
    ExitRule: _rule,
    HealthCheck: _check,
    HttpProbe: lambda probe: {"http": table_of(probe)},
    TcpProbe: lambda probe: {"tcp": table_of(probe)},
    CommandProbe: lambda probe: {"command": list(probe.command)},
    InstanceType: _size,
    Share: _share,
    Autoscaling: _autoscaling,
    **dict.fromkeys(CHOICES.values(), _choice),
}
"""What a file spells another way than by its fields."""
