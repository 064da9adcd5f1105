"""What a host takes from the wire: numbers that it could not count with are refused with their batch."""

import msgspec
import pytest

from inferno_core import session as wire
from inferno_core.session import Adopt, Commands, Piece, Submit


def submit(**changed: object) -> Submit:
    return msgspec.structs.replace(Submit(1, "id", "q/0", 3, "chat", b"{}"), **changed)


@pytest.mark.parametrize(
    "command",
    [
        submit(accepted=(Piece(0, (1 << 31,)),)),
        submit(accepted=(Piece(0, (-1,)),)),
        submit(accepted=(Piece(-1, (7,)),)),
        submit(slots=0),
        submit(slots=wire.MOST_SLOTS + 1),
        Adopt(1, "id", "q/0", 3, {-1: 0}, b""),
        Adopt(1, "id", "q/0", 3, {0: -1}, b""),
        Adopt(1, "id", "q/0", 3, {0: 1 << 31}, b""),
    ],
)
def test_what_can_not_be_counted_is_refused(command: wire.Command) -> None:
    with pytest.raises(msgspec.ValidationError):
        wire.decode_commands(wire.encode(Commands("s", 1, (command,))))


def test_the_largest_numbers_are_taken() -> None:
    largest = submit(slots=wire.MOST_SLOTS, accepted=(Piece(wire.MOST_SLOTS - 1, ((1 << 31) - 1,)),))
    adopt = Adopt(2, "id", "q/0", 3, {wire.MOST_SLOTS - 1: (1 << 31) - 1}, b"")
    said = Commands("s", 1, (largest, adopt))
    assert wire.decode_commands(wire.encode(said)) == said
