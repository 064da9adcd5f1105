"""From bytes to a body, or to an error that names the field, its value and the way out."""

import re
from collections.abc import Callable
from typing import TypeVar

import msgspec

from inferno_api.requests import refused, structure
from inferno_api.requests.asked import Asked
from inferno_api.requests.fault import Fault
from inferno_api.requests.limits import MAX_VALUES
from inferno_core.errors import InvalidRequest, TooLarge

Body = TypeVar("Body", bound=Asked)

_SHOWN_CHARS = 80
_LONGEST_PATH = 300
# Where the decoder stood, at the end of what it says; the value that it quotes before may be of any length.
_PLACE = re.compile(r"(?:`key` in )?`\$(?P<path>[^`]*)`")
_ABOUT_FIELD = re.compile(r"Object (?:missing required|contains unknown) field `(?P<field>[^`]*)`")
_STEP = re.compile(r"\.(?P<field>[^.\[\]]+)|\[(?P<index>\d+)\]")
_INDEX = re.compile(r"\[\d+\]")
# The half of a surrogate pair without its other half, as encoders write a text that was cut inside a character.
_LONE_SURROGATE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_list = msgspec.json.Decoder(list[msgspec.Raw])


def read(data: bytes, decode: Callable[[bytes], Body]) -> Body:
    """Decode and validate a request's body by its type's `decode`.

    Raises:
        InvalidRequest: it is no JSON, or not what the type takes.
        TooLarge: it holds more values than are taken.

    """
    # A body has fewer values than bytes.
    if len(data) > MAX_VALUES and structure.values(data, MAX_VALUES) > MAX_VALUES:
        raise TooLarge(f"The body holds more than {MAX_VALUES} values of JSON. Send fewer, or longer ones.")
    try:
        return decode(data)
    except msgspec.ValidationError as error:
        raise _refusal(error, data) from error
    except RecursionError as error:
        raise InvalidRequest("The body is nested too deeply. Send a flatter object.") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        if (lone := _LONE_SURROGATE.search(data)) is not None:
            half = lone.group().decode()
            raise InvalidRequest(f"The body has {half}, half of a character, in a string. Leave it out.") from error
        raise InvalidRequest(f"The body is not JSON: {error}. Send one JSON object, encoded in UTF-8.") from error


def _refusal(error: msgspec.ValidationError, data: bytes) -> InvalidRequest:
    why, path = _part(str(error))
    if isinstance(fault := error.__cause__, Fault):
        why, path = str(fault), f"{path}.{fault.field}" if fault.field else path
    elif about := _ABOUT_FIELD.match(why):
        path = f"{path}.{about['field']}"
        why = "add it to the request" if "missing" in about[0] else "it is none of those that are taken; leave it out"
    param = path.lstrip(".")
    if not param:
        return InvalidRequest(f"{why[:1].upper()}{why[1:]}. Send one JSON object.")
    if (name := _INDEX.sub("", param)) in refused.REFUSED:
        why = refused.because(name)
    return InvalidRequest(f"'{param}' is {_shown(data, path)}: {_expectation(why)}.", param=param)


def _part(message: str) -> tuple[str, str]:
    """Part what the decoder says into the reason and the path of the value."""
    why, _, place = message.rpartition(" - at ")
    found = _PLACE.fullmatch(place) if len(place) <= _LONGEST_PATH else None
    return (why, found["path"].removesuffix("[...]")) if found else (message, "")


def _expectation(why: str) -> str:
    if why.startswith(("Invalid enum value", "Invalid value")):
        return "none of the values that are allowed; /openapi.json lists them"
    return why[:1].lower() + why[1:]


def _shown(data: bytes, path: str) -> str:
    """Show the value at `path` as it was sent, on a line of its own, cut to what fits there."""
    try:
        value = msgspec.Raw(data)
        for step in _STEP.finditer(path):
            value = _object.decode(value)[step["field"]] if step["field"] else _list.decode(value)[int(step["index"])]
    except (KeyError, IndexError):
        return "missing"
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return "not valid"
    text = " ".join(bytes(memoryview(value)[:_LONGEST_PATH]).decode(errors="ignore").split())
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"
