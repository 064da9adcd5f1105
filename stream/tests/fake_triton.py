"""A Triton with the stock backend that answers from a script over real gRPC."""

import asyncio
import struct
from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc.aio
from tritonclient.grpc import service_pb2_grpc  # type: ignore[import-untyped]  # generated, without types

from inferno_stream.tensors import messages


class FakeTriton(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]  # as above
    """Serves model `model`, version 1. `answers` are the responses to each request, the last one final if `final`.

    An `asyncio.Event` among them is waited for. `asked` holds the requests, `traces` each stream's traceparent,
    `cancelled` is set when a stream is cut.
    """

    def __init__(self, answers: Sequence[dict[str, Any] | asyncio.Event], *, final: bool = True) -> None:
        self._answers = answers
        self._final = final
        self.asked: list[Any] = []
        self.traces: list[str] = []
        self.cancelled = asyncio.Event()
        self._server = grpc.aio.server()
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(self, self._server)

    async def __aenter__(self) -> "FakeTriton":
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        await self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop(None)

    async def RepositoryIndex(self, request: Any, context: Any) -> Any:  # noqa: N802 -- Triton's name
        index = messages.RepositoryIndexResponse()
        index.models.add(name="model", version="1", state="READY")
        return index

    async def ModelMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802 -- Triton's name
        metadata = messages.ModelMetadataResponse(name="model")
        metadata.inputs.add(name="text_input", datatype="BYTES", shape=[1])
        return metadata

    async def ModelStreamInfer(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:  # noqa: N802
        self.traces.append(dict(context.invocation_metadata()).get("traceparent", ""))
        try:
            async for request in requests:
                self.asked.append(request)
                for answer in self._answers:
                    if isinstance(answer, asyncio.Event):
                        await answer.wait()
                    else:
                        yield _response(answer, final=self._final and answer is self._answers[-1])
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


def _response(tensors: dict[str, Any], *, final: bool) -> Any:
    message = messages.ModelStreamInferResponse()
    if "refused" in tensors:
        message.error_message = tensors["refused"]
        return message
    response = message.infer_response
    response.parameters["triton_final_response"].bool_param = final
    for name, values in tensors.items():
        strings = isinstance(values[0], str)
        response.outputs.add(name=name, datatype="BYTES" if strings else "INT32", shape=[len(values)])
        pack = _string if strings else _integer
        response.raw_output_contents.append(b"".join(pack(value) for value in values))
    return message


def _string(value: str) -> bytes:
    return struct.pack("<I", len(value.encode())) + value.encode()


def _integer(value: int) -> bytes:
    return struct.pack("<i", value)


def said(text: str, reason: str = "None") -> dict[str, Any]:
    """Make the tensors of a response: some text, of two tokens."""
    return {"text_output": [text], "num_output_tokens": [2], "num_input_tokens": [3], "finish_reason": [reason]}
