"""The beginnings of prompts that were read lately, by blocks: what is among them need not be read again."""

from collections import OrderedDict
from collections.abc import Sequence

BLOCK = 16
"""Tokens in a block of the KV cache."""


def blocks(tokens: Sequence[object]) -> tuple[int, ...]:
    """Name the whole blocks of a prompt. A name stands for all that comes before it, too."""
    names: list[int] = []
    name = 0
    for start in range(0, len(tokens) - BLOCK + 1, BLOCK):
        name = hash((name, *tokens[start : start + BLOCK]))
        names.append(name)
    return tuple(names)


class Prefixes:
    """Remembers the `most` blocks that were used last."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: OrderedDict[int, None] = OrderedDict()
        self.queries = 0
        self.hits = 0

    def take(self, names: Sequence[int], tokens: int) -> int:
        """Say how many of a prompt's `tokens` are known, never the last one; from now on all of its blocks are."""
        known = 0
        for name in names:
            if name not in self._known:
                break
            known += 1
        for name in names:
            self._known[name] = None
            self._known.move_to_end(name)
        while len(self._known) > self._most:
            self._known.popitem(last=False)
        hits = min(known, (tokens - 1) // BLOCK) * BLOCK if tokens else 0
        self.queries += tokens
        self.hits += hits
        return hits
