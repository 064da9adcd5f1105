import pytest

from inferno_engine import names
from inferno_engine.errors import Unverified


@pytest.mark.parametrize("name", ["a", "llama-3.1_8b", "0", "a" * 64])
def test_a_harmless_name_is_taken(name: str):
    names.check("Model name", name)


@pytest.mark.parametrize("name", ["", ".", "..", "A", "a/b", "a b", "a\n", "a" * 65])
def test_any_other_is_refused_with_whose_it_is(name: str):
    with pytest.raises(Unverified, match="Model name"):
        names.check("Model name", name)
