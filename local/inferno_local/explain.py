"""Why a process ended: from its exit code and its last words to a sentence with the way out."""

import re
import signal
from pathlib import Path

_LOOK_BACK_BYTES = 64 << 10

# What a log says, and what a person should do about it. The first that is found counts.
_KNOWN = (
    (
        re.compile(r"No space left on device|Disk quota exceeded", re.IGNORECASE),
        "the disk is full: free some space, then it recovers by itself",
    ),
    (
        re.compile(
            r"address already in use|Cannot assign requested address|Failed to bind|BindException", re.IGNORECASE
        ),
        "its port was taken by another process: `inferno down` and `inferno up` choose a new one",
    ),
    (
        re.compile(r"OutOfMemoryError|Cannot allocate memory|bad_alloc|MemoryError"),
        "there is not enough memory: see `inferno doctor`",
    ),
    (
        re.compile(r"Too many open files"),
        "too many files are open: raise the limit with `ulimit -n 65536`",
    ),
    (
        re.compile(r"Read-only file system"),
        "its folder can't be written: choose another with INFERNO_HOME",
    ),
)
_ERROR = re.compile(r"\b(FATAL|PANIC|ERROR|CRITICAL|[A-Z]\w*(Error|Exception))\b|(Error|Exception): ")


def ended(code: int) -> str:
    """An exit code in words."""
    if code >= 0:
        return f"ended with {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


def recognised(said: str) -> str | None:
    """A known trouble that `said` names, with its way out."""
    for pattern, way_out in _KNOWN:
        found = pattern.search(said)
        if found:
            return f"{found[0]}; {way_out}"
    return None


def trouble(error: OSError) -> str:
    """What the machine refused, with its way out where that is known."""
    return recognised(str(error)) or str(error)


def cause(code: int, said: str) -> str:
    """What to tell of a process that ended with `code` after it `said` its last words."""
    known = recognised(said)
    if known:
        return f"{ended(code)}: {known}"
    if code < 0:
        return ended(code)
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if _ERROR.search(line)] or lines
    return f"{ended(code)}: {telling[-1][:300]}" if telling else ended(code)


def written(log: Path) -> int:
    """How much `log` holds, in bytes."""
    return log.stat().st_size if log.exists() else 0


def last_words(log: Path, since: int) -> str:
    """What `log` got from byte `since` on, at most its end. A log that was cut meanwhile is read whole."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(since if since <= size else 0, size - _LOOK_BACK_BYTES))
            return file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
