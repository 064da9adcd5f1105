"""The pieces of a chat's answer, joined: words, reasoning, calls of tools, log-probabilities."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
from msgspec import UNSET, Struct

from inferno_api.responses.answers import (
    ChatChoice,
    ChatCompletion,
    ChatLogprobs,
    ChatMessage,
    ChatToolCall,
    FunctionCall,
    counts,
)
from inferno_api.responses.folding import Cover, StopReason, extended, latest
from inferno_core.acceptance import Accepted


class _Function(Struct):
    name: str | None = None
    arguments: str | None = None


class _CallPiece(Struct):
    index: int = 0
    id: str | None = None
    function: _Function | None = None


class _Delta(Struct):
    content: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    refusal: str | None = None
    tool_calls: list[_CallPiece] | None = None


class _Piece(Struct):
    """A choice object of a chat's stream."""

    delta: _Delta
    logprobs: ChatLogprobs | None = None
    finish_reason: str | None = None
    stop_reason: StopReason = UNSET


@dataclass(slots=True)
class _Call:
    """A call whose name and arguments arrive in pieces."""

    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list[str])

    def add(self, piece: _CallPiece) -> None:
        self.id = piece.id or self.id
        if piece.function is not None:
            self.name += piece.function.name or ""
            self.arguments.append(piece.function.arguments or "")

    def whole(self) -> ChatToolCall:
        return ChatToolCall(self.id, "function", FunctionCall(self.name, "".join(self.arguments)))


@dataclass(slots=True)
class _Answer:
    """A choice whose pieces are being collected."""

    words: list[str] = field(default_factory=list[str])
    thoughts: list[str] = field(default_factory=list[str])
    refusal: str | None = None
    calls: dict[int, _Call] = field(default_factory=dict[int, _Call])
    logprobs: ChatLogprobs | None = None
    finish_reason: str | None = None
    stop_reason: StopReason = UNSET

    def add(self, piece: _Piece) -> None:
        delta = piece.delta
        if delta.content:
            self.words.append(delta.content)
        if thought := delta.reasoning or delta.reasoning_content:
            self.thoughts.append(thought)
        if delta.refusal is not None:
            self.refusal = (self.refusal or "") + delta.refusal
        for call in delta.tool_calls or ():
            self.calls.setdefault(call.index, _Call()).add(call)
        if piece.logprobs is not None:
            self.logprobs = _joined(self.logprobs, piece.logprobs)
        self.finish_reason = piece.finish_reason or self.finish_reason
        self.stop_reason = latest(self.stop_reason, piece.stop_reason)

    def whole(self, index: int) -> ChatChoice:
        return ChatChoice(
            index=index,
            message=self._message(),
            logprobs=self.logprobs,
            finish_reason=self.finish_reason,
            stop_reason=self.stop_reason,
        )

    def _message(self) -> ChatMessage:
        """Give the message. Beside calls alone its content is null."""
        message = ChatMessage(content="".join(self.words), refusal=self.refusal)
        if self.thoughts:
            message.reasoning = message.reasoning_content = "".join(self.thoughts)
        if self.calls:
            message.tool_calls = [self.calls[index].whole() for index in sorted(self.calls)]
            message.content = message.content or None
        return message


_decode = msgspec.json.Decoder(_Piece).decode


class ChatFolding:
    """Collects the choices of a chat's answer."""

    def __init__(self) -> None:
        self._answers: dict[int, _Answer] = {}

    def add(self, frames: Sequence[Accepted]) -> None:
        """Take frames, in order. Raises msgspec.MsgspecError if one holds no choice of a chat."""
        for frame, _ in frames:
            if frame.delta:
                self._answers.setdefault(frame.choice, _Answer()).add(_decode(frame.delta))

    def whole(self, cover: Cover) -> bytes:
        """Write the answer as JSON."""
        answer = ChatCompletion(
            id=cover.id,
            created=cover.created,
            model=cover.model,
            system_fingerprint=cover.fingerprint or None,
            choices=[self._answers[index].whole(index) for index in sorted(self._answers)],
            usage=counts(cover.usage),
        )
        return msgspec.json.encode(answer)


def _joined(known: ChatLogprobs | None, more: ChatLogprobs) -> ChatLogprobs:
    if known is None:
        return more
    known.content = extended(known.content, more.content)
    known.refusal = extended(known.refusal, more.refusal)
    return known
