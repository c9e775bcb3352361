"""Masks: what is hidden stays hidden, and cannot pass for the value itself."""

from __future__ import annotations

import attrs
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.specs import ContainerSpec
from orchestrator.core.table import Table
from orchestrator.runtime.masks import MASK, masked_spec, refused_masks
from orchestrator.testing.strategies import container_specs

WORDS = st.sampled_from(
    [
        "--password",
        "--token=",
        "-v",
        "password=",
        "Authorization: ",
        "Bearer ",
        "://",
        "user:pw@",
        "@",
        ":80/",
        '"',
        "'",
        "{",
        "}",
        ";",
        " ",
        "$${",
        "${name}",
        "${config.k}",
        "$",
        "x",
        "api_key",
        "=",
        MASK,
    ]
)
TEXTS = st.lists(WORDS, max_size=8).map("".join)
KEYS = st.sampled_from(["DB_URL", "PASSWORD", "accessKey", "ENCRYPTION_KEY", "mode"])


@st.composite
def telling(draw: st.DrawFn) -> ContainerSpec:
    """Draw a spec whose texts look as if they held secrets."""
    spec = draw(container_specs())
    config = draw(st.dictionaries(KEYS, TEXTS | st.integers(), max_size=3))
    env = draw(st.dictionaries(KEYS, TEXTS, max_size=3))
    words = draw(st.lists(TEXTS, min_size=1, max_size=4))
    try:
        return attrs.evolve(
            spec,
            command=("run", *words),
            env=Table.of(env.items()),
            config=Table.of(config.items()),
        )
    except ValueError:  # a placeholder that is none
        return spec


@given(telling())
def test_what_is_masked_is_masked_for_good(spec: ContainerSpec) -> None:
    masked = masked_spec(spec)
    assert masked_spec(masked) == masked


@given(telling())
def test_what_was_masked_does_not_pass_for_the_value(spec: ContainerSpec) -> None:
    masked = masked_spec(spec)
    assert masked == spec or refused_masks(masked) is not None
