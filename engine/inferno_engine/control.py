"""Triton's model control and health, as its agent sees it. No other process calls these."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any, Protocol

import numpy as np
from tritonclient.grpc import InferInput  # type: ignore[import-untyped] # tritonclient ships no types
from tritonclient.grpc.aio import InferenceServerClient  # type: ignore[import-untyped] # the same
from tritonclient.utils import InferenceServerException  # type: ignore[import-untyped] # the same

_CALL_S = 5.0
_CAUSE = re.compile(r"\b(\w*(?:Error|Exception|Failed)): ([^\n\\]+)")
_LONGEST_CAUSE = 300


class ControlFailed(Exception):
    """Triton refused, failed or did not answer; the message says what happened in a sentence."""


class Control(Protocol):
    """What an agent asks of its Triton."""

    async def live(self) -> bool:
        """Say whether Triton answers."""
        ...

    async def ready(self) -> set[tuple[str, str]]:
        """Give name and version of all that Triton takes for ready. Raises ControlFailed."""
        ...

    async def load(self, name: str, timeout_s: float) -> None:
        """Load the versions of `name` that stand in the repository. Raises ControlFailed."""
        ...

    async def unload(self, name: str, timeout_s: float) -> None:
        """Unload all versions of `name`. Raises ControlFailed."""
        ...

    async def prove(self, name: str, version: str, timeout_s: float) -> None:
        """Have one token generated. Raises ControlFailed."""
        ...

    async def successes(self, name: str, version: str) -> int:
        """Give how many requests this version has answered since it was loaded. Raises ControlFailed."""
        ...

    async def close(self) -> None:
        """Leave."""
        ...


class TritonControl:
    """Controls the Triton at `address`, `host:port` of its gRPC."""

    def __init__(self, address: str) -> None:
        self._client: Any = InferenceServerClient(address)

    async def live(self) -> bool:
        """Say whether Triton answers."""
        try:
            return bool(await self._client.is_server_live(client_timeout=_CALL_S))
        except InferenceServerException:
            return False

    async def ready(self) -> set[tuple[str, str]]:
        """Give name and version of all that Triton takes for ready."""
        index = await self._call(self._client.get_model_repository_index(client_timeout=_CALL_S))
        return {(model.name, model.version) for model in index.models if model.state == "READY"}

    async def load(self, name: str, timeout_s: float) -> None:
        """Load the versions of `name` that stand in the repository."""
        await self._call(self._client.load_model(name, client_timeout=timeout_s))

    async def unload(self, name: str, timeout_s: float) -> None:
        """Unload all versions of `name`."""
        await self._call(self._client.unload_model(name, client_timeout=timeout_s))

    async def prove(self, name: str, version: str, timeout_s: float) -> None:
        """Have one token generated, over the stock contract, which every version speaks."""
        stream = self._client.stream_infer(_one(name, version), stream_timeout=timeout_s)
        words = 0
        try:
            async for result, error in stream:
                if error is not None:
                    raise ControlFailed(_sentence(error))
                words += result.as_numpy("text_output") is not None
        except InferenceServerException as error:
            raise ControlFailed(_sentence(error)) from error
        except asyncio.CancelledError:
            stream.cancel()
            raise
        if not words:
            raise ControlFailed("The canary generation gave no words.")

    async def successes(self, name: str, version: str) -> int:
        """Give how many requests this version has answered since it was loaded."""
        statistics = await self._call(self._client.get_inference_statistics(name, version, client_timeout=_CALL_S))
        return sum(int(model.inference_stats.success.count) for model in statistics.model_stats)

    async def close(self) -> None:
        """Close the connection."""
        await self._client.close()

    async def _call(self, awaitable: Any) -> Any:
        try:
            return await awaitable
        except InferenceServerException as error:
            raise ControlFailed(_sentence(error)) from error


async def _one(name: str, version: str) -> AsyncIterator[dict[str, Any]]:
    yield {
        "model_name": name,
        "model_version": version,
        "inputs": [
            _text("text_input", "The canary sings:"),
            _text("sampling_parameters", '{"max_tokens": 1, "temperature": 0}'),
        ],
    }


def _text(name: str, value: str) -> Any:
    tensor: Any = InferInput(name, [1], "BYTES")
    tensor.set_data_from_numpy(np.array([value.encode()], dtype=np.object_))
    return tensor


def _sentence(error: InferenceServerException) -> str:
    """Keep the cause of a failure and leave out the traceback around it, which Triton's log has in full."""
    message = str(error.message())
    causes = _CAUSE.findall(message)
    if causes:
        kind, words = causes[-1]
        return f"{kind}: {words.strip()}"[:_LONGEST_CAUSE]
    lines = message.strip().splitlines()
    return (lines[0] if lines else "Triton gave no reason.")[:_LONGEST_CAUSE]
