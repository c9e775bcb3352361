"""Install what the tests need into a virtual environment and pass all of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"


def main() -> int:
    """Run the tests; the exit code is pytest's."""
    made = subprocess.run([sys.executable, "-m", "venv", VENV], check=False)
    if made.returncode:
        print("python3 -m venv failed; on Debian: apt-get install python3-venv")
        return 2
    pip = [PYTHON, "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "-e", ".[testing]", "pytest"], cwd=ROOT, check=True)
    tests = [PYTHON, "-m", "pytest", "-q", "--doctest-modules", "orchestrator", "tests"]
    return subprocess.run(tests, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
