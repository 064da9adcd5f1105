"""The grammar of names: whatever keeps to it is harmless as a folder, in an address and in a log."""

import re

from inferno_engine.errors import Unverified

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def check(what: str, name: str) -> None:
    """Raise Unverified unless `name` keeps to it; `what` says whose name it is."""
    if not _NAME.fullmatch(name):
        raise Unverified(f"{what} {name!r} must match {_NAME.pattern}.")
