"""Whose word counts for a request partition at an engine's host (docs/token-log.md, rule 8).

A worker that was paused may wake up after another took its partitions over. Epochs are offsets in the partition, so the
higher one is the later owner, and a host that has heard it listens to nobody below.
"""

from enum import Enum, auto


class Standing(Enum):
    """What a host makes of a command: `RAISED` is the first word of a new owner, `REFUSED` that of a former one."""

    REFUSED = auto()
    CURRENT = auto()
    RAISED = auto()


class Fences:
    """For each partition the highest epoch that was heard, and the session that named it."""

    def __init__(self) -> None:
        self._owners: dict[str, tuple[int, str]] = {}

    def hear(self, partition: str, epoch: int, session: str) -> Standing:
        """Judge a command for `partition`. Of two sessions that name one epoch, the first is right."""
        known, owner = self._owners.get(partition, (-1, ""))
        if epoch > known:
            self._owners[partition] = (epoch, session)
            return Standing.RAISED
        return Standing.CURRENT if (epoch, session) == (known, owner) else Standing.REFUSED
