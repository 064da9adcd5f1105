"""Small files that are replaced whole, never seen half-written, and closed to others."""

import os
from pathlib import Path
from typing import TypeVar

import msgspec

T = TypeVar("T")


def write_private(path: Path, text: str) -> None:
    """Replace `path` by `text`, readable for its owner alone."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)


def write_json(path: Path, value: object) -> None:
    """Replace `path` by `value` as indented JSON."""
    write_private(path, msgspec.json.format(msgspec.json.encode(value)).decode() + "\n")


def read_json(path: Path, kind: type[T]) -> T | None:
    """The value in `path`, or None if there is none yet."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return None
