"""Remembers how long each version took to load, so that people can be told what to expect."""

from pathlib import Path

import msgspec

_UNKNOWN_S = 75.0
_UNKNOWN_SYNTHETIC_S = 3.0


class LoadTimes:
    """A small file of seconds by fingerprint. Losing it costs nothing but a worse guess."""

    def __init__(self, file: Path) -> None:
        self._file = file
        try:
            self._seconds = msgspec.json.decode(file.read_bytes(), type=dict[str, float])
        except (OSError, msgspec.DecodeError):
            self._seconds = {}

    def expected_s(self, fingerprint: str, *, synthetic: bool) -> float:
        """Give what it took the last time, or a guess by the kind of engine."""
        return self._seconds.get(fingerprint, _UNKNOWN_SYNTHETIC_S if synthetic else _UNKNOWN_S)

    def remember(self, fingerprint: str, seconds: float) -> None:
        """Note what it took this time."""
        self._seconds[fingerprint] = round(seconds, 1)
        self._file.parent.mkdir(parents=True, exist_ok=True)
        beside = self._file.with_name(f"{self._file.name}.new")
        beside.write_bytes(msgspec.json.encode(self._seconds))
        beside.replace(self._file)
