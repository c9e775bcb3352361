"""Why the door to the operator stays shut: each reason is a sentence of its own."""

from __future__ import annotations

from typing import get_args

import pytest

from orchestrator.core.access_errors import (
    AccessError,
    ForeignOrigin,
    KeyReused,
    NotAllowed,
    NotAuthenticated,
    TooManyRequests,
)

SENTENCES: dict[AccessError, str] = {
    NotAuthenticated(): "not authenticated: no token was given",
    NotAuthenticated(cause="it was revoked"): "not authenticated: it was revoked",
    NotAllowed(cause="the token may only read"): "not allowed: the token may only read",
    ForeignOrigin(
        header="Host", expected="127.0.0.1", found="shop.example"
    ): "Host: expected 127.0.0.1, found shop.example",
    TooManyRequests(retry_after_ms=1_500): "too many requests: ask again in 1500 ms",
    KeyReused(
        key="order-7"
    ): "the idempotency key 'order-7' belongs to another request",
}


@pytest.mark.parametrize(("error", "sentence"), SENTENCES.items(), ids=str)
def test_a_shut_door_says_why(error: AccessError, sentence: str) -> None:
    assert error.message == sentence


def test_no_reason_is_missing_and_each_has_its_own_code() -> None:
    kinds = get_args(AccessError)
    assert {type(error) for error in SENTENCES} == set(kinds)
    assert len({kind.code for kind in kinds}) == len(kinds)
