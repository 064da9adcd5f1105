"""What seeds the noise of a token."""

from inferno_backend.vllm_engine.noise import noise_seed


def test_it_depends_on_the_seed_and_on_how_many_tokens_there_are_alone():
    assert noise_seed(7, 3) == noise_seed(7, 3)
    assert len({noise_seed(seed, tokens) for seed in range(40) for tokens in range(40)}) == 1600


def test_choices_with_consecutive_seeds_draw_different_noise_at_every_place():
    first, second = ({noise_seed(seed, tokens) for tokens in range(2000)} for seed in (100, 101))
    assert not first & second


def test_the_lower_half_differs_too_since_more_is_not_taken_in():
    lower = {noise_seed(seed << 32, tokens) & 0xFFFFFFFF for seed in range(20) for tokens in range(100)}
    assert len(lower) == 2000


def test_it_is_what_pytorch_takes_whatever_the_seed():
    assert all(0 <= noise_seed(seed, 1) < 2**64 for seed in (-5, 0, 2**63 - 1))


def test_the_mixing_is_splitmix64():
    """For the state 0 it gives what is published; the count undoes here what the seed was mixed to."""
    assert noise_seed(0, -0xE220A8397B1DCDAF) == 0xE220A8397B1DCDAF
