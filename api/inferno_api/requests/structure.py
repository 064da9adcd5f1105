"""How much JSON is made of, without building it: in bytes, values and depth. Nothing here calls itself."""

from collections.abc import Collection
from typing import cast

import msgspec

from inferno_api.requests.fault import Fault


def values(data: bytes, most: int) -> int:
    """Count the values of JSON text, give or take one; beyond `most` it need not be the full number.

    A decoder takes memory for each of them, however short it is. This takes time in proportion to the text, most of
    it in the interpreter's core. Text that is not JSON gives any number.
    """
    if b"\\" in data:
        data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    strings = data.count(b'"') // 2
    # Parting a text at its quotes takes memory for each string as well.
    return strings if strings > most else sum(_separators(outside) for outside in data.split(b'"')[::2])


def _separators(text: bytes) -> int:
    return text.count(b",") + text.count(b"[") + text.count(b"{")


def inside(value: object) -> Collection[object]:
    """Give what an object or a list holds; nothing for any other value."""
    if isinstance(value, dict):
        return cast("dict[str, object]", value).values()
    return cast("list[object]", value) if isinstance(value, list) else ()


def depth(value: object, most: int) -> int:
    """Say how many objects and lists stand inside one another; no deeper than one more than `most` is looked."""
    level: list[object] = [value]
    for found in range(most + 1):
        if not any(isinstance(each, dict | list) for each in level):
            return found
        level = [inner for each in level for inner in inside(each)]
    return most + 1


def bound(field: str, value: object, *, most_bytes: int, most_depth: int | None = None) -> bytes:
    """Give a value as JSON; refuse one that is longer than `most_bytes`, or deeper than `most_depth`.

    Raises `Fault`, and `RecursionError` for a value that is too deep to be written at all.
    """
    text = msgspec.json.encode(value)
    if len(text) > most_bytes:
        raise Fault(field, f"it has {len(text)} bytes as JSON, and at most {most_bytes} are taken; send less")
    # What has few brackets can't be deep.
    if most_depth is None or text.count(b"{") + text.count(b"[") <= most_depth:
        return text
    if depth(value, most_depth) > most_depth:
        raise Fault(field, f"objects and lists stand more than {most_depth} deep in one another; send a flatter one")
    return text
