"""What a session asks of a host for an order: in the words of the wire."""

import time

from inferno_core.acceptance import History
from inferno_core.session import Adopt, Piece, Submit, tokens_digest
from inferno_stream.engine import Order


def submit(handle: int, order: Order) -> Submit:
    """Ask for a generation, to be gone on with after what was accepted of it."""
    request = order.request
    left_s = request.deadlines.whole_s - (time.time() - request.created_ms / 1000)
    return Submit(
        handle=handle,
        id=request.id,
        partition=order.partition,
        epoch=order.epoch,
        surface=request.surface,
        body=request.body,
        slots=request.slots,
        priority=request.priority,
        deadline_s=max(left_s, 0.1),
        allowance=request.max_tokens,
        accepted=_pieces(order.history),
    )


def adopt(handle: int, order: Order) -> Adopt:
    """Ask for a generation that runs, from where the log is."""
    pieces = _pieces(order.history)
    tokens: dict[int, list[int]] = {}
    for piece in pieces:
        tokens.setdefault(piece.choice, []).extend(piece.tokens)
    return Adopt(
        handle=handle,
        id=order.request.id,
        partition=order.partition,
        epoch=order.epoch,
        next={choice: len(said) for choice, said in tokens.items()},
        digest=tokens_digest(tokens),
        pieces=len(pieces),
    )


def _pieces(history: History | None) -> tuple[Piece, ...]:
    frames = history.frames if history is not None else ()
    return tuple(Piece(frame.choice, tuple(frame.tokens), frame.finish) for frame in frames if frame.choice >= 0)
