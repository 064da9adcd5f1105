"""Who hears which generation of a session: what its messages say is given on, each to its own."""

import logging

from inferno_core.effects import EngineFrame
from inferno_core.errors import EngineLost, Fenced, from_code
from inferno_core.records import Final, Outcome
from inferno_core.session import Adoption, Ending, Frames, Message
from inferno_stream.engine import Hearer, HostLeft, HostLost, Receipt

logger = logging.getLogger(__name__)


class Hearers(dict[int, Hearer]):
    """Hearers by the handles of their generations. The end of one takes it out."""

    def give(self, message: Message, receipt: Receipt) -> None:
        """Give on what a message says, and settle the part of `receipt` that its reader holds."""
        for adoption in message.adoptions:
            self._adopted(adoption)
        endings = {ending.handle: ending for ending in message.endings}
        if message.frames is not None:
            self._give(message.frames, endings, receipt)
        for ending in endings.values():
            self._end(ending, receipt)
        receipt.settle()

    def lose(self, reason: str, kind: type[HostLost] = HostLost) -> tuple[int, ...]:
        """All are lost, with errors of that kind; give their handles."""
        lost = dict(self)
        self.clear()
        for hearer in lost.values():
            hearer.failed(kind(reason))
        return tuple(lost)

    def _give(self, frames: Frames, endings: dict[int, Ending], receipt: Receipt) -> None:
        """Give frames on, an ending with the last one of its generation."""
        last = {handle: row for row, handle in enumerate(frames.handles) if handle in endings} if endings else {}
        finishes, tokens, stop = frames.finishes, frames.tokens, 0
        rows = zip(frames.handles, frames.choices, frames.counts, frames.deltas, strict=True)
        for row, (handle, choice, count, delta) in enumerate(rows):
            start, stop = stop, stop + count
            hearer = self.get(handle)
            if hearer is None:
                continue
            final = None
            if last and last.get(handle) == row:
                final = _final(endings[handle])
                if final is not None:
                    del endings[handle], self[handle]
            said = (tokens[start],) if count == 1 else tuple(tokens[start:stop])
            receipt.left += 1
            hearer.heard(EngineFrame(choice, said, delta, finishes.get(row), final), receipt)

    def _end(self, ending: Ending, receipt: Receipt) -> None:
        """Tell of an end that came without words."""
        failure = ending.failure
        if failure is not None and failure.code == Fenced.code:
            # A higher epoch stands in the partition: its owner here is about to read it, and to step down.
            logger.warning("a host obeys another owner of a partition than this worker")
            return
        hearer = self.pop(ending.handle, None)
        if hearer is None:
            return
        if failure is None:
            receipt.left += 1
            hearer.heard(EngineFrame(-1, (), b"", final=_final(ending)), receipt)
        elif failure.code == EngineLost.code:
            hearer.failed(HostLost("The engine that ran this is gone; try again."))
        else:
            hearer.failed(from_code(failure.code, failure.message, failure.param))

    def _adopted(self, adoption: Adoption) -> None:
        if not adoption.resumed and (hearer := self.pop(adoption.handle, None)):
            hearer.failed(HostLeft("The engine no longer runs this; try again."))


def _final(ending: Ending) -> Final | None:
    """Say how a generation ended; None if its engine was lost, which is no end."""
    if ending.failure is None:
        return Final(Outcome.FINISHED, usage=ending.usage, phases=ending.phases)
    return None if ending.failure.code == EngineLost.code else Final(Outcome.FAILED, ending.failure)
