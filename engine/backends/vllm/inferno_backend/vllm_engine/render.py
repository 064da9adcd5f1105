"""Puts into words what a generation gained: OpenAI's choice objects, or what the stock contract tells.

Runs in the thread that sends. Gains of several steps are merged into one output of vLLM's before, so that words that
lag cost no more.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from inferno_backend.seam import FEW_TOKENS, MOST_TOKENS, Choice, Delta, Gain
from inferno_backend.vllm_engine.lane import Lane


class _Ended(msgspec.Struct):
    """How a choice object says that it is the last one."""

    finish_reason: str | None = None


_ended = msgspec.json.Decoder(_Ended)


class _Joining:
    """What is alike for all that tokens are told of. With `logprobs` these are told with each."""

    def __init__(self, *, logprobs: bool = False) -> None:
        self.most = FEW_TOKENS if logprobs else MOST_TOKENS

    def join(self, gain: Gain, following: Gain) -> Gain | None:
        """Make one of two outputs; log-probabilities would take as much as before."""
        if self.most == FEW_TOKENS:
            return None
        gain.raw.add(following.raw, aggregate=True)
        return Gain(gain.index, gain.raw.outputs[0].token_ids, gain.raw, following.finish)


class ChoiceRender(_Joining):
    """Makes OpenAI's choice objects: choice `i` is the `i % n`th of lane `i // n`. `opening` comes first of all."""

    def __init__(
        self, lanes: Sequence[Lane], n: int, opening: list[Choice], *, chat: bool, logprobs: bool = False
    ) -> None:
        super().__init__(logprobs=logprobs)
        self._lanes = lanes
        self._n = n
        self._opening = opening
        self._empty = b'{"index":%d,"delta":{},"finish_reason":null}' if chat else b'{"index":%d,"text":""}'

    def __call__(self, gains: Sequence[Gain]) -> list[Choice]:
        """Give what there is to be said. Raises InfernoError."""
        said = [self._choice(index, output) for index, output in merged(gains).items()]
        if self._opening:
            said, self._opening = self._opening + said, []
        return said

    def _choice(self, index: int, output: Any) -> Choice:
        gained = output.outputs[0]
        bodies = self._lanes[index // self._n].push(output)
        # Tokens that a parser keeps to itself are told without words, since the boundaries count.
        body = numbered(bodies[-1], index) if bodies else self._empty % index
        finish = (_ended.decode(body).finish_reason or gained.finish_reason) if gained.finish_reason else ""
        return Choice(index, gained.token_ids, body, finish)


class DeltaRender(_Joining):
    """Makes what the stock contract tells."""

    def __call__(self, gains: Sequence[Gain]) -> list[Delta]:
        """Give what there is to be said."""
        return [_delta(index, output) for index, output in merged(gains).items()]


class VectorRender:
    """Gives embeddings, which come as they are told."""

    most = FEW_TOKENS

    def __call__(self, gains: Sequence[Gain]) -> list[Choice]:
        """Give what there is to be said."""
        return [Choice(gain.index, gain.tokens, gain.raw, gain.finish) for gain in gains]

    def join(self, gain: Gain, following: Gain) -> None:
        """Keep them apart."""


def merged(gains: Sequence[Gain]) -> dict[int, Any]:
    """Make one output of all that each choice gained."""
    if len(gains) == 1:
        return {gains[0].index: gains[0].raw}
    outputs: dict[int, Any] = {}
    for gain in gains:
        if gain.index in outputs:
            outputs[gain.index].add(gain.raw, aggregate=True)
        else:
            outputs[gain.index] = gain.raw
    return outputs


def numbered(body: bytes, index: int) -> bytes:
    """Give a choice object its index among all choices of the call; vLLM puts that first."""
    return b'{"index":%d%s' % (index, body[body.index(b",") :])


def _delta(index: int, output: Any) -> Delta:
    gained = output.outputs[0]
    logprobs = gained.logprobs
    return Delta(
        index,
        gained.text,
        gained.token_ids,
        len(output.prompt_token_ids or ()),
        gained.finish_reason,
        gained.cumulative_logprob,
        None if logprobs is None else [_position(position) for position in logprobs],
    )


def _position(position: Any) -> dict[str, Any]:
    return {
        str(token): {"logprob": at.logprob, "rank": at.rank, "decoded_token": at.decoded_token}
        for token, at in position.items()
    }
