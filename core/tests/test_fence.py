"""Whose word counts for a partition."""

from inferno_core.fence import Fences, Standing


def test_a_higher_epoch_is_heard_and_shuts_out_all_below() -> None:
    fences = Fences()
    assert fences.hear("q/0", 5, "a") is Standing.RAISED
    assert fences.hear("q/0", 5, "a") is Standing.CURRENT
    assert fences.hear("q/0", 9, "b") is Standing.RAISED
    assert fences.hear("q/0", 5, "a") is Standing.REFUSED
    assert fences.hear("q/0", 8, "b") is Standing.REFUSED
    assert fences.hear("q/0", 9, "b") is Standing.CURRENT


def test_of_two_sessions_with_one_epoch_the_first_is_right() -> None:
    fences = Fences()
    fences.hear("q/0", 5, "a")
    assert fences.hear("q/0", 5, "b") is Standing.REFUSED
    assert fences.hear("q/0", 5, "a") is Standing.CURRENT


def test_partitions_have_nothing_to_do_with_each_other() -> None:
    fences = Fences()
    fences.hear("q/0", 5, "a")
    assert fences.hear("q/1", 1, "b") is Standing.RAISED
