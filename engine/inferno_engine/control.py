"""Triton's model control and health, as its agent sees it. No other process calls these."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any, Protocol

import numpy as np
from grpc import StatusCode
from grpc.aio import AioRpcError
from tritonclient.grpc import InferInput  # type: ignore[import-untyped] # tritonclient ships no types
from tritonclient.grpc.aio import InferenceServerClient  # type: ignore[import-untyped] # the same
from tritonclient.utils import InferenceServerException  # type: ignore[import-untyped] # the same

_CALL_S = 5.0
_CAUSE = re.compile(r"\b(\w*(?:Error|Exception|Failed)): ([^\n\\]+)")
_LONGEST_CAUSE = 300
_CHANNEL = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # A connection that broke is tried again at once, and not only after two minutes: Triton is on this machine, and
    # would be taken for dead meanwhile.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
]
_STUB_ENDED = re.compile(r"Stub process '[^']*' is not healthy")
_SONG = {"text_input": "The canary sings:", "sampling_parameters": '{"max_tokens": 1, "temperature": 0}'}
_EMBEDDING = {"openai_surface": "embedding", "openai_body": '{"input": "The canary sings:"}'}


class ControlFailed(Exception):
    """Triton refused, failed or did not answer; the message says what happened in a sentence."""


class NoAnswer(ControlFailed):
    """The deadline passed, or the connection broke; that may be load as well as death."""


class Control(Protocol):
    """What an agent asks of its Triton."""

    async def live(self) -> bool:
        """Say whether Triton answers."""
        ...

    async def ready(self) -> set[tuple[str, str]]:
        """Give name and version of all that Triton takes for ready. Raises ControlFailed."""
        ...

    async def leaving(self) -> set[tuple[str, str]]:
        """Give name and version of all that is unloaded and still has words to say. Raises ControlFailed."""
        ...

    async def load(self, name: str, timeout_s: float) -> None:
        """Load the versions of `name` that stand in the repository, and unload those that don't. Raises ControlFailed;
        NoAnswer when nothing is heard of it, or not in time, which Triton does not notice: it goes on. Called while
        it does so, this waits for it.
        """
        ...

    async def unload(self, name: str, timeout_s: float) -> None:
        """Begin to unload all versions of `name`. Raises ControlFailed."""
        ...

    async def prove(self, name: str, version: str, task: str, timeout_s: float) -> None:
        """Have it do `task` once, as small as can be. Raises ControlFailed; NoAnswer where it only takes too long."""
        ...

    async def ping(self, name: str, version: str, timeout_s: float) -> None:
        """Have a request refused, which waits for no slot: so the backend lives. Raises ControlFailed."""
        ...

    async def close(self) -> None:
        """Leave."""
        ...


class TritonControl:
    """Controls the Triton at `address`, `host:port` of its gRPC."""

    def __init__(self, address: str) -> None:
        self._client: Any = InferenceServerClient(address, channel_args=_CHANNEL)

    async def live(self) -> bool:
        """Say whether Triton answers."""
        try:
            return bool(await self._client.is_server_live(client_timeout=_CALL_S))
        except InferenceServerException:
            return False

    async def ready(self) -> set[tuple[str, str]]:
        """Give name and version of all that Triton takes for ready."""
        return await self._in_state("READY")

    async def leaving(self) -> set[tuple[str, str]]:
        """Give name and version of all that is unloaded and still has words to say."""
        return await self._in_state("UNLOADING")

    async def load(self, name: str, timeout_s: float) -> None:
        """Load the versions of `name` that stand in the repository."""
        await self._call(self._client.load_model(name, client_timeout=timeout_s))

    async def unload(self, name: str, timeout_s: float) -> None:
        """Unload all versions of `name`."""
        await self._call(self._client.unload_model(name, client_timeout=timeout_s))

    async def prove(self, name: str, version: str, task: str, timeout_s: float) -> None:
        """Have one token generated over the stock contract, which every version that generates speaks; of others one
        embedding.
        """
        if task == "embedding":
            await self._have(name, version, _EMBEDDING, "usage", timeout_s)
        else:
            await self._have(name, version, _SONG, "text_output", timeout_s)

    async def ping(self, name: str, version: str, timeout_s: float) -> None:
        """Have a request refused, which waits for no slot."""
        await self._have(name, version, {"openai_body": "no JSON"}, "error", timeout_s)

    async def _have(self, name: str, version: str, inputs: dict[str, str], output: str, timeout_s: float) -> None:
        """Make a request on a stream of its own, read that to its end, and see that `output` came."""
        stream = self._client.stream_infer(_one(name, version, inputs), stream_timeout=timeout_s)
        came, failure = False, ControlFailed("The canary's request was answered with nothing.")
        try:
            async for result, error in stream:
                if error is not None:
                    failure = _failure(error)
                elif result.as_numpy(output) is not None:
                    came = True
                elif result.as_numpy("error") is not None:
                    failure = ControlFailed(_refusal(result))
        except AioRpcError as error:
            # The client wraps the errors of its unary calls only.
            silent = error.code() in (StatusCode.DEADLINE_EXCEEDED, StatusCode.UNAVAILABLE)
            raise _late() if silent else ControlFailed(f"Triton's stream broke: {error.code().name}.") from error
        except asyncio.CancelledError:
            stream.cancel()
            raise
        if not came:
            raise failure

    async def close(self) -> None:
        """Close the connection."""
        await self._client.close()

    async def _in_state(self, state: str) -> set[tuple[str, str]]:
        index = await self._call(self._client.get_model_repository_index(client_timeout=_CALL_S))
        return {(model.name, model.version) for model in index.models if model.state == state}

    async def _call(self, awaitable: Any) -> Any:
        try:
            return await awaitable
        except InferenceServerException as error:
            raise _failure(error) from error


async def _one(name: str, version: str, inputs: dict[str, str]) -> AsyncIterator[dict[str, Any]]:
    yield {
        "model_name": name,
        "model_version": version,
        "inputs": [_text(tensor, value) for tensor, value in inputs.items()],
    }


def _text(name: str, value: str) -> Any:
    tensor: Any = InferInput(name, [1], "BYTES")
    tensor.set_data_from_numpy(np.array([value.encode()], dtype=np.object_))
    return tensor


def _refusal(result: Any) -> str:
    error = json.loads(result.as_numpy("error").reshape(-1)[0])
    return str(error.get("message", error))[:_LONGEST_CAUSE]


def _late() -> NoAnswer:
    return NoAnswer("Triton did not answer in time.")


def _failure(error: Any) -> ControlFailed:
    status = str(error.status())
    # Triton breaks a connection whose peer does not answer its pings, as one does that lacks a CPU for a second.
    silent = "DEADLINE_EXCEEDED" in status or "StatusCode.UNAVAILABLE" in status
    return _late() if silent and not _STUB_ENDED.search(str(error.message())) else ControlFailed(_sentence(error))


def _sentence(error: Any) -> str:
    """Keep the cause of a failure and leave out the traceback around it, which Triton's log has in full."""
    message = str(error.message())
    if _STUB_ENDED.search(message):
        return "The process of its engine has ended, perhaps for lack of memory; Triton's log may say more."
    causes = _CAUSE.findall(message)
    if causes:
        kind, words = causes[-1]
        return f"{kind}: {words.strip()}"[:_LONGEST_CAUSE]
    lines = message.strip().splitlines()
    return (lines[0] if lines else "Triton gave no reason.")[:_LONGEST_CAUSE]
