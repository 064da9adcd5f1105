"""Digests of weights: of a file, of each file of a folder, and of a folder as a whole.

Reading gigabytes takes seconds, and a version that died is verified again before it is loaded: so a file that was
digested by this process, and has neither moved nor changed since, is not read a second time.
"""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path


def file_digest(file: Path) -> str:
    """Give the SHA-256 of a file of any size."""
    status = file.stat()
    return _digest(file, (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns))


@lru_cache(maxsize=4096)
def _digest(file: Path, identity: tuple[int, ...]) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def manifest(folder: Path) -> dict[str, str]:
    """Give the digest of every file of a folder, by its path in there, in the order of these."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(file.relative_to(folder)): file_digest(file) for file in files}


def folder_digest(folder: Path) -> str:
    """Digest the names, lengths and contents of all files of a folder, in the order of their names."""
    digest = hashlib.sha256()
    for name, of_file in manifest(folder).items():
        digest.update(f"{name}\0{(folder / name).stat().st_size}\0{of_file}\n".encode())
    return digest.hexdigest()


def difference(found: Mapping[str, str], recorded: Mapping[str, str]) -> str | None:
    """Say how a folder differs from what was recorded of it; None if it doesn't."""
    for name in sorted(found.keys() | recorded.keys()):
        if name not in found:
            return f"{name} is missing"
        if name not in recorded:
            return f"{name} was not there"
        if found[name] != recorded[name]:
            return f"{name} is another file (SHA-256 {found[name][:12]}…, not {recorded[name][:12]}…)"
    return None
