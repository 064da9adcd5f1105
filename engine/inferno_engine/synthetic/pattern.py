"""Texts that match a regular expression, drawn by walking through what Python's own parser makes of it."""

import re
from collections.abc import Callable, Iterable, Mapping
from re import _parser  # type: ignore[attr-defined]
from typing import Any, cast

from inferno_engine.synthetic.draws import Draws

LONGEST = 16_384
_PRINTABLE = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_ -.,:;!?@#$%&*+=/\\|~^'\"`()[]{}<>\t\n"
_MORE = 3
"""How many times more than it must, at most, something is repeated."""


class Unmatchable(ValueError):
    """A text for this expression can't be drawn. Says why."""


def matching(expression: str, draws: Draws) -> str:
    """Draw a text that `expression` matches from end to end. Raises Unmatchable."""
    try:
        text = _Walk(draws).sequence(_parsed(expression))
        whole = re.fullmatch(expression, text)
    except (re.error, OverflowError, RecursionError) as error:
        raise Unmatchable(f"it is no regular expression that can be read: {error}") from error
    if whole is None:
        raise Unmatchable("it needs more than its parts one after the other")
    return text


class _Walk:
    """Draws a text part by part."""

    def __init__(self, draws: Draws) -> None:
        self._draws = draws
        self._left = LONGEST
        self._groups: dict[int, str] = {}

    def sequence(self, parts: Iterable[tuple[Any, Any]]) -> str:
        return "".join([self._part(kind, value) for kind, value in parts])

    def _part(self, kind: Any, value: Any) -> str:
        draw = _PARTS.get(str(kind))
        if draw is None:
            raise Unmatchable(f"{str(kind).lower().replace('_', ' ')} is not supported")
        return draw(self, value)

    def _letter(self, letter: str) -> str:
        self._left -= 1
        if self._left < 0:
            raise Unmatchable(f"it asks for more than {LONGEST} characters")
        return letter

    def literal(self, code: int) -> str:
        return self._letter(chr(code))

    def no_literal(self, code: int) -> str:
        return self._letter(self._draws.pick([letter for letter in _PRINTABLE if ord(letter) != code]))

    def any(self, _: None) -> str:
        return self._letter(self._draws.pick(_PRINTABLE[:63]))

    def one_of(self, members: list[tuple[Any, Any]]) -> str:
        negated = str(members[0][0]) == "NEGATE"
        members = members[1:] if negated else members
        letters = [letter for letter in _PRINTABLE if any(_is(letter, *member) for member in members) != negated]
        if not letters and not negated:
            letters = [_first(*member) for member in members if str(member[0]) != "CATEGORY"]
        if not letters:
            raise Unmatchable("a class of characters has no printable one")
        return self._letter(self._draws.pick(letters))

    def branch(self, value: tuple[None, list[Any]]) -> str:
        return self.sequence(self._draws.pick(value[1]))

    def group(self, value: tuple[int | None, int, int, Any]) -> str:
        text = self.sequence(value[3])
        if value[0] is not None:
            self._groups[value[0]] = text
        return text

    def reference(self, group: int) -> str:
        return "".join(self._letter(letter) for letter in self._groups.get(group, ""))

    def repeat(self, value: tuple[int, Any, Any]) -> str:
        least, most, parts = value
        more = min(_MORE, int(most) - least)
        return "".join([self.sequence(parts) for _ in range(least + self._draws.below(more + 1))])

    def place(self, _: Any) -> str:
        # Whether the place is right shows when the whole text is matched.
        return ""


_PARTS: Mapping[str, Callable[[_Walk, Any], str]] = {
    "LITERAL": _Walk.literal,
    "NOT_LITERAL": _Walk.no_literal,
    "ANY": _Walk.any,
    "IN": _Walk.one_of,
    "BRANCH": _Walk.branch,
    "SUBPATTERN": _Walk.group,
    "ATOMIC_GROUP": _Walk.sequence,
    "GROUPREF": _Walk.reference,
    "MAX_REPEAT": _Walk.repeat,
    "MIN_REPEAT": _Walk.repeat,
    "POSSESSIVE_REPEAT": _Walk.repeat,
    "AT": _Walk.place,
}
_CATEGORIES: Mapping[str, Callable[[str], bool]] = {
    "DIGIT": str.isdigit,
    "SPACE": str.isspace,
    "WORD": lambda letter: letter.isalnum() or letter == "_",
}


def _parsed(expression: str) -> Iterable[tuple[Any, Any]]:
    # Python has no public name for what its expressions are made of.
    parse: Callable[[str], Iterable[tuple[Any, Any]]] = cast("Any", _parser).parse
    return parse(expression)


def _is(letter: str, kind: Any, value: Any) -> bool:
    """Say whether `letter` belongs to one member of a class of characters."""
    if str(kind) == "LITERAL":
        return ord(letter) == int(value)
    if str(kind) == "RANGE":
        return bool(value[0] <= ord(letter) <= value[1])
    name = str(value).removeprefix("CATEGORY_")
    return _CATEGORIES[name.removeprefix("NOT_")](letter) != name.startswith("NOT_")


def _first(kind: Any, value: Any) -> str:
    return chr(value if str(kind) == "LITERAL" else value[0])
