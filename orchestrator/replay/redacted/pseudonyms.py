"""Other words for the owner's: what each kind of text becomes when a history is shared.

Two readers of the same texts, in two passes over a history. ``Vocabulary`` listens and
changes nothing; ``Pseudonyms``, made from it, says another word for each:

| kinds | become |
|---|---|
| names, keys | ``c01``, ``g1``, ``k07``: numbered in their order |
| names of replicas | ``c01-3``: by what their service has become |
| free texts, values | ``text-`` and a keyed hash |
| regions and such | another one of the same list: a spec may name no others |

The order of names is kept, for the core follows it: who waits is ordered by moment and
name, a group by place and name, a table by its keys. Hashes need nothing remembered.
No two texts of a kind become the same one: what differed still differs, so whoever
compares them decides as before. The *key* of the hashes is chance that the caller
draws, and forgets: without it nobody can try out what a text might have been.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Protocol

import attrs

from orchestrator.core.fingerprints import fingerprint
from orchestrator.core.specs import ContainerSpec
from orchestrator.replay.history import NOTHING
from orchestrator.replay.redacted.kinds import Kept, Kind
from orchestrator.replay.redacted.replica_names import numbered_names, replica_name

__all__ = ("OWN_TEXTS", "Kept", "Kind", "Pseudonyms", "Vocabulary", "Words")


_NUMBERED: Final[Mapping[Kind, str]] = {
    Kind.NAME: "c",
    Kind.GROUP: "g",
    Kind.FLEET: "fleet-",
    Kind.PORT: "p",
    Kind.CONFIG_KEY: "k",
    Kind.ENV_KEY: "E",
    Kind.HEADER: "h",
    Kind.SECRET: "S",
    Kind.PARAM_KEY: "a",
}
"""Kinds whose order is kept, with the letter that stands before the number."""

_MAY_BE_KEPT: Final[Mapping[Kind, Kept]] = {
    **dict.fromkeys((Kind.NAME, Kind.SERVICE, Kind.GROUP, Kind.FLEET), Kept.NAMES),
    **dict.fromkeys(
        (
            Kind.PORT,
            Kind.CONFIG_KEY,
            Kind.ENV_KEY,
            Kind.HEADER,
            Kind.SECRET,
            Kind.IMAGE,
            Kind.WORD,
            Kind.PATH,
            Kind.CONFIG_VALUE,
            Kind.REGION,
            Kind.JURISDICTION,
            Kind.HINT,
        ),
        Kept.CONFIG,
    ),
    **dict.fromkeys((Kind.PARAM_KEY, Kind.PARAM_VALUE), Kept.PARAMS),
    Kind.TEXT: Kept.TEXTS,
    **dict.fromkeys((Kind.ADDRESS, Kind.CURSOR), Kept.ADDRESSES),
}
"""By which word each kind is kept; fingerprints follow from the specs.

A ticket is never kept: it is the secret of a caller, and names what it stands for.
Nor is the address of who is told of trouble: there may be a secret in its path.
"""

OWN_TEXTS: Final = frozenset(
    {
        *("", "owner", "its spec has left the fleet", "its service was scaled down"),
        *("autoscaler", "its rollout is over"),
        *("rollout", "all are stopped before new ones start"),
        "its service needs one of its index alone",
    }
)
"""What the program itself writes where the owner may write, too (``core.declare``)."""

_OWN_SENTENCE: Final = re.compile(
    r"a replica of revision \d+ has taken its place"
    r"|its load is [\d.]+ on the average of (?:\d+(?:d|h|m|s|ms))+, [\d.]+ for each"
    r"(?:: \d+ to \d+ replicas)?"
)
"""The same, with numbers in it (``core.rollout_moves``, ``core.autoscale``)."""

_FIXED: Final[Mapping[Kind, str]] = {
    Kind.FLEET: NOTHING.name,
    Kind.ENV_KEY: NOTHING.settings.container_name_env_key,
}
"""Words of the program's own: every fold begins with a fleet that holds them."""

_BEFORE_FIXED: Final[Mapping[Kind, str]] = {Kind.ENV_KEY: "B"}
"""The letter of those that stand before a fixed word in their order."""

_HASH_BYTES: Final = 8
_NUMBER_MAX: Final = 1 << 51
"""Numbers below it, and halves between them, are the same as floats."""


class Words(Protocol):
    """Who is told every text of a history, and says what stands there instead."""

    def text(self, kind: Kind, text: str) -> str:
        """Return what a text becomes."""
        ...

    def number(self, kind: Kind, number: float) -> float:
        """Return what a number within the owner's config becomes."""
        ...

    def choice(self, kind: Kind, text: str, choices: tuple[str, ...]) -> str:
        """Return what one word out of a closed list becomes."""
        ...

    def is_known(self, kind: Kind, text: str) -> bool:
        """Say whether a text of a kind that is numbered has been told before."""
        ...

    def learn(self, spec: ContainerSpec, redacted: ContainerSpec) -> None:
        """Take note of what a whole spec has become."""
        ...


class Vocabulary:
    """The first pass: hears all texts, keeps those that will be numbered."""

    def __init__(self) -> None:
        """Begin with no word."""
        self.words: dict[Kind, set[str]] = {kind: set() for kind in _NUMBERED}
        self.services: set[str] = set()

    def text(self, kind: Kind, text: str) -> str:
        """Hear a text."""
        if kind is Kind.SERVICE:
            self.services.add(text)
        if kind in self.words:
            self.words[kind].add(text)
        return text

    def number(self, kind: Kind, number: float) -> float:
        """Hear a number."""
        del kind
        return number

    def choice(self, kind: Kind, text: str, choices: tuple[str, ...]) -> str:
        """Hear a word out of a list."""
        del kind, choices
        return text

    def is_known(self, kind: Kind, text: str) -> bool:
        """Say whether it was heard."""
        return text in self.words[kind]

    def learn(self, spec: ContainerSpec, redacted: ContainerSpec) -> None:
        """Hear that a spec is whole."""


