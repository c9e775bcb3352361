"""Frozen values, made and changed for little more than mutable ones cost.

A frozen class of attrs goes round its own refusal to be changed for each field it gets.
A *quick* class has a twin, a subclass that adds nothing and is not frozen: functions
written here fill it, and make it the class. A value with a ``__dict__`` is opened and
closed with all its fields at once. Where that is refused, or not right, it stays plain.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar, cast, get_args

import attrs

if TYPE_CHECKING:
    from attrs import evolve
else:

    def evolve(value: Any, **changes: Any) -> Any:
        """Return *value* with the *changes*; what ``attrs.evolve`` returns."""
        if value.__class__ not in _TWINS:
            return attrs.evolve(value, **changes)
        return _filling(value.__class__, "_value", *changes)(value, *changes.values())


__all__ = (
    "all_quick",
    "closer",
    "evolve",
    "evolver",
    "maker",
    "opener",
    "quick",
    "twin_of",
)

P = ParamSpec("P")
T = TypeVar("T")
_TWINS: Final[dict[Any, Any]] = {}
twin_of: Final = _TWINS.get
"""Return the class to fill in place of a quick one; None for any other class."""
_UNFROZEN: Final = {
    "__slots__": (),  # nothing more, so that only this class is to be compared
    "__init__": object.__init__,
    "__setattr__": object.__setattr__,
    "__delattr__": object.__delattr__,  # with it, the interpreter stores at once
}


def quick(kind: type[T]) -> type[T]:
    """Give a class of attrs a twin, if nothing but its slots makes a value of it."""
    plain: Any = kind
    fields = attrs.fields(plain)
    if any(f.validator or f.converter or hasattr(f.default, "factory") for f in fields):
        return kind
    twin: Any = type(kind.__name__, (kind,), dict(_UNFROZEN))
    with suppress(TypeError):
        twin().__class__ = kind
        _TWINS[kind] = twin
    return kind


def all_quick(union: Any) -> None:
    """Give one to all members of a sum type."""
    _ = [quick(kind) for kind in get_args(union)]


def maker(kind: Callable[P, T]) -> Callable[P, T]:
    """Return the constructor of a class; it takes keywords only."""
    own, needed = attrs.fields(cast("Any", kind)), attrs.NOTHING
    given = [f.name + f"=_of_{f.name}" * (f.default is not needed) for f in own]
    return _filling(kind, "*", *given) if kind in _TWINS else kind


def evolver(kind: type[T], *names: str) -> Callable[..., T]:
    """Return a function of a value with the fields of *kind*, and of new *names*."""
    return _filling(cast("Any", kind), "_value", *names)


def opener(kind: type[T], like: type[Any]) -> Callable[[Any], T]:
    """Return a function that makes one of *kind* of the fields of a *like* one."""
    if not _are_open(kind, like):
        return evolver(kind)

    def opened(value: Any) -> T:
        new = _blank(kind)
        _fill(new, "__dict__", value.__dict__.copy())  # all of them, in one step
        return new

    return opened


def closer(kind: type[T], like: type[Any]) -> Callable[[Any], T]:
    """Return a function that does so, and after which the other one is not used again.

    It hands its fields over: they are not copied, so whoever changed it would change
    what is frozen.
    """
    if not _are_open(kind, like):
        return evolver(kind)

    def closed(value: Any) -> T:
        new = _blank(kind)
        _fill(new, "__dict__", value.__dict__)
        return new

    return closed


_blank: Final = object.__new__
_fill: Final = object.__setattr__  # a frozen class refuses its own


def _are_open(*kinds: type[Any]) -> bool:
    """Say whether all of some classes of attrs keep their fields in a ``__dict__``."""
    return all(kind.__dictoffset__ and "__slots__" not in vars(kind) for kind in kinds)


@cache
def _filling(kind: Any, *given: str) -> Callable[..., Any]:
    """Write a function that fills a twin with what is *given*, and of a value."""
    here = {each.partition("=")[0] for each in given}
    fields = {f.name: f.default for f in attrs.fields(kind)}
    filled = [f"self.{n} = {n if n in here else '_value.' + n}" for n in fields]
    done = "self.__class__ = _kind" if kind in _TWINS else "self = _kind(**vars(self))"
    text = [f"def filling({', '.join(given)}):", "self = _twin()", *filled, done]
    scope = {f"_of_{name}": default for name, default in fields.items()}
    scope |= {"_kind": kind, "_twin": _TWINS.get(kind, SimpleNamespace)}
    exec("\n ".join([*text, "return self"]), scope)  # noqa: S102 - our own names
    return cast("Callable[..., Any]", scope["filling"])
