"""Puts the synthetic engine's words into OpenAI's choice objects, or into the stock contract's deltas.

The engine tells only how far a choice got; what lies between is cut out of the answer here, however many steps it took.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from inferno_backend.seam import FEW_TOKENS, MOST_TOKENS, Choice, Delta, Gain
from inferno_engine.synthetic import logprobs, prompts, words
from inferno_engine.synthetic.embedding import Inputs
from inferno_engine.synthetic.request import Asked
from inferno_engine.synthetic.text import Answer

_ROLE = b'{"index":%d,"delta":{"role":"assistant","content":%b},"logprobs":null,"finish_reason":null}'
_CHAT = b'{"index":%d,"delta":%b,"logprobs":%b,"finish_reason":%b}'
_COMPLETION = b'{"index":%d,"text":%b,"logprobs":%b,"finish_reason":%b}'
# Nearly all there is to say is a word more, so that is ready.
_HEAD = b'{"index":%d,"delta":{"content":'
_WORDS = [b'" %b"},"logprobs":null,"finish_reason":null}' % word.encode() for word in words.VOCABULARY]
_new = tuple.__new__
_json = msgspec.json.Encoder().encode


def _joined(gains: Sequence[Gain], answers: Sequence[Answer]) -> Iterable[Gain]:
    """Join the gains of each choice. `raw` of a gain is the number of tokens that its choice has with it."""
    if len(gains) == 1:
        return gains
    starts: dict[int, int] = {}
    for gain in gains:
        if gain.index not in starts:
            starts[gain.index] = gain.raw - len(gain.tokens)
    last = {gain.index: gain for gain in gains}
    return [last[i]._replace(tokens=answers[i].tokens[start : last[i].raw]) for i, start in starts.items()]


def _finish(gain: Gain) -> bytes:
    return b'"%b"' % gain.finish.encode() if gain.finish else b"null"


class _Joining:
    """What is alike for all that tokens are told of. With `logprobs` some of these are told with each."""

    def __init__(self, logprobs: int | None) -> None:
        self.most = MOST_TOKENS if logprobs is None else FEW_TOKENS

    def join(self, gain: Gain, following: Gain) -> Gain | None:
        """Make one of two, which is as far as the second; none that would make too large a choice object."""
        if self.most == FEW_TOKENS:
            return None
        return following._replace(tokens=(*gain.tokens, *following.tokens))


class ChatRender(_Joining):
    """Choice objects of a chat. `begun` are the choices whose role was told before."""

    def __init__(self, asked: Asked, answers: Sequence[Answer], begun: Iterable[int]) -> None:
        super().__init__(asked.logprobs)
        self._asked = asked
        self._answers = answers
        self._begun = set(begun)

        self._is_plain = asked.logprobs is None and all(answer.spelt is None for answer in answers)
        self._heads = [_HEAD % index for index in range(len(answers))]

    def __call__(self, gains: Sequence[Gain]) -> list[Choice]:
        """Give a choice object for each choice that gained something, and its role before the first."""
        if self._is_plain and len(gains) == 1:
            index, tokens, stop, finish = gains[0]
            if 1 == len(tokens) < stop and not finish:
                return [_new(Choice, (index, tokens, self._heads[index] + _WORDS[tokens[0]], ""))]
        return [choice for gain in _joined(gains, self._answers) for choice in self._choices(gain)]

    def _choices(self, gain: Gain) -> Iterator[Choice]:
        index, stop = gain.index, gain.raw
        answer, start = self._answers[index], stop - len(gain.tokens)
        if index not in self._begun:
            self._begun.add(index)
            yield Choice(index, (), _ROLE % (index, b"null" if answer.calls else b'""'))
        if answer.calls:
            delta = _json({"tool_calls": calls} if (calls := _calls(answer, start, stop)) else {})
        else:
            delta = b'{"content":%b}' % _json(answer.span(start, stop))
        count = self._asked.logprobs
        numbered = self._asked.numbered
        told = b"null" if count is None else _json(logprobs.chat(answer, start, stop, count, numbered=numbered))
        yield Choice(index, gain.tokens, _CHAT % (index, delta, told, _finish(gain)), gain.finish)


def _calls(answer: Answer, start: int, stop: int) -> list[dict[str, Any]]:
    """Tell what calls of tools gained; a call's name comes with the beginning of its arguments."""
    text, begin, end = answer.spelt or "", answer.place(start), answer.place(stop)
    told: list[dict[str, Any]] = []
    for index, call in enumerate(answer.calls):
        behind = answer.calls[index + 1].at if index + 1 < len(answer.calls) else answer.cut
        arguments = text[max(begin, call.at) : min(end, behind)]
        if not arguments:
            continue
        function: dict[str, Any] = {"arguments": arguments}
        head: Mapping[str, Any] = {}
        if begin <= call.at:
            head, function = {"id": call.id, "type": "function"}, {"name": call.name} | function
        told.append({"index": index, **head, "function": function})
    return told


