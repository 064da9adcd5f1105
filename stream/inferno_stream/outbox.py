"""What a session has to say to its host: commands in batches, kept until the host has heard them."""

from collections import deque
from collections.abc import Iterator

from msgspec import Struct

from inferno_core import session as wire
from inferno_core.session import Cancel, Command, Commands, Fence, Release, Submit

_BATCH_BYTES = 8 << 20
_MOST_BATCHES = 256
_MOST_BYTES = 32 << 20
"""How much may be on its way: a host that hears nothing must not be given ever more, and again, to keep."""


class Batch(Struct, frozen=True, eq=False):
    """Commands that travel together."""

    number: int
    commands: tuple[Command, ...]
    data: bytes


class Outbox:
    """The commands of one session, in their order. `slots` is how many choices they ask for, `fenced` which partitions
    the host has heard of, with their epochs.
    """

    def __init__(self, session: str) -> None:
        self.slots = 0
        self.fenced: dict[str, int] = {}
        self._session = session
        self._number = 0
        self._written: list[Command] = []
        self._unheard: deque[Batch] = deque()
        self._unheard_bytes = 0

    def begin(self, heard: int) -> None:
        """Start over: the host has heard `heard` batches of this session, and nothing of what is here."""
        self._number = heard
        self._written.clear()
        self._unheard.clear()
        self._unheard_bytes = 0
        self.slots = 0
        self.fenced.clear()

    @property
    def is_full(self) -> bool:
        """Whether nothing more is sent before the host has heard something."""
        return len(self._unheard) >= _MOST_BATCHES or self._unheard_bytes >= _MOST_BYTES

    @property
    def oldest(self) -> int:
        """The number of the first batch that was not heard; 0 if there is none."""
        return self._unheard[0].number if self._unheard else 0

    def write(self, command: Command) -> None:
        """Add a command to the next batch; those that name handles join their like."""
        last = self._written[-1] if self._written else None
        if isinstance(command, Cancel) and isinstance(last, Cancel):
            self._written[-1] = Cancel(last.handles + command.handles)
        elif isinstance(command, Release) and isinstance(last, Release):
            self._written[-1] = Release(last.handles + command.handles)
        else:
            self._written.append(command)
            self.slots += _slots(command)

    def seal(self) -> None:
        """Make batches of what was written, until there are as many as may be."""
        while self._written and not self.is_full:
            count = self._fitting()
            self._seal(self._written[:count])
            del self._written[:count]

    def _fitting(self) -> int:
        """Count the commands that make up the next batch."""
        size = 0
        for count, command in enumerate(self._written):
            size += len(command.body) if isinstance(command, Submit) else 0
            if count and size > _BATCH_BYTES:
                return count
        return len(self._written)

    def _seal(self, commands: list[Command]) -> None:
        self._number += 1
        said = Commands(self._session, self._number, tuple(commands))
        batch = Batch(self._number, said.commands, wire.encode(said))
        self._unheard.append(batch)
        self._unheard_bytes += len(batch.data)

    def after(self, number: int) -> Iterator[Batch]:
        """Give the batches after `number` that were not heard."""
        return (batch for batch in list(self._unheard) if batch.number > number)

    def heard(self, number: int) -> bool:
        """The host has carried out all batches up to `number`; say whether that was news."""
        news = False
        while self._unheard and self._unheard[0].number <= number:
            news = True
            batch = self._unheard.popleft()
            self._unheard_bytes -= len(batch.data)
            for command in batch.commands:
                self.slots -= _slots(command)
                if isinstance(command, Fence):
                    self.fenced[command.partition] = command.epoch
        return news


def _slots(command: Command) -> int:
    return command.slots if isinstance(command, Submit) else 0
