"""Appending words: what one turn of the loop says for one reply partition travels in as few records as can be."""

import asyncio
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import NamedTuple

from inferno_core import codec
from inferno_core.records import Frame, Head, ReplyRecord
from inferno_stream.producer import OnAck


class _Said(NamedTuple):
    record: ReplyRecord
    on_ack: OnAck | None


class Replies:
    """Collects heads and frames, in order, and appends them when the loop's turn ends.

    `append(r, value, on_ack)` appends one Kafka record. `on_ack` of a record is called with the offset of the Kafka
    record that holds it, or of a later one.
    """

    def __init__(self, append: Callable[[int, bytes, OnAck], None]) -> None:
        self._append = append
        self._said: dict[int, list[_Said]] = {}

    def add(self, r: int, record: ReplyRecord, on_ack: OnAck | None) -> None:
        """Append `record` to reply partition `r`, after all that was added for it before."""
        if not self._said:
            asyncio.get_running_loop().call_soon(self.flush)
        self._said.setdefault(r, []).append(_Said(record, on_ack))

    def flush(self) -> None:
        """Append what was collected."""
        said, self._said = self._said, {}
        for r, saids in said.items():
            for is_head, group in groupby(saids, lambda said: isinstance(said.record, Head)):
                if is_head:
                    self._append_heads(r, list(group))
                else:
                    self._append_frames(r, list(group))

    def clear(self) -> None:
        """Forget what was collected."""
        self._said.clear()

    def _append_heads(self, r: int, heads: Sequence[_Said]) -> None:
        for record, on_ack in heads:
            assert isinstance(record, Head)
            self._append(r, codec.encode_head(record), on_ack or _ignore)

    def _append_frames(self, r: int, frames: Sequence[_Said]) -> None:
        """Acknowledgements come in order, so that of the last record speaks for all of them."""
        acks = [said.on_ack for said in frames if said.on_ack is not None]

        def acked(offset: int) -> None:
            for on_ack in acks:
                on_ack(offset)

        *values, last = codec.encode_frames(said.record for said in frames if isinstance(said.record, Frame))
        for value in values:
            self._append(r, value, _ignore)
        self._append(r, last, acked)


def _ignore(offset: int) -> None:
    """Nobody waits for this one."""
