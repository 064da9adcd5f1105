"""Removes what a killed Triton leaves in shared memory."""

import hashlib
import re
from pathlib import Path

_FOLDER = Path("/dev/shm")  # noqa: S108 - this is where Triton's regions are, not a place for temporary files


def prefix(run_folder: Path) -> str:
    """Name the regions of the Triton that runs in `run_folder`, unlike any other's on this machine."""
    digest = hashlib.sha256(str(run_folder.resolve()).encode()).hexdigest()[:12]
    return f"inferno_{digest}_"


def clean(run_folder: Path) -> None:
    """Remove the regions of an earlier life of this Triton. Only while it does not run."""
    ours = re.compile(re.escape(prefix(run_folder)))
    for region in _FOLDER.iterdir() if _FOLDER.is_dir() else ():
        if ours.match(region.name):
            region.unlink(missing_ok=True)
