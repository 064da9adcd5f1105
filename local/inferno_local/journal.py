"""The processes' logs: bounded while they are written, and read for people."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

LIMIT_BYTES = 32 << 20
_TAIL_BYTES = 256 << 10


def trim(log: Path, limit_bytes: int = LIMIT_BYTES) -> None:
    """Move what `log` holds to `NAME.log.1` once it is larger than `limit_bytes`.

    The writer has it open for appending, so it goes on at the new end; a line written between copy and cut is lost.
    Without room for the copy, all of it is: a full disk needs the bound most.
    """
    if log.exists() and log.stat().st_size > limit_bytes:
        older = log.with_name(log.name + ".1")
        try:
            shutil.copyfile(log, older)
        except OSError:
            older.unlink(missing_ok=True)
        with log.open("r+b") as file:
            file.truncate()


def tail(log: Path, lines: int) -> list[str]:
    """The last lines of a log."""
    with log.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _TAIL_BYTES))
        return file.read().decode(errors="replace").splitlines()[-lines:]


class Follower:
    """Reads whole lines that several logs get from now on."""

    def __init__(self, logs: Sequence[Path]) -> None:
        self._read = {log: log.stat().st_size for log in logs}

    def lines(self) -> Iterator[tuple[str, str]]:
        """Each line that is new since the last call, with the name of its process."""
        for log, read in self._read.items():
            with log.open("rb") as file:
                # A log that is shorter now was cut meanwhile.
                start = read if read <= file.seek(0, 2) else 0
                file.seek(start)
                whole, newline, _ = file.read().rpartition(b"\n")
            self._read[log] = start + len(whole) + len(newline)
            for line in whole.decode(errors="replace").splitlines():
                yield log.stem, line
