"""What is made on demand is made once, and of known keys alone."""

from __future__ import annotations

import pytest

from orchestrator.codec.on_demand import OnDemand


def test_an_entry_is_made_when_it_is_asked_for_and_only_once() -> None:
    asked: list[str] = []

    def length(text: str) -> int:
        asked.append(text)
        return len(text)

    lengths = OnDemand(["a", "bcd"], length)
    assert (len(lengths), asked) == (0, [])
    assert [lengths["bcd"], lengths["bcd"]] == [3, 3]
    assert asked == ["bcd"]


def test_what_is_not_known_is_no_key() -> None:
    lengths = OnDemand(["a"], len)
    with pytest.raises(KeyError):
        lengths["b"]
    assert "b" not in lengths
    assert lengths.known == {"a"}
