"""Which words an answer may be made of: a request may ban some, allow some alone, or want some more or less."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inferno_core.errors import InvalidRequest
from inferno_engine.synthetic import words
from inferno_engine.synthetic.prompts import converted

_CERTAIN = 100.0
"""With this bias, or one as low, a token stands alone, or never."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The tokens that may be drawn, none of them completing one of `phrases`. `biases` are further numbers that the
    words follow from.
    """

    tokens: Sequence[int]
    phrases: tuple[tuple[int, ...], ...] = ()
    biases: tuple[tuple[int, float], ...] = ()

    def pick(self, drawn: Sequence[int]) -> tuple[int, ...]:
        """Give a token for each number: that one, or the next that completes no phrase."""
        made: list[int] = []
        for number in drawn:
            size = len(self.tokens)
            options = (self.tokens[(number + more) % size] for more in range(size))
            made.append(next((token for token in options if not self._completes(made, token)), self.tokens[0]))
        return tuple(made)

    def _completes(self, made: list[int], token: int) -> bool:
        return any(
            token == phrase[-1] and made[len(made) - len(phrase) + 1 :] == [*phrase[:-1]]
            for phrase in self.phrases
            if len(made) >= len(phrase) - 1
        )


ALL = Vocabulary(range(len(words.VOCABULARY)))


def read(body: Mapping[str, Any]) -> Vocabulary:
    """Read what a request says of it. Raises InvalidRequest."""
    biases = _biases(body.get("logit_bias"))
    allowed = _tokens(body.get("allowed_token_ids"))
    phrases = _phrases(body.get("bad_words"))
    if not biases and allowed is None and not phrases:
        return ALL
    certain = [token for token, bias in biases if bias >= _CERTAIN]
    banned = {token for token, bias in biases if bias <= -_CERTAIN} | {each[0] for each in phrases if len(each) == 1}
    wanted = (certain or ALL.tokens) if allowed is None else allowed
    left = [token for token in wanted if token not in banned]
    if not left:
        field = "logit_bias" if allowed is None else "allowed_token_ids"
        raise InvalidRequest(f"{field} leaves no token of which an answer could be made.", param=field)
    return Vocabulary(left, tuple(each for each in phrases if len(each) > 1), biases)


def _biases(value: Any) -> tuple[tuple[int, float], ...]:
    biases = {} if value is None else converted(value, dict[str, float])
    if biases is None or not all(name.isdecimal() for name in biases):
        raise InvalidRequest("logit_bias must have a number for each token id.", param="logit_bias")
    _check("logit_bias", [int(name) for name in biases])
    return tuple(sorted((int(name), bias) for name, bias in biases.items()))


def _tokens(value: Any) -> list[int] | None:
    if value is None:
        return None
    tokens = converted(value, list[int])
    if not tokens:
        raise InvalidRequest("allowed_token_ids must be a list of token ids.", param="allowed_token_ids")
    _check("allowed_token_ids", tokens)
    return sorted(set(tokens))


def _phrases(value: Any) -> tuple[tuple[int, ...], ...]:
    phrases = [] if value is None else converted(value, list[str])
    if phrases is None:
        raise InvalidRequest("bad_words must be a list of strings.", param="bad_words")
    return tuple(tuple(words.encode(phrase)) for phrase in phrases if phrase.strip())


def _check(name: str, tokens: Sequence[int]) -> None:
    """Refuse what is no token."""
    foreign = next((token for token in tokens if not 0 <= token < words.TOKENS), None)
    if foreign is not None:
        raise InvalidRequest(f"{name} has {foreign}; token ids go from 0 to {words.TOKENS - 1}.", param=name)
