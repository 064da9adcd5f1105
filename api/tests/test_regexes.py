import time

import pytest

from inferno_api.requests import regexes
from inferno_api.requests.fault import Fault
from inferno_api.requests.limits import MAX_REGEX_BYTES, MAX_WRITTEN_OUT


@pytest.mark.parametrize(
    ("regex", "length"),
    [
        ("", 0),
        ("abc", 3),
        ("a{3}", 3),
        ("a{2,5}b", 6),
        ("a{2,}", 2),
        ("(ab){4}", 8),
        ("((ab){4}c){10}", 90),
        (r"\(\)\{[(){}]", 4),
        ("[]a]{3}", 3),
        ("a{,7}", 7),
        (")){2}", 0),
    ],
)
def test_repeats_are_written_out(regex: str, length: int) -> None:
    assert regexes.written_out(regex) == length


@pytest.mark.parametrize(
    "regex",
    [
        "a{70000}",
        "(a{1,1000}){1,1000}",
        "a{99999999999999}",
        "((((a{99}){99}){99}){99}){99}",
        "(" * 40 + "a" + ")" * 40,
    ],
)
def test_what_would_grow_is_refused(regex: str) -> None:
    with pytest.raises(Fault, match=str(MAX_WRITTEN_OUT)):
        regexes.check("regex", regex)


def test_a_long_regex_is_refused() -> None:
    regexes.check("regex", "a" * MAX_REGEX_BYTES)
    with pytest.raises(Fault, match="4098 bytes"):
        regexes.check("regex", "é" * 2049)


def test_what_a_grammar_quotes_repeats_nothing() -> None:
    regexes.check_grammar("grammar", 'root ::= "a{70000}" [0-9]{1,5} "(" ")"')
    for hostile in ('(")" "a"{1,1000}){1,1000}', '["] ("a"{1,1000}){1,1000}', f'"{"a" * 1000}"{{1,1000}}'):
        with pytest.raises(Fault, match="let it repeat less"):
            regexes.check_grammar("grammar", f"root ::= {hostile}")


@pytest.mark.parametrize("hostile", ["[" * 4000, "{" * 4000, "\\" * 4000, '"' * 4000, "{1,1}" * 800, "(a)" * 1300])
def test_hostile_regexes_are_read_in_no_time(hostile: str) -> None:
    started = time.process_time()
    for _ in range(10):
        regexes.check("regex", hostile)
        regexes.check_grammar("grammar", hostile)
    assert time.process_time() - started < 1
