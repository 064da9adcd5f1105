"""Images inside a request. They are looked at as far as their header, so that none unpacks to more than is allowed."""

import binascii
import re
from collections.abc import Callable

from inferno_api.requests.fault import Fault
from inferno_api.requests.limits import MAX_IMAGE_BYTES, MAX_IMAGE_PIXELS

_PLACE = re.compile(r"data:(image/(?:png|jpeg|webp|gif));base64,")
_LONGEST_PLACE = 40
# Frames of a JPEG that say how large it is: all from SOF0 to SOF15 but three, which are tables.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_MOST_SEGMENTS = 1000

Size = tuple[int, int]


def check_place(url: str) -> None:
    """Refuse an image that does not stand in the request. Raises `Fault`."""
    if not _PLACE.match(url[:_LONGEST_PLACE]):
        raise Fault("url", "an image has to be a PNG, JPEG, WebP or GIF in the request, as `data:image/png;base64,…`")


def check(url: str) -> None:
    """Refuse what is no image of the kind that it claims to be, or too large a one. Raises `Fault`."""
    place = _PLACE.match(url[:_LONGEST_PLACE])
    assert place is not None, "the types have looked at it"
    data = _decode(url[place.end() :])
    size = _SIZES[place[1]](data)
    if size is None or 0 in size:
        raise Fault("url", f"what it holds is no {place[1]}; send the image as it is in its file")
    if size[0] * size[1] > MAX_IMAGE_PIXELS:
        raise Fault("url", f"the image is {size[0]} by {size[1]}, and at most {MAX_IMAGE_PIXELS} pixels are taken")


def _decode(text: str) -> bytes:
    if len(text) // 4 * 3 > MAX_IMAGE_BYTES + 2:
        raise Fault("url", f"the image is larger than the {MAX_IMAGE_BYTES} bytes that are taken; send a smaller one")
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:
        raise Fault("url", "what follows `base64,` is not base64; encode the image with padding") from error


def _png(data: bytes) -> Size | None:
    if len(data) < 24 or data[:8] != b"\x89PNG\r\n\x1a\n" or data[12:16] != b"IHDR":
        return None
    return int.from_bytes(data[16:20]), int.from_bytes(data[20:24])


def _gif(data: bytes) -> Size | None:
    if len(data) < 10 or data[:6] not in {b"GIF87a", b"GIF89a"}:
        return None
    return int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")


def _jpeg(data: bytes) -> Size | None:
    """Go from segment to segment until the frame's header."""
    at = 2 if data[:2] == b"\xff\xd8" else len(data)
    for _ in range(_MOST_SEGMENTS):
        if at + 9 > len(data) or data[at] != 0xFF:
            return None
        if data[at + 1] in _FRAMES:
            return int.from_bytes(data[at + 7 : at + 9]), int.from_bytes(data[at + 5 : at + 7])
        at += 2 + max(2, int.from_bytes(data[at + 2 : at + 4]))
    return None


def _webp(data: bytes) -> Size | None:
    if len(data) < 30 or data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        return None
    match data[12:16]:
        case b"VP8X":
            return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
        case b"VP8L":
            bits = int.from_bytes(data[21:25], "little")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 ":
            return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF
        case _:
            return None


_SIZES: dict[str, Callable[[bytes], Size | None]] = {
    "image/png": _png,
    "image/jpeg": _jpeg,
    "image/webp": _webp,
    "image/gif": _gif,
}
