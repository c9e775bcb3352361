"""The command as its users run it, in this process: quicker, and seen by coverage."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

import pytest

from orchestrator.cli.main import main
from tests.cli.kit import Done


def ran(*words: object, stdin: Path | None = None) -> Done:
    """Run a command to its end; *stdin* is what it is given on standard input."""
    out, err = io.StringIO(), io.StringIO()
    given = io.TextIOWrapper(io.BytesIO(stdin.read_bytes() if stdin else b""))
    argv = ["orchestrator", *map(str, words)]
    with (
        redirect_stdout(out),
        redirect_stderr(err),
        patch.object(sys, "argv", argv),
        patch.object(sys, "stdin", given),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    assert isinstance(ended.value.code, int)
    return Done(ended.value.code, out.getvalue(), err.getvalue())
