import base64
import time

import pytest

from inferno_api.requests import images
from inferno_api.requests.fault import Fault
from inferno_api.requests.limits import MAX_IMAGE_BYTES


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + width.to_bytes(4) + height.to_bytes(4) + b"\x08\x06\0\0\0"


def gif(width: int, height: int) -> bytes:
    return b"GIF89a" + width.to_bytes(2, "little") + height.to_bytes(2, "little") + b"\0\0\0"


def jpeg(width: int, height: int) -> bytes:
    table = b"\xff\xdb\0\x05abc"
    frame = b"\xff\xc2\0\x11\x08" + height.to_bytes(2) + width.to_bytes(2) + b"\x03"
    return b"\xff\xd8\xff\xe0\0\x10" + b"JFIF" + b"\0" * 10 + table + frame


def webp(kind: bytes, width: int, height: int) -> bytes:
    size = {
        b"VP8X": b"\0\0\0\0" + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little"),
        b"VP8L": b"\x2f" + (width - 1 | (height - 1) << 14).to_bytes(4, "little") + b"\0" * 5,
        b"VP8 ": b"\0\0\0\x9d\x01\x2a" + width.to_bytes(2, "little") + height.to_bytes(2, "little"),
    }[kind]
    return b"RIFF\0\0\0\0WEBP" + kind + b"\0\0\0\0" + size


def url(mime: str, data: bytes) -> str:
    return f"data:image/{mime};base64,{base64.b64encode(data).decode()}"


KINDS = [
    ("png", png(640, 480)),
    ("gif", gif(640, 480)),
    ("jpeg", jpeg(640, 480)),
    ("webp", webp(b"VP8X", 640, 480)),
    ("webp", webp(b"VP8L", 640, 480)),
    ("webp", webp(b"VP8 ", 640, 480)),
]


@pytest.mark.parametrize(("mime", "data"), KINDS)
def test_images_that_are_taken(mime: str, data: bytes) -> None:
    images.check_place(url(mime, data))
    images.check(url(mime, data))
    assert images._SIZES[f"image/{mime}"](data) == (640, 480)


@pytest.mark.parametrize(
    "place",
    [
        "",
        "http://169.254.169.254/latest",
        "https://example.com/a.png",
        "file:///etc/passwd",
        "data:text/html;base64,AAAA",
        "data:image/svg+xml;base64,AAAA",
        "data:image/png,AAAA",
        " data:image/png;base64,AAAA",
        "DATA:image/png;base64,AAAA",
    ],
)
def test_places_that_are_refused(place: str) -> None:
    with pytest.raises(Fault, match="in the request"):
        images.check_place(place)


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("data:image/png;base64,", "is no image/png"),
        ("data:image/png;base64,AAA", "is not base64"),
        ("data:image/png;base64,AA AA", "is not base64"),
        ("data:image/png;base64,é", "is not base64"),
        (url("png", gif(1, 1)), "is no image/png"),
        (url("jpeg", b"\xff\xd8" + b"\xff" * 100), "is no image/jpeg"),
        (url("png", png(0, 5)), "is no image/png"),
        (url("png", png(30_000, 30_000)), "30000 by 30000"),
        (url("jpeg", jpeg(65_535, 65_535)), "65535 by 65535"),
        ("data:image/png;base64," + "A" * (MAX_IMAGE_BYTES // 3 * 4 + 8), "larger than the 8388608"),
    ],
)
def test_images_that_are_refused(place: str, why: str) -> None:
    images.check_place(place)
    with pytest.raises(Fault, match=why):
        images.check(place)


@pytest.mark.parametrize(("mime", "data"), KINDS)
def test_a_cut_image_is_refused_wherever_it_is_cut(mime: str, data: bytes) -> None:
    for length in range(10):
        with pytest.raises(Fault):
            images.check(url(mime, data[:length]))


def test_a_jpeg_of_segments_alone_is_left_soon() -> None:
    started = time.process_time()
    with pytest.raises(Fault):
        images.check(url("jpeg", b"\xff\xd8" + b"\xff\xe0\0\x02" * 1_500_000))
    assert time.process_time() - started < 1
