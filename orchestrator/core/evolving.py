"""Frozen values, made and changed for little more than mutable ones cost.

A frozen class of attrs pays for each field of each new value: its constructor goes
round its own refusal to be changed, and replay spent most of its time there. The
constructor of a *quick* class fills a twin, a class with the same slots that is not
frozen, which then becomes the class itself (``__class__`` may be set where the slots
are the same). ``evolve``, to the type checkers the one of attrs, copies like that.

Nothing depends on it: a class with validators, converters, factories or a slot for
weak references stays as it is, and all do where an interpreter refuses the exchange.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, Final, TypeVar, get_args

import attrs

if TYPE_CHECKING:
    from attrs import evolve
else:

    def evolve(value: Any, **changes: Any) -> Any:
        """Return *value* with the *changes*; what ``attrs.evolve`` returns."""
        return _COPIERS[value.__class__](value, changes)


__all__ = ("all_quick", "evolve", "quick", "remade", "twin_of")

T = TypeVar("T")


class _Copiers(dict[Any, Callable[[Any, dict[str, Any]], Any]]):
    def __missing__(self, kind: Any) -> Callable[[Any, dict[str, Any]], Any]:
        return lambda value, changes: attrs.evolve(value, **changes)


_COPIERS: Final = _Copiers()
_TWINS: Final[dict[Any, Any]] = {}


def quick(kind: type[T]) -> type[T]:
    """Give a frozen class of attrs, the decorator below, the quick constructor."""
    plain: Any = kind
    fields = attrs.fields(plain)
    twin: Any = type(kind.__name__, (), {"__slots__": [each.name for each in fields]})
    try:
        twin().__class__ = kind
    except TypeError:
        return kind
    if any(f.validator or f.converter or hasattr(f.default, "factory") for f in fields):
        return kind
    scope: dict[str, Any] = {f"_{each.name}": each.default for each in fields}
    scope |= {"__twin": twin, "__kind": kind, "__swap": object.__setattr__}
    exec(_text(fields), scope)  # noqa: S102 - the names are those of our own fields
    plain.__init__ = update_wrapper(scope["made"], plain.__init__)
    _COPIERS[kind] = scope["copied"]
    _TWINS[kind] = twin
    return kind


def all_quick(union: Any) -> None:
    """Give it to all members of a sum type."""
    for kind in get_args(union):
        _ = quick(kind)


def twin_of(kind: type) -> Any:
    """Return the class to fill in place of a quick one; None for any other class."""
    return _TWINS.get(kind)


def _text(fields: Sequence[attrs.Attribute[Any]]) -> str:
    def each(line: str) -> str:
        return "".join(line.format(field.name) for field in fields)

    def given(*, by_name: bool) -> list[str]:
        return [
            f.name if f.default is attrs.NOTHING else f"{f.name}=_{f.name}"
            for f in fields
            if f.kw_only is by_name
        ]

    star = ["*"] if any(field.kw_only for field in fields) else []
    parameters = ["self", *given(by_name=False), *star, *given(by_name=True)]
    return (
        f"def made({', '.join(parameters)}):\n"
        "    __swap(self, '__class__', __twin)\n"
        + each("    self.{0} = {0}\n")
        + "    self.__class__ = __kind\n"
        "def copied(value, changes):\n"
        "    new = __twin()\n"
        + each("    new.{0} = value.{0}\n")
        + "    for name in changes:\n"
        "        setattr(new, name, changes[name])\n"
        "    new.__class__ = __kind\n"
        "    return new\n"
    )


def remade(kind: type[T], value: object, **changes: object) -> T:
    """Return a *kind* whose fields are those of *value*, which has all of them."""
    plain: Any = kind
    if kind in _COPIERS:
        made: T = _COPIERS[kind](value, changes)
        return made
    names = [field.name for field in attrs.fields(plain)]
    return kind(**{name: getattr(value, name) for name in names} | changes)
