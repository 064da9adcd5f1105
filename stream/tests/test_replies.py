import asyncio

from inferno_core import codec
from inferno_core.records import Frame, Head, Tenant
from inferno_stream.producer import OnAck
from inferno_stream.replies import Replies


class Log:
    def __init__(self) -> None:
        self.values: list[tuple[int, bytes]] = []
        self.acks: list[OnAck] = []

    def append(self, r: int, value: bytes, on_ack: OnAck) -> None:
        self.values.append((r, value))
        self.acks.append(on_ack)


def head(id: str) -> Head:
    return Head(id, 1, "chat", 1, 1, False, Tenant("o", "p", "k"), "", "m", "1", "")


def frame(id: str, index: int, size: int = 2) -> Frame:
    return Frame(id, 1, 0, index, [index], b"x" * size)


async def test_one_turn_is_one_record_of_frames_for_each_partition_in_order() -> None:
    log = Log()
    replies = Replies(log.append)
    heard: list[tuple[str, int]] = []
    replies.add(0, head("a"), lambda offset: heard.append(("head", offset)))
    replies.add(0, frame("a", 0), None)
    replies.add(0, frame("b", 0), None)
    replies.add(0, frame("a", 1), lambda offset: heard.append(("final", offset)))
    replies.add(1, frame("c", 0), None)
    assert not log.values
    await asyncio.sleep(0)
    read = [(r, [record.id for record in codec.decode_reply(value)]) for r, value in log.values]
    assert read == [(0, ["a"]), (0, ["a", "b", "a"]), (1, ["c"])]
    for offset, ack in enumerate(log.acks):
        ack(offset)
    assert heard == [("head", 0), ("final", 1)]


async def test_a_large_turn_is_split_and_acknowledged_by_its_last_record() -> None:
    log = Log()
    replies = Replies(log.append)
    heard: list[int] = []
    for index in range(3):
        replies.add(0, frame("a", index, 600_000), heard.append)
    replies.flush()
    assert len(log.values) == 3
    log.acks[0](7)
    assert heard == []
    log.acks[2](9)
    assert heard == [9, 9, 9]


async def test_what_is_cleared_is_not_said() -> None:
    log = Log()
    replies = Replies(log.append)
    replies.add(0, frame("a", 0), None)
    replies.clear()
    await asyncio.sleep(0)
    assert log.values == []
