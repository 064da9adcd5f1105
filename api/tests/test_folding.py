from msgspec import UNSET

from inferno_api.responses.folding import extended, latest


def test_lists_grow_once_there_is_one() -> None:
    assert extended(None, None) is None
    assert extended(None, [1]) == [1]
    assert extended([1], None) == [1]
    assert extended([1], [2]) == [1, 2]


def test_null_takes_nothing_back() -> None:
    assert latest(UNSET, UNSET) is UNSET
    assert latest(UNSET, None) is None
    assert latest(0, None) == 0
    assert latest("END", UNSET) == "END"
    assert latest(None, "END") == "END"
