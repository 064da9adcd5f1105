"""The very first step of `make`: nothing is installed yet."""

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "find-python"


def test_it_needs_nothing_but_the_standard_library() -> None:
    """The interpreter that this environment was made with has none of the project's packages."""
    base = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
    env = {"PATH": os.environ["PATH"], "PYTHON": str(base)}
    done = subprocess.run([SCRIPT], env=env, text=True, capture_output=True, timeout=30, check=False)
    assert (done.stdout.strip(), done.stderr) == (str(base), "")


def test_without_any_it_says_what_to_install() -> None:
    env = {"PATH": os.environ["PATH"], "PYTHON": "no-such-python"}
    done = subprocess.run([SCRIPT], env=env, text=True, capture_output=True, timeout=30, check=False)
    assert done.returncode == 1
    assert "Install Python 3.11" in done.stderr
    assert "PYTHON=" in done.stderr
