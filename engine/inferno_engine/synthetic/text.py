"""The words that the synthetic engine answers: a pure function of prompt, parameters and seed.

Token k of an answer depends on the prompt, the way of sampling and k alone. So an answer is the same in any batch,
after any restart, and can be continued from any place. At temperature 0 the seed plays no part, as with a real model.
"""

import hashlib
import re
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from inferno_engine.synthetic import words
from inferno_engine.synthetic.draws import Draws
from inferno_engine.synthetic.forms import Form, Formed, ToolCall
from inferno_engine.synthetic.vocabulary import ALL, Vocabulary

SHORTEST, LONGEST = 16, 200
_PIECES = re.compile(r" ?\w{1,6}|\W")


@dataclass(frozen=True, slots=True)
class Sampling:
    """What shapes an answer.

    `max_tokens` is exactly how long the answer gets, unless a stop ends it; without it an answer has between 16
    and 200 tokens, as its prompt has it, but at least `min_tokens`; endless ones go on to the context's end.
    `vocabulary` is what it may be made of.
    `include_stop` leaves the stop string in the text. `penalties` and `filters` are further numbers that the words
    follow from, the filters at temperatures above 0 alone.
    """

    max_tokens: int | None = None
    min_tokens: int = 0
    endless: bool = False
    stop: tuple[str, ...] = ()
    stop_tokens: tuple[int, ...] = ()
    include_stop: bool = False
    temperature: float = 1.0
    seed: int = 0
    penalties: tuple[float, ...] = ()
    filters: tuple[float, ...] = ()
    vocabulary: Vocabulary = ALL


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer.

    Token k spells what lies up to character `ends[k]` of `spelt`; without that they spell words with a space between
    two, and it is left to whoever tells a part of it to write that part. What is told ends at `cut`. It is the
    arguments of `calls`, if there are any.
    """

    prompt_tokens: int
    tokens: tuple[int, ...]
    ends: Sequence[int]
    cut: int
    finish: str
    spelt: str | None = None
    calls: tuple[ToolCall, ...] = ()

    @property
    def text(self) -> str:
        """All that the answer says."""
        return self.span(0, len(self.tokens))

    def place(self, token: int) -> int:
        """Say at which character of the text a token begins."""
        return min(self.ends[token - 1], self.cut) if token else 0

    def span(self, start: int, stop: int) -> str:
        """Give the text that tokens `start` to `stop` add: nothing, behind the cut."""
        if self.spelt is not None:
            return self.spelt[self.place(start) : self.place(stop)]
        text = words.decode(self.tokens[start:stop])
        return f" {text}" if start and text else text

    def spelling(self, token: int) -> str:
        """Spell one token, behind the cut too."""
        if self.spelt is None:
            return self.span(token, token + 1)
        return self.spelt[self.ends[token - 1] if token else 0 : self.ends[token]]


def answer(
    prompt: str,
    sampling: Sampling,
    choice: int = 0,
    context: int = 8192,
    form: Form | None = None,
    allowance: int | None = None,
) -> Answer:
    """Answer `prompt`: choice `choice` of those asked for, within `context` tokens together with the prompt, and with
    no more than `allowance`.

    Raises InvalidRequest if a text of that form can't be made.
    """
    prompt_tokens = len(prompt.split())
    key = _key(prompt, sampling, choice)
    limits = (context - prompt_tokens, sampling.max_tokens, allowance)
    most = max(0, min(limit for limit in limits if limit is not None))
    if form is None:
        whole = _prose(key, sampling, prompt_tokens, most)
    else:
        whole = _formed(form(Draws(key)), prompt_tokens, most)
    return _stopped(whole, sampling)


def _key(prompt: str, sampling: Sampling, choice: int) -> bytes:
    """Digest all that the words depend on."""
    digest = hashlib.blake2b(prompt.encode("utf-8", "surrogatepass"), digest_size=32)
    shape: list[object] = [*sampling.penalties, *sampling.vocabulary.biases]
    if sampling.temperature > 0:
        shape += [sampling.temperature, sampling.seed + choice, *sampling.filters]
    digest.update(f"\0{shape}".encode())
    return digest.digest()


def _prose(key: bytes, sampling: Sampling, prompt_tokens: int, most: int) -> Answer:
    natural = SHORTEST + int.from_bytes(key[:4], "big") % (LONGEST - SHORTEST + 1)
    ends_itself = sampling.max_tokens is None and not sampling.endless
    wanted = max(natural, sampling.min_tokens) if ends_itself else most
    length = min(most, wanted)
    # One digest as long as the answer, of which a shorter one is the beginning: two bytes a token.
    drawn = array("H", hashlib.shake_128(key).digest(2 * length))
    finish = "stop" if ends_itself and length == wanted else "length"
    if sampling.vocabulary is not ALL:
        return _spelt(prompt_tokens, sampling.vocabulary.pick(drawn), finish)
    size = len(words.VOCABULARY)
    tokens = tuple([number % size for number in drawn])
    ends = range(words.LENGTH, (words.LENGTH + 1) * length, words.LENGTH + 1)
    return Answer(prompt_tokens, tokens, ends, ends[-1] if length else 0, finish)


def _spelt(prompt_tokens: int, tokens: tuple[int, ...], finish: str) -> Answer:
    """Make an answer of words that may have any length."""
    text = words.decode(tokens)
    lengths = (len(words.word(token)) + (1 if place else 0) for place, token in enumerate(tokens))
    return Answer(prompt_tokens, tokens, list(accumulate(lengths)), len(text), finish, text)


def _formed(made: Formed, prompt_tokens: int, most: int) -> Answer:
    pieces = _PIECES.findall(made.text)
    tokens = tuple(words.token(piece) for piece in pieces[:most])
    ends = list(accumulate(len(piece) for piece in pieces[:most]))
    spelt = made.text[: ends[-1] if ends else 0]
    finish = made.finish if len(pieces) <= most else "length"
    return Answer(prompt_tokens, tokens, ends, len(spelt), finish, spelt, made.calls)


def _stopped(whole: Answer, sampling: Sampling) -> Answer:
    """End `whole` with the token that completes the first stop string, or is the first stop token."""
    if not sampling.stop and not sampling.stop_tokens:
        return whole
    whole = replace(whole, spelt=whole.text)
    first = whole.ends[sampling.min_tokens - 1] if 0 < sampling.min_tokens <= len(whole.ends) else 0
    found = [*_strings(whole, sampling, first), *_numbers(whole, sampling)]
    if not found:
        return whole
    token, _, cut = min(found)
    return replace(whole, tokens=whole.tokens[: token + 1], ends=whole.ends[: token + 1], cut=cut, finish="stop")


def _strings(whole: Answer, sampling: Sampling, first: int) -> Iterator[tuple[int, int, int]]:
    """Find each stop string that is complete behind character `first`: by which token, where, and where the cut is."""
    for stop in sampling.stop:
        begin = whole.text.find(stop, max(0, first - len(stop) + 1)) if stop else -1
        if begin >= 0:
            end = begin + len(stop)
            yield bisect_left(whole.ends, end), end, end if sampling.include_stop else begin


def _numbers(whole: Answer, sampling: Sampling) -> Iterator[tuple[int, int, int]]:
    """Find each stop token, as `_strings` does."""
    for stop in sampling.stop_tokens:
        if stop in whole.tokens[sampling.min_tokens :]:
            token = whole.tokens.index(stop, sampling.min_tokens)
            end = whole.ends[token]
            yield token, end, end if sampling.include_stop else whole.place(token)
