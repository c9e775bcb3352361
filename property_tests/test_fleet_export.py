"""A fleet that is written is read back as it was, as TOML and as Python.

And whatever is given in Python is a fleet, or is told to be none.
"""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import timedelta
from typing import Any
from unicodedata import category, east_asian_width

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.codec.fleet_file import FleetFile, read_fleet_file
from orchestrator.codec.fleet_forms import exact_duration
from orchestrator.codec.fleet_functions import InvalidFleet, container, fleet, in_folder
from orchestrator.codec.fleet_python import python_text
from orchestrator.codec.fleet_toml import toml_text
from orchestrator.codec.fleet_writing import fleet_tree, left_unsaid
from orchestrator.core.backoff import Backoff
from orchestrator.core.health import HttpProbe
from orchestrator.core.moments import DURATION_MAX, parse_duration
from orchestrator.core.policies import RestartPolicy, When
from orchestrator.core.table import Table
from orchestrator.testing.strategies import FILE_FOLDER, fleet_files
from property_tests.test_fleet_file import KEYS, TEXTS


def in_toml(file: FleetFile) -> str:
    return toml_text(fleet_tree(file, FILE_FOLDER)).unwrap()


def in_python(file: FleetFile) -> str:
    return python_text(fleet_tree(file, FILE_FOLDER))


def from_toml(text: str) -> FleetFile:
    read = read_fleet_file(text.encode(), file="fleet.toml", folder=FILE_FOLDER)
    return read.unwrap()


def from_python(text: str) -> FleetFile:
    module: dict[str, object] = {}
    with in_folder(FILE_FOLDER):
        exec(compile(text, "fleet.py", "exec"), module)  # noqa: S102 - it is ours
    found = module["fleet"]
    assert isinstance(found, FleetFile)
    return found


@given(fleet_files(nulls=False))
def test_what_is_written_as_toml_is_read_back_also_by_way_of_python(
    file: FleetFile,
) -> None:
    text = in_toml(file)
    assert from_toml(text) == file
    assert in_toml(from_python(in_python(file))) == text


@given(fleet_files())
def test_what_is_written_as_python_is_read_back(file: FleetFile) -> None:
    assert left_unsaid(file.spec) == ()
    assert from_python(in_python(file)) == file


@given(st.integers(0, DURATION_MAX))
def test_a_duration_that_is_written_is_read_back(millis: int) -> None:
    assert parse_duration(exact_duration(millis)).unwrap() == millis


def is_of_known_width(letter: str) -> bool:
    """Say whether a formatter counts a letter as any other does.

    Of marks, and of some letters such as U+17A4, each has a table of its own.
    """
    is_wide = east_asian_width(letter) in {"W", "F"}
    return letter.isascii() or is_wide or category(letter) in {"Ll", "Lu"}


def in_one_line(text: str) -> str:
    """Return a text without what a layout adds: white space, and last commas."""
    return re.sub(r",([)\]}])", r"\1", re.sub(r"\s", "", text))


@settings(max_examples=10)
@given(fleet_files())
def test_python_is_laid_out_as_a_formatter_leaves_it(file: FleetFile) -> None:
    text = in_python(file)
    done = subprocess.run(
        (sys.executable, "-m", "ruff", "format", "--isolated", "-"),
        input=text.encode(),
        capture_output=True,
        check=True,
    )
    laid = done.stdout.decode()
    if all(map(is_of_known_width, text)):
        assert laid == text
    else:
        assert in_one_line(laid) == in_one_line(text)


SCALARS = st.one_of(
    TEXTS,
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.binary(max_size=3),
    st.timedeltas(),
    st.sampled_from(
        [When.NEVER, RestartPolicy(), Backoff(), HttpProbe(port="http"), Table(), ...]
    ),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(KEYS, inner, max_size=4),
        st.dictionaries(st.one_of(KEYS, st.integers()), inner, max_size=2),
    ),
    max_leaves=12,
)
TABLES = st.dictionaries(KEYS, VALUES, max_size=6)


@given(VALUES, TABLES, st.lists(TABLES, max_size=3))
def test_whatever_is_given_is_a_fleet_or_is_told(
    name: Any, keys: dict[str, Any], entries: list[dict[str, Any]]
) -> None:
    anything: Any = fleet
    entry: Any = container
    given_keys = {key: keys[key] for key in keys if key not in {"name", "folder"}}
    containers = [
        entry(each.pop("name", "web"), **each) for each in (dict(e) for e in entries)
    ]
    try:
        made = anything(name, **{"containers": containers, **given_keys})
    except InvalidFleet as error:
        made = error.error
    assert isinstance(made, FleetFile) or made.problems


@given(st.timedeltas())
def test_a_timedelta_is_the_duration_that_it_is_or_is_told(span: timedelta) -> None:
    millis, rest = divmod(span, timedelta(milliseconds=1))
    is_one = not rest and 0 <= millis <= DURATION_MAX
    try:
        made = fleet("x", reconcile_interval=span)
    except InvalidFleet:
        assert not is_one
    else:
        assert made.spec.settings.reconcile_interval_ms == millis
