"""Traps of the layout that no tool sees."""

import tomllib
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]


def test_no_source_root_is_a_package() -> None:
    roots = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["dev-mode-dirs"]
    assert [root for root in [*roots, "graphql"] if (CHECKOUT / root / "__init__.py").exists()] == []


def test_tests_are_no_packages() -> None:
    assert [str(path) for path in CHECKOUT.glob("*/tests/**/__init__.py")] == []


def test_lock_files_name_no_hosts() -> None:
    locks = [
        *CHECKOUT.glob("requirements/*.lock"),
        *CHECKOUT.glob("engine/**/*.lock"),
        *CHECKOUT.glob("local/**/*.lock"),
    ]
    assert locks
    assert [str(lock) for lock in locks if "://" in lock.read_text()] == []
