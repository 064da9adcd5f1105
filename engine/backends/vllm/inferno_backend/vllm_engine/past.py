"""What was accepted of a generation before, and how it is gone on with as if it had never stopped.

The engine gets the tokens with its request. Here the serving layer is brought to where it was, its parsers above all:
it is pushed the same tokens with the same boundaries, and its words are dropped, since they were said.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

from inferno_backend.seam import Gain
from inferno_backend.vllm_engine import compat
from inferno_backend.vllm_engine.core import Core
from inferno_backend.vllm_engine.lane import Lane
from inferno_core.errors import InvalidRequest
from inferno_core.session import Piece


@dataclass(slots=True)
class Past:
    """What was accepted of one choice, piece by piece."""

    pieces: list[Piece] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    finished: bool = False


def of(accepted: Sequence[Piece], choices: int, vocabulary: int) -> list[Past]:
    """Part what was accepted by choices. Raises InvalidRequest for what this call can't have said."""
    pasts = [Past() for _ in range(choices)]
    for piece in accepted:
        if not 0 <= piece.choice < choices or not all(0 <= token < vocabulary for token in piece.tokens):
            raise InvalidRequest("The accepted tokens are not those of this request: another choice, or another model.")
        past = pasts[piece.choice]
        past.pieces.append(piece)
        past.tokens.extend(piece.tokens)
        past.finished = past.finished or bool(piece.finish)
    return pasts


def replay(
    core: Core, lane: Lane, request: Any, past: Past, index: int, place: int, opened: int
) -> Generator[None, None, Gain | None]:
    """Bring a lane to where it was with a choice. Gives the choice's end, if it was reached without being said.

    `opened` is how many choice objects without tokens it begins with. Takes as long as its parsers do: no thing for an
    event loop. So it pauses after each piece.
    """
    if past.finished or not past.tokens:
        return None
    text, stop = compat.detokenizer(core.renderer, request), None
    for piece in past.pieces[opened:]:
        if not piece.tokens:
            continue
        stop = text.update(list(piece.tokens), False) or stop
        more = {}
        if request.sampling_params.logprobs is not None:
            more["logprobs"] = compat.unknown_logprobs(core.renderer, piece.tokens)
        words = text.get_next_output_text(stop is not None, True)
        lane.push(compat.output(request, place, piece.tokens, words, **more))
        yield
    reason = ("stop", stop) if stop else _end(request, past.tokens, core.context)
    if reason is None:
        return None
    finish, why = reason
    words = text.get_next_output_text(True, True)
    logprobs: list[Any] | None = None if request.sampling_params.logprobs is None else []
    last = compat.output(request, place, (), words, finish_reason=finish, stop_reason=why, logprobs=logprobs)
    return Gain(index, (), last, finish)


def _end(request: Any, tokens: Sequence[int], context: int) -> tuple[str, int | None] | None:
    """Judge as vLLM's scheduler does after each token; asked to go on, it would generate one too many."""
    params = request.sampling_params
    if tokens[-1] == params.eos_token_id:
        return "stop", None
    if tokens[-1] in (params.stop_token_ids or ()):
        return "stop", tokens[-1]
    if len(request.prompt_token_ids) + len(tokens) >= context or len(tokens) >= params.max_tokens:
        return "length", None
    return None
