"""Log-probabilities, made up: they follow from a token and its place, and those of one place add up to less than 1.

The token that was drawn is always the likeliest; the others of its place are its neighbours in the vocabulary, each
half as likely as the one before.
"""

import math
from collections.abc import Sequence
from typing import Any

from inferno_engine.synthetic import words
from inferno_engine.synthetic.text import Answer

Ranked = list[tuple[int, str, float]]


def ranked(answer: Answer, place: int, count: int, *, numbered: bool = False) -> Ranked:
    """Give token, spelling and log-probability of what stands at `place`, and of `count` - 1 that might. `numbered`:
    tokens are spelt as their ids, so that any can be told from all others.
    """
    token = answer.tokens[place]
    share = _share(token, place)
    rows = [(token, _numbered(token) if numbered else answer.spelling(place), math.log(share))]
    space = " " if place else ""
    for rank in range(1, count):
        share = min(share, 1 - share) / 2 if rank == 1 else share / 2
        other = (token + rank) % len(words.VOCABULARY)
        rows.append((other, _numbered(other) if numbered else space + words.word(other), math.log(share)))
    return rows


def chat(answer: Answer, start: int, stop: int, count: int, *, numbered: bool = False) -> dict[str, Any]:
    """Tell those of tokens `start` to `stop` as a chat does, each with the `count` likeliest."""
    content: list[dict[str, Any]] = []
    for place in range(start, stop):
        rows = [_entry(row) for row in ranked(answer, place, max(1, count), numbered=numbered)]
        content.append(rows[0] | {"top_logprobs": rows[:count]})
    return {"content": content}


def completion(
    answer: Answer, start: int, stop: int, count: int, offset: int, *, numbered: bool = False
) -> dict[str, list[Any]]:
    """Tell them as a completion does; its text has `offset` characters before the answer."""
    told = empty()
    for place in range(start, stop):
        rows = ranked(answer, place, max(1, count), numbered=numbered)
        _add(
            told, rows[0][1], rows[0][2], {spelling: value for _, spelling, value in rows}, offset + answer.place(place)
        )
    return told


def echoed(told: dict[str, list[Any]], pieces: Sequence[str], *, numbered: bool = False) -> dict[str, list[Any]]:
    """Put the pieces of an echoed prompt before what a completion tells. As everywhere, the first has no number."""
    whole, offset = empty(), 0
    for place, piece in enumerate(pieces):
        token = words.token(piece.strip())
        value = math.log(_share(token, place)) if place else None
        shown = _numbered(token) if numbered else piece
        _add(whole, shown, value, None if value is None else {shown: value}, offset)
        offset += len(piece)
    return {name: values + told[name] for name, values in whole.items()}


def stock(answer: Answer, start: int, stop: int, count: int) -> list[dict[str, Any]]:
    """Tell them as Triton's own backend does, token by token."""
    return [
        {
            str(token): {"logprob": value, "rank": rank, "decoded_token": spelling}
            for rank, (token, spelling, value) in enumerate(ranked(answer, place, max(1, count)), 1)
        }
        for place in range(start, stop)
    ]


def cumulative(answer: Answer, start: int, stop: int) -> float:
    """Add up those of tokens `start` to `stop`."""
    return sum(math.log(_share(answer.tokens[place], place)) for place in range(start, stop))


def empty() -> dict[str, list[Any]]:
    """Tell nothing, as a completion does."""
    return {"text_offset": [], "token_logprobs": [], "tokens": [], "top_logprobs": []}


def _add(told: dict[str, list[Any]], piece: str, value: float | None, top: dict[str, float] | None, at: int) -> None:
    for name, entry in zip(told, (at, value, piece, top), strict=True):
        told[name].append(entry)


def _numbered(token: int) -> str:
    return f"token_id:{token}"


def _share(token: int, place: int) -> float:
    """Make up how likely a token is, between 0.35 and 0.95. The odd factors stir their bits."""
    return 0.35 + 0.6 * ((token * 2654435761 + place * 40503) % 65536) / 65536


def _entry(row: tuple[int, str, float]) -> dict[str, Any]:
    _, spelling, value = row
    return {"token": spelling, "logprob": value, "bytes": list(spelling.encode())}
