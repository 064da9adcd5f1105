import re
from pathlib import Path
from types import ModuleType

import pytest

from inferno_api.requests import limits
from inferno_api.responses import whole
from inferno_api.wire import bodies, overhead
from inferno_core.settings import Settings

PAGE = Path(__file__).parents[2] / "docs" / "limits.md"
ROW = re.compile(
    r"^\| (?P<what>[^|]+) \| [^|]*?(?P<value>[\d.]+)(?: [a-z]+)?, `(?P<name>[A-Z_0-9]+)` \| [^|]+ \|$", re.MULTILINE
)
MODULES: tuple[ModuleType, ...] = (limits, bodies, whole, overhead)


def constants(module: ModuleType) -> dict[str, float]:
    """A module's own constants that are numbers."""
    named = {name: value for name, value in vars(module).items() if name.isupper() and not name.startswith("_")}
    return {name: value for name, value in named.items() if isinstance(value, int | float)}


def rows() -> list[tuple[str, float]]:
    return [(row["name"], float(row["value"])) for row in ROW.finditer(PAGE.read_text())]


def setting(name: str) -> float:
    value = Settings(_env_file=None).model_dump()
    for part in name.removeprefix("INFERNO_").lower().split("__"):
        value = value[part]
    assert isinstance(value, int | float)
    return value


def test_every_limit_is_told() -> None:
    told = {name for name, _ in rows()}
    assert set(constants(limits)) - told == set()
    assert len(told) == len(rows())


@pytest.mark.parametrize(("name", "value"), rows())
def test_what_is_told_is_so(name: str, value: float) -> None:
    if name.startswith("INFERNO_"):
        assert setting(name) == value
    else:
        assert {constants(module).get(name, value) for module in MODULES} == {value}
        assert any(name in constants(module) for module in MODULES)


def test_no_row_is_skipped() -> None:
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| ") and not line.startswith("| What")]
    assert len(lines) == len(rows())
