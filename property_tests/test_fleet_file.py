"""No file, however wrong, gives anything but a fleet or typed problems."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from returns.result import Failure

from orchestrator.codec.fleet_file import read_fleet_file
from orchestrator.codec.toml_lines import line_of, lines_of
from orchestrator.codec.wire import decode_event, encode_event
from orchestrator.core.admit import admit
from orchestrator.core.custom import CustomPolicy, registered
from orchestrator.core.decisions import GiveUp
from orchestrator.core.events import SpecApplied
from orchestrator.core.requests import Apply
from orchestrator.core.state import empty_fleet
from tests.codec.test_fleet_file import POLICIES

EXAMPLE = (
    Path(__file__).parents[1] / "docs" / "examples" / "quickstart.toml"
).read_text()

WORDS = """name fleet platform kind restart when crash window window_ms backoff
allowed_crashes initial_ms max factor containers ad_hoc command ports config env image
replicas stop_grace stop_signal working_dir hooks env_vars replica x policies custom
exit_rules codes codes_not_in signals signals_not_in kinds kinds_not_in action delays
delays_ms max_restarts start_budget success_codes version params health startup
readiness liveness http tcp port path headers statuses period timeout probe type
success_threshold groups strategy members group api listen read_only hosts tls_cert
tls_key requests_per_second body_max_bytes metrics_max_names rollout autoscaling
max_unavailable max_surge steps share soak promote keep_old min_ready failure_budget
container_deadline progress_deadline on_failure metric target min tolerance up_after
placement spread"""
KEYS = st.sampled_from(WORDS.split())
TEXTS = st.one_of(
    st.sampled_from(["local", "always", "10m", "${port.http}", "${secret.A}", "a:b"]),
    st.sampled_from(["25%", "canary", "blue_green", "manual", "cpu", "weur"]),
    st.sampled_from(["KILL", "lost", "fail", "ignore", "one_for_all", "web", "http"]),
    st.text(max_size=8),
)
SCALARS = st.one_of(
    TEXTS, st.integers(), st.floats(), st.booleans(), st.dates(), st.times()
)


def toml(value: Any) -> str:
    """Write a value as TOML, inline."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            escaped = "".join(f"\\U{ord(letter):08x}" for letter in value)
            return f'"{escaped}"'
        case list():
            return f"[{', '.join(map(toml, value))}]"
        case dict():
            pairs = (
                f"{toml(str(key))} = {toml(inner)}" for key, inner in value.items()
            )
            return f"{{ {', '.join(pairs)} }}"
        case _:
            return str(value)


VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)
    ),
    max_leaves=12,
)


def holds(data: bytes) -> None:
    """Hold what is read to what it must be: a fleet that can be had, or problems."""
    answer = read_fleet_file(data, file="f.toml", folder="/srv")
    if isinstance(answer, Failure):
        for problem in answer.failure().problems:
            assert problem.message.startswith("f.toml")
        return
    file = answer.unwrap()
    specs = (*file.spec.containers, *filter(None, [file.spec.settings.ad_hoc]))
    refs = {spec.restart.custom for spec in specs} - {None}
    known = {(ref.name, ref.version) for ref in refs if ref is not None}
    policies = registered(
        CustomPolicy(name=name, version=version, decide=lambda _: GiveUp())
        for name, version in sorted(known)
    )
    fleet = empty_fleet(file.spec.name)
    event = admit(fleet, Apply(spec=file.spec), 0, policies).unwrap()
    assert isinstance(event, SpecApplied)
    assert decode_event(encode_event(event)).unwrap() == event


@given(st.dictionaries(KEYS, VALUES, max_size=6))
def test_a_tree_of_anything_is_read_or_told(tree: dict[str, Any]) -> None:
    lines = [f"{key} = {toml(value)}" for key, value in tree.items()]
    holds("\n".join(lines).encode(errors="replace"))


@given(st.binary(max_size=200))
@example(b"\x00")
@example(b"[[[[[[")
def test_bytes_of_anything_are_read_or_told(data: bytes) -> None:
    holds(data)


@given(st.data())
def test_a_good_file_with_a_wound_is_read_or_told(data: st.DataObject) -> None:
    good = data.draw(st.sampled_from([EXAMPLE, POLICIES]))
    start = data.draw(st.integers(0, len(good)))
    length = data.draw(st.integers(0, 30))
    wound = data.draw(st.one_of(TEXTS, VALUES.map(toml)))
    wounded = good[:start] + wound + good[start + length :]
    holds(wounded.encode(errors="replace"))


@given(value=VALUES, data=st.data())
def test_a_good_file_with_another_value_is_read_or_told(
    value: Any, data: st.DataObject
) -> None:
    lines = POLICIES.splitlines()
    keys = [n for n, line in enumerate(lines) if " = " in line and line[0] != " "]
    number = data.draw(st.sampled_from(keys))
    key = lines[number].partition(" = ")[0]
    lines[number] = f"{key} = {toml(value)}"
    holds("\n".join(lines).encode(errors="replace"))


@given(st.text(max_size=300))
def test_lines_lie_within_the_text(text: str) -> None:
    lines = lines_of(text)
    assert all(1 <= line <= len(text.splitlines()) for line in lines.values())
    assert all(line_of(lines, path) == line for path, line in lines.items())
