"""``python -m orchestrator``: the command."""

from __future__ import annotations

from orchestrator.cli.main import main

__all__ = ()

if __name__ == "__main__":
    main()
