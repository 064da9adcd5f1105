"""Puts the synthetic engine's words into OpenAI's choice objects, or into the stock contract's deltas.

The engine tells only how far a choice got; what lies between is cut out of the answer here, however many steps it took.
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from inferno_backend.seam import Choice, Delta, Gain
from inferno_engine.synthetic.text import Answer

_ROLE = b'{"index":%d,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}'
_CHAT = b'{"index":%d,"delta":{"content":%b},"logprobs":null,"finish_reason":%b}'
_COMPLETION = b'{"index":%d,"text":%b,"logprobs":null,"finish_reason":%b}'
_json = msgspec.json.Encoder().encode


class _Span:
    """What one choice gained, in however many steps: its tokens `start` to `stop`."""

    __slots__ = ("finish", "index", "start", "stop", "tokens")

    def __init__(self, gain: Gain) -> None:
        self.index = gain.index
        self.tokens = gain.tokens
        self.stop: int = gain.raw
        self.start = self.stop - len(gain.tokens)
        self.finish = gain.finish

    def add(self, gain: Gain) -> None:
        self.tokens = (*self.tokens, *gain.tokens)
        self.stop = gain.raw
        self.finish = gain.finish


def _spans(gains: Sequence[Gain]) -> Iterable[_Span]:
    """Join the gains of each choice."""
    spans: dict[int, _Span] = {}
    for gain in gains:
        span = spans.get(gain.index)
        if span is None:
            spans[gain.index] = _Span(gain)
        else:
            span.add(gain)
    return spans.values()


def _finish(span: _Span) -> bytes:
    return b'"%b"' % span.finish.encode() if span.finish else b"null"


class ChatRender:
    """Choice objects of a chat. `begun` has the choices whose role was told before."""

    def __init__(self, answers: Sequence[Answer], begun: Iterable[int]) -> None:
        self._answers = answers
        self._begun = set(begun)

    def __call__(self, gains: Sequence[Gain]) -> list[Choice]:
        """Give a choice object for each choice that gained something, and its role before the first."""
        return [choice for span in _spans(gains) for choice in self._choices(span)]

    def _choices(self, span: _Span) -> Iterator[Choice]:
        index = span.index
        if index not in self._begun:
            self._begun.add(index)
            yield Choice(index, (), _ROLE % index)
        text = self._answers[index].span(span.start, span.stop)
        yield Choice(index, span.tokens, _CHAT % (index, _json(text), _finish(span)), span.finish)


class CompletionRender:
    """Choice objects of a completion."""

    def __init__(self, answers: Sequence[Answer]) -> None:
        self._answers = answers

    def __call__(self, gains: Sequence[Gain]) -> list[Choice]:
        """Give a choice object for each choice that gained something."""
        return [self._choice(span) for span in _spans(gains)]

    def _choice(self, span: _Span) -> Choice:
        text = self._answers[span.index].span(span.start, span.stop)
        body = _COMPLETION % (span.index, _json(text), _finish(span))
        return Choice(span.index, span.tokens, body, span.finish)


class StockRender:
    """Deltas of the stock contract."""

    def __init__(self, answers: Sequence[Answer]) -> None:
        self._answers = answers

    def __call__(self, gains: Sequence[Gain]) -> list[Delta]:
        """Give a delta for each choice that gained something."""
        return [self._delta(span) for span in _spans(gains)]

    def _delta(self, span: _Span) -> Delta:
        answer = self._answers[span.index]
        text = answer.span(span.start, span.stop)
        return Delta(span.index, text, span.tokens, answer.prompt_tokens, span.finish or None)
