from pathlib import Path

from inferno_api.requests import parameters_page
from inferno_api.surfaces import SURFACES

COMMITTED = Path(__file__).parents[2] / "docs" / "parameters.md"


def test_the_page_is_what_the_types_say() -> None:
    assert parameters_page.page() == COMMITTED.read_text(), "run `make docs`"


def test_every_parameter_is_on_it() -> None:
    page = parameters_page.page()
    for kind in SURFACES:
        for field in kind.body.__struct_fields__:
            assert f"| `{field}` |" in page


def test_each_is_told_once_for_each_meaning() -> None:
    rows = [line.split(" | ")[:2] for line in parameters_page.page().splitlines() if line.startswith("| `")]
    told = [(name, surface) for name, surfaces in rows for surface in surfaces.split(", ")]
    assert len(told) == len(set(told))