class CompletionRender(_Joining):
    """Choice objects of a completion."""

    def __init__(self, asked: Asked, answers: Sequence[Answer]) -> None:
        super().__init__(asked.logprobs)
        self._asked = asked
        self._answers = answers

    def __call__(self, gains: Sequence[Gain]) -> list[Choice]:
        """Give a choice object for each choice that gained something."""
        return [self._choice(gain) for gain in _joined(gains, self._answers)]

    def _choice(self, gain: Gain) -> Choice:
        index, stop = gain.index, gain.raw
        answer, start = self._answers[index], stop - len(gain.tokens)
        text = answer.span(start, stop)
        if self._asked.echo and start == 0:
            text = self._asked.prompt(index) + text
        told = b"null" if self._asked.logprobs is None else _json(self._logprobs(index, start, stop))
        body = _COMPLETION % (index, _json(text), told, _finish(gain))
        return Choice(index, gain.tokens, body, gain.finish)

    def _logprobs(self, index: int, start: int, stop: int) -> Mapping[str, Any]:
        count, echo = self._asked.logprobs or 0, self._asked.echo
        prompt = self._asked.prompt(index) if echo else ""
        numbered = self._asked.numbered
        told = logprobs.completion(self._answers[index], start, stop, count, len(prompt), numbered=numbered)
        return logprobs.echoed(told, prompts.pieces(prompt), numbered=numbered) if echo and start == 0 else told


class EmbeddingRender:
    """Choice objects of embeddings, each complete at once."""

    most = FEW_TOKENS

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = inputs

    def __call__(self, gains: Sequence[Gain]) -> list[Choice]:
        """Give an object for each embedding that is done."""
        return [self._choice(gain.index, gain.finish) for gain in gains]

    def join(self, gain: Gain, following: Gain) -> None:
        """Keep them apart."""

    def _choice(self, index: int, finish: str) -> Choice:
        body = {"object": "embedding", "index": index, "embedding": self._inputs.embedding(index)}
        return Choice(index, (), _json(body), finish)


class StockRender(_Joining):
    """Deltas of the stock contract."""

    def __init__(self, asked: Asked, answers: Sequence[Answer]) -> None:
        super().__init__(asked.logprobs)
        self._logprobs = asked.logprobs
        self._answers = answers
        self._cumulative = [0.0] * len(answers)

    def __call__(self, gains: Sequence[Gain]) -> list[Delta]:
        """Give a delta for each choice that gained something."""
        return [self._delta(gain) for gain in _joined(gains, self._answers)]

    def _delta(self, gain: Gain) -> Delta:
        index, stop = gain.index, gain.raw
        answer, start = self._answers[index], stop - len(gain.tokens)
        delta = Delta(index, answer.span(start, stop), gain.tokens, answer.prompt_tokens, gain.finish or None)
        if self._logprobs is None:
            return delta
        self._cumulative[index] += logprobs.cumulative(answer, start, stop)
        told = logprobs.stock(answer, start, stop, self._logprobs)
        return delta._replace(cumulative_logprob=self._cumulative[index], logprobs=told)
