"""Alert rules and dashboard: they parse, and name nothing that is not there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from orchestrator.api.measures import STATES
from orchestrator.api.metric_names import METRICS
from tests.docs.generate import DOCS

ALERTS = DOCS / "alerts"
NAMES = re.compile(r"\b(?:fleet|orchestrator)_[a-z_]+")
STATE = re.compile(r'state=~?"([^"]+)"')
LABELS = re.compile(r"[{,](\w+)(?:=~|!=|!~|=)")


def known() -> set[str]:
    """Return every name that an expression may hold."""
    names = {named.name for named in METRICS}
    for named in METRICS:
        if named.kind == "histogram":
            names |= {f"{named.name}{end}" for end in ("_bucket", "_sum", "_count")}
    return names


def rules() -> list[dict[str, Any]]:
    text = (ALERTS / "orchestrator.rules.yml").read_text(encoding="utf-8")
    (group,) = yaml.safe_load(text)["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def board() -> dict[str, Any]:
    text = (ALERTS / "grafana-dashboard.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def expressions() -> Iterator[str]:
    yield from (rule["expr"] for rule in rules())
    for panel in board()["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    yield from (item["query"] for item in board()["templating"]["list"])


def test_every_metric_that_is_asked_for_exists() -> None:
    asked = {name for text in expressions() for name in NAMES.findall(text)}
    assert asked <= known()
    assert len(asked) > 15


def test_every_label_and_state_that_is_asked_for_exists() -> None:
    labels = {label for named in METRICS for label in named.labels} | {"job"}
    for text in expressions():
        assert set(LABELS.findall(text)) <= labels, text
        for words in STATE.findall(text):
            assert set(words.split("|")) <= set(STATES), text


def test_brackets_of_expressions_close() -> None:
    for text in expressions():
        for begin, end in ("()", "{}", "[]"):
            assert text.count(begin) == text.count(end), text
        assert text.count('"') % 2 == 0, text


def test_every_alert_says_what_it_is_and_how_bad() -> None:
    for rule in rules():
        assert rule["annotations"]["summary"]
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert re.fullmatch(r"[A-Z][A-Za-z]+", rule["alert"])


def test_the_page_about_alerts_tells_all_of_them() -> None:
    page = (DOCS / "how-to" / "alerting.md").read_text(encoding="utf-8")
    assert all(f"`{rule['alert']}`" in page for rule in rules())


def test_panels_have_their_own_numbers_and_do_not_overlap() -> None:
    panels = board()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert place["x"] + place["w"] <= 24
        taken |= cells
