"""Regular expressions and grammars that clients send: what one asks for is reckoned without compiling it."""

import re

from inferno_api.requests.fault import Fault
from inferno_api.requests.limits import MAX_DEPTH, MAX_GRAMMAR_BYTES, MAX_REGEX_BYTES, MAX_WRITTEN_OUT

# What is not closed goes on to the end, so that each character is looked at once.
_SET = r"\[\^?\]?(?:\\.|[^\]\\])*+\]?"
_ATOM = re.compile(rf"\\.|{_SET}|\{{\d*(?:,\d*)?\}}|.", re.DOTALL)
_COUNT = re.compile(r"\{(\d*)(?:,(\d*))?\}")
_QUOTED = re.compile(rf"\"(?:\\.|[^\"\\])*+\"?|'(?:\\.|[^'\\])*+'?|{_SET}", re.DOTALL)


def check(field: str, regex: str) -> None:
    """Refuse a regex that is too long, too deep, or too long once its repeats are written out. Raises `Fault`."""
    _check(field, "regex", regex, regex, MAX_REGEX_BYTES)


def check_grammar(field: str, grammar: str) -> None:
    """Refuse a grammar in EBNF likewise. Raises `Fault`."""
    _check(
        field, "grammar", grammar, _QUOTED.sub(lambda quoted: f"({'x' * len(quoted[0])})", grammar), MAX_GRAMMAR_BYTES
    )


def _check(field: str, kind: str, text: str, read: str, most_bytes: int) -> None:
    size = len(text.encode())
    if size > most_bytes:
        raise Fault(field, f"a {kind} has {size} bytes, and at most {most_bytes} are taken; send a shorter one")
    if written_out(read) > MAX_WRITTEN_OUT:
        raise Fault(
            field,
            f"a {kind} has more than {MAX_WRITTEN_OUT} characters once what it repeats is written out, or groups "
            f"more than {MAX_DEPTH} deep; let it repeat less",
        )


def written_out(regex: str) -> int:
    """Say how many characters and sets a regex has with its repeats written out. Groups too deep count as too many."""
    groups, last = [0], 0
    for atom in _ATOM.findall(regex):
        if atom == "(":
            groups.append(0)
            if len(groups) > MAX_DEPTH:
                return MAX_WRITTEN_OUT + 1
        elif atom == ")":
            last = groups.pop() if len(groups) > 1 else last
            groups[-1] += last
        elif count := _COUNT.fullmatch(atom):
            times = _number(count[2] or count[1])
            groups[-1] += last * (times - 1)
            last *= times
        else:
            last = 1
            groups[-1] += 1
    return sum(groups)


def _number(digits: str) -> int:
    """Read a count; of one with many digits it is enough to know that it is large."""
    return 10**8 if len(digits) > 8 else max(1, int(digits or 1))
