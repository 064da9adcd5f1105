from pathlib import Path

import pytest

from inferno_local.explain import cause, last_words, written


@pytest.mark.parametrize(
    ("code", "said", "expected"),
    [
        (-9, "all was well", "was killed by SIGKILL"),
        (-11, "", "was killed by SIGSEGV"),
        (0, "", "ended with 0"),
        (1, "one\ntwo", "ended with 1: two"),
        (1, "ValueError: no\n  at line 3", "ended with 1: ValueError: no"),
        (1, "INFO fine\nFATAL: role is missing\nhint", "ended with 1: FATAL: role is missing"),
    ],
)
def test_a_cause_is_a_sentence(code: int, said: str, expected: str) -> None:
    assert cause(code, said) == expected


@pytest.mark.parametrize(
    ("said", "way_out"),
    [
        ("java.io.IOException: No space left on device", "free some space"),
        ("bind: Address already in use", "inferno down"),
        ("java.lang.OutOfMemoryError: Java heap", "inferno doctor"),
        ("OSError: Too many open files", "ulimit"),
    ],
)
def test_a_known_cause_comes_with_its_way_out(said: str, way_out: str) -> None:
    assert way_out in cause(1, f"much else\n{said}\nand more")


def test_only_what_this_life_said_counts(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    assert last_words(log, 0) == ""
    log.write_text("an earlier life\n")
    before = written(log)
    log.write_text("an earlier life\nthis one\n")
    assert last_words(log, before) == "this one\n"


def test_a_log_that_was_cut_is_read_whole(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("new\n")
    assert last_words(log, 1000) == "new\n"
