"""The words that the synthetic engine answers: a pure function of prompt, parameters and seed.

Token k of an answer depends on the prompt, the way of sampling and k alone. So an answer is the same in any batch,
after any restart, and can be continued from any place. At temperature 0 the seed plays no part, as with a real model.
"""

import hashlib
from dataclasses import dataclass
from typing import Literal

from inferno_engine.synthetic import words

SHORTEST, LONGEST = 16, 200
_BLOCK = 32


@dataclass(frozen=True, slots=True)
class Sampling:
    """What shapes an answer.

    `max_tokens` is exactly how long the answer gets, unless a stop string ends it; without it an answer has between 16
    and 200 tokens, as its prompt has it. `include_stop` leaves the stop string in the text.
    """

    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    include_stop: bool = False
    temperature: float = 1.0
    top_p: float = 1.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer: its tokens, and for each token the text that it adds ("" behind a cut)."""

    prompt_tokens: int
    tokens: tuple[int, ...]
    pieces: tuple[str, ...]
    finish: Literal["stop", "length"]

    @property
    def text(self) -> str:
        """All that the answer says."""
        return "".join(self.pieces)

    def span(self, start: int, stop: int) -> str:
        """Give the text that tokens `start` to `stop` add."""
        return "".join(self.pieces[start:stop])


def answer(prompt: str, sampling: Sampling, choice: int = 0, context: int = 8192) -> Answer:
    """Answer `prompt`: choice `choice` of those asked for, within `context` tokens together with the prompt."""
    prompt_tokens = len(prompt.split())
    key = _key(prompt, sampling, choice)
    natural = SHORTEST + int.from_bytes(key[:4], "big") % (LONGEST - SHORTEST + 1)
    wanted = natural if sampling.max_tokens is None else sampling.max_tokens
    length = max(0, min(wanted, context - prompt_tokens))
    ends_itself = sampling.max_tokens is None and length == natural
    tokens = _tokens(key, length)
    whole = Answer(prompt_tokens, tokens, tuple(words.pieces(tokens)), finish="stop" if ends_itself else "length")
    return _stopped(whole, sampling)


def _key(prompt: str, sampling: Sampling, choice: int) -> bytes:
    """Digest all that the words depend on."""
    digest = hashlib.blake2b(prompt.encode("utf-8", "surrogatepass"), digest_size=32)
    if sampling.temperature > 0:
        digest.update(f"\0{sampling.temperature}\0{sampling.top_p}\0{sampling.seed + choice}".encode())
    return digest.digest()


def _tokens(key: bytes, length: int) -> tuple[int, ...]:
    """Draw `length` tokens; a digest gives a block of them at once, two bytes a token."""
    drawn: list[int] = []
    for block in range(-(-length // _BLOCK)):
        digest = hashlib.blake2b(block.to_bytes(4, "big"), key=key, digest_size=2 * _BLOCK).digest()
        drawn.extend(int.from_bytes(digest[i : i + 2], "big") % len(words.VOCABULARY) for i in range(0, len(digest), 2))
    return tuple(drawn[:length])


def _stopped(whole: Answer, sampling: Sampling) -> Answer:
    """End `whole` where the first of the stop strings is complete."""
    text = whole.text
    found = [(at + len(stop), at) for stop in sampling.stop if stop and (at := text.find(stop)) >= 0]
    if not found:
        return whole
    end, begin = min(found)
    cut = end if sampling.include_stop else begin
    kept: list[str] = []
    length = 0
    for piece in whole.pieces:
        if length >= end:
            break
        kept.append(piece[: max(0, cut - length)])
        length += len(piece)
    return Answer(whole.prompt_tokens, whole.tokens[: len(kept)], tuple(kept), finish="stop")
