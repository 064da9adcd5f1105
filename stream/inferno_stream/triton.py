"""A connection to one Triton over gRPC: which models it has, and streams of requests to them."""

import logging
from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
from tritonclient.grpc import service_pb2_grpc  # type: ignore[import-untyped]  # generated, without types

from inferno_core.hosts import HostedModel, ModelState
from inferno_core.session import ATTACH_INPUT
from inferno_stream import tensors
from inferno_stream.engine import HostLost

logger = logging.getLogger(__name__)

_OPTIONS = (
    # A lost host is noticed in about a second: Triton answers pings, a dead machine does not.
    ("grpc.keepalive_time_ms", 1000),
    ("grpc.keepalive_timeout_ms", 1000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.max_receive_message_length", 64 << 20),
    ("grpc.max_send_message_length", 64 << 20),
)


class Triton:
    """A connection to the Triton at `address`. Unary calls get `timeout_s`."""

    def __init__(self, address: str, timeout_s: float) -> None:
        self.address = address
        self._timeout_s = timeout_s
        self._channel = grpc.aio.insecure_channel(address, options=_OPTIONS)
        self._stub: Any = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)

    async def close(self) -> None:
        """Close the connection and all that runs on it."""
        await self._channel.close(None)

    async def models(self) -> tuple[HostedModel, ...]:
        """Ask which models are ready. Raises `HostLost` if the host does not answer."""
        try:
            index = await self._stub.RepositoryIndex(
                tensors.messages.RepositoryIndexRequest(ready=True), timeout=self._timeout_s
            )
        except grpc.aio.AioRpcError as error:
            raise self.failed(error) from error
        return tuple([await self._hosted(model.name, model.version) for model in index.models])

    async def _hosted(self, name: str, version: str) -> HostedModel:
        tasks = ("chat", "completion") if await self.has_sessions(name, version) else ("completion",)
        return HostedModel(name=name, version=version, state=ModelState.READY, since=0.0, tasks=tasks)

    async def has_sessions(self, model: str, version: str) -> bool:
        """Whether this model has our backend; else it is the stock one. Raises `HostLost`."""
        asked = tensors.messages.ModelMetadataRequest(name=model, version=version)
        try:
            metadata = await self._stub.ModelMetadata(asked, timeout=self._timeout_s)
        except grpc.aio.AioRpcError as error:
            raise self.failed(error) from error
        return any(tensor.name == ATTACH_INPUT for tensor in metadata.inputs)

    def stream(self, requests: AsyncIterator[tensors.Request], trace: str = "") -> Any:
        """Send requests as they come; give the call, which gives responses. `trace` is a W3C traceparent, or empty."""
        return self._stub.ModelStreamInfer(requests, metadata=(("traceparent", trace),) if trace else None)

    def failed(self, error: grpc.aio.AioRpcError) -> HostLost:
        """Say that the host failed at a call."""
        code = error.code().name
        logger.warning("the Triton at %s failed at a call: %s", self.address, code)
        return HostLost(f"The engine's host failed at this request ({code}); try again.")
