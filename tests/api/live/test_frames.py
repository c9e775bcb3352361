"""Messages in their two forms, and nothing that could pass for another message."""

from __future__ import annotations

import orjson

from orchestrator.api.live.frames import Form, told
from tests.api.live.kit import parsed

HOSTILE = "a\nevent: bye\ndata: {}\n\n\r\u2028</script>"


def test_a_message_is_one_whatever_it_says() -> None:
    for form in Form:
        data = told(form, "gap", 4, why=HOSTILE, seq=1)
        (message,) = parsed(form, data)
        assert (message["kind"], message["why"]) == ("gap", HOSTILE)


def test_a_line_of_ndjson_is_one_object() -> None:
    data = told(Form.NDJSON, "heartbeat", 4, seq=4, at=5)
    assert orjson.loads(data) == {"kind": "heartbeat", "seq": 4, "at": 5}
