from inferno_engine.synthetic.draws import Draws


def test_the_same_key_draws_the_same():
    one, other = Draws(b"key"), Draws(b"key")
    assert [one.below(1000) for _ in range(100)] == [other.below(1000) for _ in range(100)]


def test_another_key_draws_something_else():
    assert [Draws(b"a").below(1 << 60)] != [Draws(b"b").below(1 << 60)]


def test_what_is_drawn_spreads_over_what_there_is():
    draws = Draws(b"key")
    assert {draws.below(5) for _ in range(200)} == set(range(5))
    assert {draws.pick("abc") for _ in range(100)} == set("abc")
    assert all(0 <= draws.fraction() < 1 for _ in range(100))
    assert len(draws.hexadecimal(24)) == 24
