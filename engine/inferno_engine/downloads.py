"""Follows an installer's words, so that a person sees how many bytes have come."""

import re

from inferno_engine.progress import Progress

_UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_BEGUN = re.compile(r"^\s*Downloading (?P<name>\S+) \((?P<size>[\d.]+)\s*(?P<unit>[KMG]?i?B)\)")
_ENDED = re.compile(r"^\s*Downloaded (?P<name>\S+)")


class Downloads:
    """Adds up what uv says to download; it names only what is large enough to wait for."""

    def __init__(self) -> None:
        self._sizes: dict[str, float] = {}
        self._done: set[str] = set()

    def read(self, line: str) -> Progress:
        """Take one line, and tell the state after it."""
        if begun := _BEGUN.match(line):
            self._sizes[begun["name"]] = float(begun["size"]) * _UNITS.get(begun["unit"], 1)
        elif ended := _ENDED.match(line):
            self._done.add(ended["name"])
        else:
            return Progress("engine environment", line.strip(), self._fraction())
        return Progress("engine environment", self._detail(), self._fraction())

    def _bytes(self) -> tuple[float, float]:
        done = sum(size for name, size in self._sizes.items() if name in self._done)
        return done, sum(self._sizes.values())

    def _fraction(self) -> float | None:
        done, total = self._bytes()
        return done / total if total else None

    def _detail(self) -> str:
        done, total = self._bytes()
        open_names = [name for name in self._sizes if name not in self._done]
        return f"{done / 1e6:.0f} of {total / 1e6:.0f} MB, downloading {', '.join(open_names[:3]) or 'nothing more'}"
