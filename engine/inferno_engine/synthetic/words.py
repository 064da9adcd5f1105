"""The vocabulary: 1,024 four-letter words, each of two syllables, and the stable token ids of any text."""

import zlib
from collections.abc import Iterable

SYLLABLES = tuple(consonant + vowel for consonant in "bdfklmns" for vowel in "aeio")
VOCABULARY = tuple(first + second for first in SYLLABLES for second in SYLLABLES)
LENGTH = 4
_WORDS = dict(enumerate(VOCABULARY))
_TOKENS = {word: token for token, word in enumerate(VOCABULARY)}
_FOREIGN = 1 << 20
TOKENS = len(VOCABULARY) + _FOREIGN
"""How many token ids there are."""


def word(token: int) -> str:
    """Spell `token`. A token of a foreign word, whose letters are not kept, is spelt as its number."""
    return _WORDS.get(token) or f"<{token}>"


def token(word: str) -> int:
    """Number `word`: words of the vocabulary below 1,024, all others above, by their digest."""
    known = _TOKENS.get(word)
    return len(VOCABULARY) + zlib.crc32(word.encode("utf-8", "surrogatepass")) % _FOREIGN if known is None else known


def encode(text: str) -> list[int]:
    """Number the words of `text`, which are whatever white space separates."""
    return [token(word) for word in text.split()]


def decode(tokens: Iterable[int]) -> str:
    """Spell `tokens`, with a space between two words."""
    # Written out, since a call for each token would be most of the work.
    return " ".join([_WORDS.get(token) or f"<{token}>" for token in tokens])
