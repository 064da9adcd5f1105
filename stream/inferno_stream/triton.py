"""One Triton host over gRPC: a stream for each generation, cut when nobody wants it any longer."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any

import grpc.aio
import msgspec
from tritonclient.grpc import service_pb2_grpc  # type: ignore[import-untyped]  # generated, without types

from inferno_core import records
from inferno_core.effects import EngineFrame
from inferno_core.errors import EngineFailed
from inferno_core.hosts import HostedModel, ModelState
from inferno_stream import tensors
from inferno_stream.contracts import Contract, OpenAIContract, StockContract
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
_END_S = 5.0
_BODY_INPUT = "openai_body"


class Triton:
    """A connection to the Triton at `address`. Unary calls get `timeout_s`."""

    def __init__(self, address: str, timeout_s: float) -> None:
        self.address = address
        self._timeout_s = timeout_s
        self._channel = grpc.aio.insecure_channel(address, options=_OPTIONS)
        self._stub: Any = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)
        self._stock: dict[tuple[str, str], bool] = {}

    async def close(self) -> None:
        """Close the connection and all that runs on it."""
        await self._channel.close(None)

    async def models(self) -> tuple[HostedModel, ...]:
        """Ask which models are ready. Raises `EngineFailed` if the host does not answer."""
        try:
            index = await self._stub.RepositoryIndex(
                tensors.messages.RepositoryIndexRequest(ready=True), timeout=self._timeout_s
            )
            return tuple([await self._hosted(model.name, model.version) for model in index.models])
        except grpc.aio.AioRpcError as error:
            raise self._failed(error) from error

    async def _hosted(self, name: str, version: str) -> HostedModel:
        tasks = ("completion",) if await self._is_stock(name, version) else ("chat", "completion")
        return HostedModel(name=name, version=version, state=ModelState.READY, since=0.0, tasks=tasks)

    async def _is_stock(self, model: str, version: str) -> bool:
        """Whether this model's backend takes no OpenAI bodies."""
        if (model, version) not in self._stock:
            asked = tensors.messages.ModelMetadataRequest(name=model, version=version)
            metadata = await self._stub.ModelMetadata(asked, timeout=self._timeout_s)
            inputs = {tensor.name for tensor in metadata.inputs}
            self._stock[model, version] = _BODY_INPUT not in inputs
        return self._stock[model, version]

    async def generate(
        self, request: records.Request, version: str, lost: "asyncio.Future[str]"
    ) -> AsyncGenerator[Sequence[EngineFrame], None]:
        """Run `request`; give the frames of each response. `lost`, once set, says why the run is as good as dead.

        Closing the generator cuts the stream, at which the backend stops the engine's work. After the last frame the
        stream is read to its end: cutting it then would leave the model in Triton's hands for ever.

        Raises:
            InfernoError: if the engine refuses the request, fails, or is lost.

        """
        call: Any = None
        try:
            stock = await self._is_stock(request.model, version)
            contract: Contract = (StockContract if stock else OpenAIContract)(request)
            asked = tensors.new_request(request.model, version, request.id)
            contract.ask(asked)
            call = self._stub.ModelStreamInfer(_once(asked))
            lost.add_done_callback(lambda _: call.cancel())
            async for frames in _read(call, contract):
                yield frames
        except grpc.aio.AioRpcError as error:
            raise self._failed(error) from error
        except msgspec.DecodeError as error:
            raise EngineFailed("The engine answered in a form that can't be read; see its host's log.") from error
        except asyncio.CancelledError:
            if lost.done() and not lost.cancelled():
                raise HostLost(lost.result()) from None
            raise
        finally:
            if call is not None and not call.done():
                call.cancel()

    def _failed(self, error: grpc.aio.AioRpcError) -> HostLost:
        code = error.code().name
        logger.warning("the Triton at %s failed at a call: %s", self.address, code)
        return HostLost(f"The engine's host failed at this request ({code}); try again.")


async def _once(request: tensors.Request) -> AsyncIterator[tensors.Request]:
    """One request, and the sending side of the stream is closed."""
    yield request


async def _read(call: Any, contract: Contract) -> AsyncIterator[Sequence[EngineFrame]]:
    async for message in call:
        if message.error_message:
            # Triton's own words are not shown: they name files and addresses of its host.
            # Only the stock backend refuses a request in this way; from ours it means that the engine is dead.
            refused = EngineFailed if isinstance(contract, StockContract) else HostLost
            raise refused("The engine refused this request; see the log of its host.")
        response = message.infer_response
        last = tensors.is_final(response)
        if frames := contract.read(tensors.outputs(response), last=last):
            yield frames
        if last:
            async with asyncio.timeout(_END_S):
                async for _ in call:
                    pass
            return
    raise EngineFailed("The engine's answer broke off; try again.")
