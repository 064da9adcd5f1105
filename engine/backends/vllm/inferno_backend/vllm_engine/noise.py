"""Noise that is counted, not carried: what is drawn for a token depends on the seed and on how many came before it."""

_MASK = 2**64 - 1


def noise_seed(seed: int, tokens: int) -> int:
    """Give the seed of the noise for the token that follows `tokens` others, in a generation with `seed`.

    PyTorch's generator for CPUs takes in but the lower 32 bits, and choices have consecutive seeds: so both numbers are
    mixed thoroughly, lest one choice's noise be another's, a token later.
    """
    return _mix(_mix(seed & _MASK) + tokens)


def _mix(value: int) -> int:
    """SplitMix64's output for a state (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014)."""
    value = (value + 0x9E3779B97F4A7C15) & _MASK
    value = ((value ^ value >> 30) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ value >> 27) * 0x94D049BB133111EB) & _MASK
    return value ^ value >> 31
