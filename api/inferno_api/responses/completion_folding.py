"""The pieces of completions, joined: text, and log-probabilities column by column."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
from msgspec import UNSET, Struct

from inferno_api.responses.answers import TextChoice, TextCompletion, TextLogprobs, counts
from inferno_api.responses.folding import Cover, StopReason, latest
from inferno_core.acceptance import Accepted


class _Piece(Struct):
    """A choice object of a completion's stream."""

    text: str = ""
    logprobs: TextLogprobs | None = None
    finish_reason: str | None = None
    stop_reason: StopReason = UNSET


@dataclass(slots=True)
class _Answer:
    """A choice whose pieces are being collected."""

    texts: list[str] = field(default_factory=list[str])
    logprobs: TextLogprobs | None = None
    finish_reason: str | None = None
    stop_reason: StopReason = UNSET

    def add(self, piece: _Piece) -> None:
        self.texts.append(piece.text)
        if piece.logprobs is not None:
            self.logprobs = _joined(self.logprobs, piece.logprobs)
        self.finish_reason = piece.finish_reason or self.finish_reason
        self.stop_reason = latest(self.stop_reason, piece.stop_reason)

    def whole(self, index: int) -> TextChoice:
        return TextChoice(
            index=index,
            text="".join(self.texts),
            logprobs=self.logprobs,
            finish_reason=self.finish_reason,
            stop_reason=self.stop_reason,
        )


_decode = msgspec.json.Decoder(_Piece).decode


class CompletionFolding:
    """Collects the choices of a completion, those of all its prompts."""

    def __init__(self) -> None:
        self._answers: dict[int, _Answer] = {}

    def add(self, frames: Sequence[Accepted]) -> None:
        """Take frames, in order. Raises msgspec.MsgspecError if one holds no choice of a completion."""
        for frame, _ in frames:
            if frame.delta:
                self._answers.setdefault(frame.choice, _Answer()).add(_decode(frame.delta))

    def whole(self, cover: Cover) -> bytes:
        """Write the answer as JSON."""
        answer = TextCompletion(
            id=cover.id,
            created=cover.created,
            model=cover.model,
            system_fingerprint=cover.fingerprint or None,
            choices=[self._answers[index].whole(index) for index in sorted(self._answers)],
            usage=counts(cover.usage),
        )
        return msgspec.json.encode(answer)


def _joined(known: TextLogprobs | None, more: TextLogprobs) -> TextLogprobs:
    if known is None:
        return more
    known.text_offset += more.text_offset
    known.token_logprobs += more.token_logprobs
    known.tokens += more.tokens
    known.top_logprobs += more.top_logprobs
    return known
