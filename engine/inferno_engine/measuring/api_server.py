"""vLLM's own HTTP server, and an HTTP client that costs next to nothing: what sessions are compared with."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

from inferno_core.errors import DeadlineExceeded, EngineFailed
from inferno_engine import triton
from inferno_engine.environment import Environment
from inferno_engine.measuring.load import Load, Measured
from inferno_engine.measuring.processes import Process, free_ports, started

_MODULE = "vllm.entrypoints.openai.api_server"
_ASK_S = 0.5
_END = b"data: [DONE]"


class ApiServer:
    """A server that runs, on a port of loopback."""

    def __init__(self, process: Process, port: int) -> None:
        self.process = process
        self._port = port

    async def run(self, load: Load) -> Measured:
        """Have `load` generated, streamed, each generation on a connection of its own."""
        options = {"model": "measured", "stream": True, "stream_options": {"include_usage": True}}
        requests = [self._request({**body, **options}) for body in load.bodies()]
        began = perf_counter()
        tokens = await asyncio.gather(*(self._stream(request) for request in requests))
        return Measured(load, sum(tokens), perf_counter() - began).checked()

    def _request(self, body: Mapping[str, Any]) -> bytes:
        data = json.dumps(body).encode()
        head = (
            "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(data)}\r\nConnection: close\r\n\r\n"
        )
        return head.encode() + data

    async def _stream(self, request: bytes) -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writer.write(request)
            return completion_tokens(await reader.read(-1))
        finally:
            writer.close()

    async def until_ready(self, timeout_s: float) -> None:
        """Wait until it answers. Raises Unavailable when it ended instead, and DeadlineExceeded."""
        try:
            async with asyncio.timeout(timeout_s):
                while not await self._answers():
                    if self.process.ended:
                        raise self.process.failure()
                    await asyncio.sleep(_ASK_S)
        except TimeoutError:
            raise DeadlineExceeded(f"{self.process.name} was not ready within {timeout_s:.0f} s.") from None

    async def _answers(self) -> bool:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            return False
        writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        status = await reader.readline()
        writer.close()
        return b" 200 " in status


@asynccontextmanager
async def serve(
    name: str,
    environment: Environment,
    folder: Path,
    weights: Path,
    arguments: Mapping[str, Any],
    variables: Mapping[str, str],
    timeout_s: float,
) -> AsyncGenerator[ApiServer]:
    """Start a server with the engine's `arguments`, and `variables` in its environment, and end it on leaving."""
    (port,) = free_ports(1)
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    argv = [str(environment.python), "-m", _MODULE, "--model", str(weights), "--served-model-name", "measured"]
    argv += ["--host", "127.0.0.1", "--port", str(port), "--disable-uvicorn-access-log", *flags(arguments)]
    env = {**triton.environ(environment, folder), **variables}
    async with started(name, argv, env, folder) as process:
        server = ApiServer(process, port)
        await server.until_ready(timeout_s)
        yield server


def flags(arguments: Mapping[str, Any]) -> Sequence[str]:
    """Write an engine's keyword arguments as the flags of vLLM's command line."""
    written: list[str] = []
    for name, value in arguments.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            written.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            written += [f"--{flag}", value if isinstance(value, str) else json.dumps(value)]
    return written


def completion_tokens(stream: bytes) -> int:
    """Read from a whole stream how many tokens it had. Raises EngineFailed for one that is no whole stream."""
    events = [line for line in stream.splitlines() if line.startswith(b"data: {")]
    if _END not in stream or not events:
        raise EngineFailed(f"vLLM's server answered without an end: {stream[-200:]!r}")
    return int(json.loads(events[-1][len(b"data: ") :])["usage"]["completion_tokens"])
