"""What the machine that an agent stands on has: cores, memory, and room on its disks."""

import os
import shutil
from pathlib import Path
from typing import NamedTuple

import psutil

from inferno_engine.errors import Unverified

# What Triton, the agent and the engine's own files need beside a version's: logs, compiled code, a little reserve.
_SPARE_DISK_BYTES = 256 << 20
_SPARE_MEMORY_BYTES = 256 << 20
_GB = 1 << 30
_GROUP = Path("/sys/fs/cgroup")


class Machine(NamedTuple):
    """Cores and memory, of the machine or, where that has less, of the container."""

    cores: int
    memory_bytes: int
    memory_available_bytes: int


def look(group: Path = _GROUP) -> Machine:
    """Look at the machine. `group`: where the limits of a container stand."""
    memory = psutil.virtual_memory()
    total, available = memory.total, memory.available
    limit, used = _number(group / "memory.max"), _number(group / "memory.current")
    if limit is not None and limit < total:
        total, available = limit, min(available, max(0, limit - (used or 0)))
    return Machine(len(os.sched_getaffinity(0)), total, available)


def check_disk(folder: Path, needed_bytes: int) -> None:
    """Raise Unverified if the disk of `folder` has no room for that much, and a reserve."""
    free = shutil.disk_usage(_existing(folder)).free
    if free < needed_bytes + _SPARE_DISK_BYTES:
        raise Unverified(
            f"The disk of {folder} has {free / _GB:.1f} GB free, and {(needed_bytes + _SPARE_DISK_BYTES) / _GB:.1f} "
            "are needed: free some space, then it goes on by itself."
        )


def check_memory(needed_bytes: int, machine: Machine) -> None:
    """Raise Unverified if the memory that is available can't hold that much."""
    if needed_bytes + _SPARE_MEMORY_BYTES > machine.memory_available_bytes:
        raise Unverified(
            f"It needs at least {needed_bytes / _GB:.1f} GB of memory, and {machine.memory_available_bytes / _GB:.1f} "
            f"of {machine.memory_bytes / _GB:.1f} are available: retire another version, or lower "
            "kv_cache_memory_bytes in its engine arguments."
        )


def _existing(folder: Path) -> Path:
    return next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        # No container, or one without a limit, which says "max".
        return None