@attrs.define(kw_only=True)
class Pseudonyms:
    """The second pass: a word for each word. ``Pseudonyms.of`` makes them.

    ``numbered`` is the way back, for the owner alone: kind, word, pseudonym. Specs go
    by before what is compared with their fingerprints, which are learned from them.
    """

    key: bytes
    kept: frozenset[Kept]
    numbered: Mapping[Kind, Mapping[str, str]]
    services: frozenset[str] = frozenset()
    _fingerprints: dict[str, str] = attrs.field(factory=dict[str, str])

    @staticmethod
    def of(
        vocabulary: Vocabulary, *, key: bytes, kept: Iterable[Kept] = (Kept.PARAMS,)
    ) -> Pseudonyms:
        """Give what was heard its numbers; *key* is at least 16 bytes of chance.

        >>> heard = Vocabulary()
        >>> for name in ("web-1", "web-0", "api"):
        ...     _ = heard.text(Kind.NAME, name)
        >>> Pseudonyms.of(heard, key=bytes(16)).text(Kind.NAME, "web-0")
        'c2'

        """
        numbered = {kind: _in_order(kind, vocabulary.words[kind]) for kind in _NUMBERED}
        names, services = vocabulary.words[Kind.NAME], vocabulary.services
        letter = _NUMBERED[Kind.NAME]
        numbered[Kind.NAME] = numbered_names(names - {""}, services, letter)
        return Pseudonyms(
            key=key,
            kept=frozenset(kept),
            numbered=numbered,
            services=frozenset(services),
        )

    def replaces(self, kind: Kind) -> bool:
        """Say whether words of a kind are replaced, and not kept."""
        return _MAY_BE_KEPT.get(kind) not in self.kept

    def text(self, kind: Kind, text: str) -> str:
        """Return the pseudonym; a word of a numbered kind was heard before."""
        if kind is Kind.FINGERPRINT:
            return self._fingerprint(text)
        if not text or not self.replaces(kind):
            return text
        if kind in {Kind.NAME, Kind.SERVICE}:
            return self._name(text)
        if kind in self.numbered:
            return self.numbered[kind][text]
        if kind is Kind.TEXT and (text in OWN_TEXTS or _OWN_SENTENCE.fullmatch(text)):
            return text
        return f"{_LABELS[kind]}-{self._hashed(kind, text).hex()}"

    def _name(self, text: str) -> str:
        names = self.numbered[Kind.NAME]
        return (
            names.get(text) or replica_name(text, names, self.services) or names[text]
        )

    def _fingerprint(self, text: str) -> str:
        """Return that of the redacted spec; one of no spec is that of none still."""
        known = self._fingerprints.get(text)
        if known is not None or not text:
            return known or ""
        return self._hashed(Kind.FINGERPRINT, text).hex()

    def number(self, kind: Kind, number: float) -> float:
        """Return another number; equal ones stay equal, and their types what they are.

        0 and 1 stay: they equal false and true, which cannot become anything else.
        """
        if number in (0, 1) or not self.replaces(kind):
            return number
        is_whole = isinstance(number, int) or number.is_integer()
        digits = str(int(number)) if is_whole else repr(number)
        other = int.from_bytes(self._hashed(kind, digits)) % (_NUMBER_MAX - 2) + 2
        if isinstance(number, int):
            return other
        return float(other) if is_whole else other + 0.5

    def choice(self, kind: Kind, text: str, choices: tuple[str, ...]) -> str:
        """Return another word of the list, the same one for the same word."""
        if not self.replaces(kind):
            return text
        mixed = sorted(choices, key=self._order_of(kind))
        return mixed[choices.index(text)]

    def is_known(self, kind: Kind, text: str) -> bool:
        """Say whether it was heard in the first pass."""
        return text in self.numbered[kind]

    def learn(self, spec: ContainerSpec, redacted: ContainerSpec) -> None:
        """Let the fingerprint of a spec become that of its redacted form."""
        self._fingerprints[fingerprint(spec)] = fingerprint(redacted)

    def _order_of(self, kind: Kind) -> Callable[[str], bytes]:
        return lambda text: self._hashed(kind, text)

    def _hashed(self, kind: Kind, text: str) -> bytes:
        said = f"{kind}:{text}".encode()
        return hashlib.blake2b(said, key=self.key, digest_size=_HASH_BYTES).digest()


def _in_order(kind: Kind, words: set[str]) -> dict[str, str]:
    """Give words their numbers, in their order."""
    fixed = _FIXED.get(kind, "")
    letter = _NUMBERED[kind]
    before = _BEFORE_FIXED.get(kind, letter)
    ordered = sorted(words - {fixed, ""})
    width = len(str(len(ordered)))
    numbered = {
        word: f"{before if word < fixed else letter}{number:0{width}}"
        for number, word in enumerate(ordered, start=1)
    }
    return {**numbered, fixed: fixed} if fixed else numbered


_LABELS: Final[Mapping[Kind, str]] = {
    Kind.IMAGE: "image",
    Kind.WORD: "word",
    Kind.PATH: "/path",
    Kind.CONFIG_VALUE: "value",
    Kind.PARAM_VALUE: "value",
    Kind.TEXT: "text",
    Kind.ADDRESS: "address",
    Kind.CURSOR: "cursor",
    Kind.TICKET: "ticket",
    Kind.URL: "https://receiver.invalid/url",
}
"""What stands before a hash, so that one sees what it stands for."""
