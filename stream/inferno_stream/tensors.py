"""Triton's tensors as Python values: what of its wire format the worker needs, without numpy in the path of a token."""

import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tritonclient.grpc import service_pb2  # type: ignore[import-untyped]  # generated, without types

from inferno_core.errors import EngineFailed

messages: Any = service_pb2

Request = Any
"""A `ModelInferRequest`. The classes of protocol buffers are made at import, out of the checkers' sight."""

Response = Any
"""A `ModelInferResponse`."""


def new_request(model: str, version: str, id: str) -> Request:
    """Make a request without inputs."""
    return messages.ModelInferRequest(model_name=model, model_version=version, id=id)


def add_string(request: Request, name: str, value: str | bytes) -> None:
    """Add an input of one string."""
    data = value.encode() if isinstance(value, str) else value
    _add(request, name, "BYTES", struct.pack("<I", len(data)) + data)


def add_bool(request: Request, name: str, value: bool) -> None:
    """Add an input of one truth value."""
    _add(request, name, "BOOL", struct.pack("?", value))


def _add(request: Request, name: str, datatype: str, data: bytes) -> None:
    request.inputs.add(name=name, datatype=datatype, shape=[1])
    request.raw_input_contents.append(data)


def outputs(response: Response) -> Mapping[str, bytes]:
    """Give a response's tensors as they came, by name."""
    return {output.name: data for output, data in zip(response.outputs, response.raw_output_contents, strict=True)}


def is_final(response: Response) -> bool:
    """Whether Triton says that this response is its request's last."""
    return bool(response.parameters["triton_final_response"].bool_param)


def strings(data: bytes) -> list[bytes]:
    """Read a tensor of strings; raises `EngineFailed` where it is cut."""
    return list(_strings(data))


def _strings(data: bytes) -> Iterator[bytes]:
    place = 0
    while place < len(data):
        if place + 4 > len(data):
            raise _malformed()
        (size,) = struct.unpack_from("<I", data, place)
        place += 4 + size
        if place > len(data):
            raise _malformed()
        yield data[place - size : place]


def integers(data: bytes) -> Sequence[int]:
    """Read a tensor of 32-bit integers; raises `EngineFailed` where it is cut."""
    if len(data) % 4:
        raise _malformed()
    return memoryview(data).cast("i")


def _malformed() -> EngineFailed:
    return EngineFailed("The engine answered with a tensor that can't be read; see the log of its host.")
