"""From bytes to a body, or to an error that names the field, its value and the way out."""

import re
from collections.abc import Callable
from typing import TypeVar

import msgspec

from inferno_api.asked import Asked
from inferno_core.errors import InvalidRequest

Body = TypeVar("Body", bound=Asked)

_SHOWN_CHARS = 80
_PLACE = re.compile(r"^(?P<why>.*?)(?: - at `(?:key` in `)?\$(?P<path>.*)`)?$", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<field>[^`]*)`")
_STEP = re.compile(r"\.(?P<field>[^.\[\]]+)|\[(?P<index>\d+)\]")
_NAMED = re.compile(r"`(?P<field>[a-z_]+)`")


def read(data: bytes, decode: Callable[[bytes], Body]) -> Body:
    """Decode and validate a request's body by its type's `decode`; raises `InvalidRequest`."""
    try:
        return decode(data)
    except msgspec.ValidationError as error:
        raise _refusal(str(error), data) from error
    except RecursionError as error:
        raise InvalidRequest("The body is nested too deeply. Send a flatter object.") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"The body is not JSON: {error}. Send one JSON object, encoded in UTF-8.") from error


def _refusal(message: str, data: bytes) -> InvalidRequest:
    match = _PLACE.match(message)
    assert match is not None, "the pattern takes any text"
    why, path = match["why"], match["path"] or ""
    if missing := _MISSING.match(why):
        param = f"{path}.{missing['field']}".lstrip(".")
        return InvalidRequest(f"'{param}' is missing. Add it to the request.", param=param)
    if not path:
        named = _NAMED.search(why)
        return InvalidRequest(
            f"{why[:1].upper()}{why[1:]}.", param=named["field"] if named and "object" not in why else None
        )
    param = path.lstrip(".")
    return InvalidRequest(f"'{param}' is {_shown(data, path)}: {_expectation(why)}.", param=param)


def _expectation(why: str) -> str:
    if why.startswith("Invalid enum value"):
        return "none of the values that are allowed; /openapi.json lists them"
    return why[:1].lower() + why[1:]


def _shown(data: bytes, path: str) -> str:
    """Show the value at `path`, cut to a line. Only a request that is refused is decoded a second time."""
    try:
        value = msgspec.json.decode(data)
        for step in _STEP.finditer(path):
            value = value[step["field"]] if step["field"] else value[int(step["index"])]
        text = msgspec.json.encode(value).decode()
    except (msgspec.MsgspecError, LookupError, TypeError, ValueError, RecursionError, OverflowError):
        return "not valid"
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"
