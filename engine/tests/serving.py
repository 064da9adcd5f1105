"""A Triton of one's own with the synthetic model, and a client that speaks both contracts."""

import contextlib
import json
import os
import queue
import select
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tritonclient.grpc import InferenceServerClient, InferInput

from inferno_engine import shared_memory, triton
from inferno_engine.environment import Environment

ROOT = Path(__file__).parents[2]


@dataclass
class Server:
    process: subprocess.Popen[bytes]
    ports: triton.Ports
    run_folder: Path

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.ports.grpc}"

    def load(self, name: str) -> None:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.ports.http}/v2/repository/models/{name}/load", b"", method="POST"
        )
        urllib.request.urlopen(request, timeout=300).read()

    def unload(self, name: str, timeout_s: float = 30) -> None:
        """Returns when the model is gone, with its process."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.ports.http}/v2/repository/models/{name}/unload", b"", method="POST"
        )
        stubs = self.stubs()
        urllib.request.urlopen(request, timeout=timeout_s).read()
        assert ended(stubs, timeout_s)

    def is_ready(self, name: str) -> bool:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self.ports.http}/v2/models/{name}/ready", timeout=5)
        except urllib.error.HTTPError:
            return False
        return True

    def rss_bytes(self) -> int:
        """Memory of tritonserver and its stubs."""
        pages = [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in (self.process.pid, *self.stubs())]
        return 4096 * sum(pages)

    def stubs(self) -> list[int]:
        return children(self.process.pid)


def children(pid: int) -> list[int]:
    text = "".join(path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children"))
    return [int(child) for child in text.split()]


def ended(pids: list[int], timeout_s: float) -> bool:
    """Wait until none of these runs any more (one that nobody has collected yet counts as ended)."""
    deadline = time.monotonic() + timeout_s
    while any(_runs(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        with contextlib.suppress(ProcessLookupError):
            for pid in pids:
                descriptor = os.pidfd_open(pid)
                try:
                    select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
                finally:
                    os.close(descriptor)
    return True


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@contextlib.contextmanager
def serve(environment: Environment, run_folder: Path) -> Iterator[Server]:
    triton.prepare(environment, run_folder)
    ports = triton.Ports(*_free_ports(3))
    command = triton.command(environment, run_folder, ports, "triton-0")
    log = (run_folder / "log").open("wb")
    process = subprocess.Popen(command.argv, env=command.env, cwd=command.cwd, stdout=log, stderr=log)
    server = Server(process, ports, run_folder)
    try:
        _until_live(server)
        yield server
    finally:
        stubs = server.stubs() if process.poll() is None else []
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert ended(stubs, 10)
        shared_memory.clean(run_folder)


def _until_live(server: Server) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{server.ports.http}/v2/health/live", timeout=1)
            return
        except OSError:
            assert server.process.poll() is None, (server.run_folder / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@dataclass
class Answer:
    responses: list[dict[str, Any]] = field(default_factory=list)
    error: str = ""
    finals: int = 0

    def all(self, name: str) -> list[Any]:
        return [value for response in self.responses for value in response.get(name, [])]

    def choices(self) -> list[dict[str, Any]]:
        return [json.loads(choice) for choice in self.all("choice")]

    def text(self, index: int = 0) -> str:
        mine = [choice for choice in self.choices() if choice["index"] == index]
        return "".join(c["text"] if "text" in c else c["delta"].get("content", "") for c in mine)

    def failure(self) -> dict[str, Any]:
        (error,) = self.all("error")
        return json.loads(error)


class Stream:
    """One generation on a stream of its own; leaving it hangs up."""

    def __init__(
        self, address: str, model: str, inputs: dict[str, Any], request_id: str = "", version: str = ""
    ) -> None:
        self._client = InferenceServerClient(address)
        self._queue: queue.Queue[Any] = queue.Queue()
        self._client.start_stream(lambda result, error: self._queue.put((result, error)))
        self._client.async_stream_infer(
            model, tensors(inputs), version, request_id=request_id, enable_empty_final_response=True
        )

    def next(self, timeout_s: float = 20) -> tuple[dict[str, Any], bool]:
        result, error = self._queue.get(timeout=timeout_s)
        if error is not None:
            raise RuntimeError(error.message())
        response = result.get_response()
        values = {output.name: result.as_numpy(output.name).reshape(-1).tolist() for output in response.outputs}
        return values, response.parameters["triton_final_response"].bool_param

    def hang_up(self) -> None:
        self._client.stop_stream(cancel_requests=True)
        self._client.close()

    def close(self) -> None:
        self._client.stop_stream()
        self._client.close()


def ask(address: str, model: str, **inputs: Any) -> Answer:
    """Have one generation, whole."""
    stream, answer = Stream(address, model, inputs), Answer()
    try:
        while not answer.finals:
            values, final = stream.next()
            answer.responses.append(values)
            answer.finals += final
    except RuntimeError as error:
        answer.error = str(error)
    finally:
        stream.close()
    return answer


def chat(address: str, model: str, **body: Any) -> Answer:
    body.setdefault("messages", [{"role": "user", "content": "Tell me."}])
    return ask(address, model, openai_surface="chat", openai_body=json.dumps(body))


def tensors(inputs: dict[str, Any]) -> list[Any]:
    made = []
    for name, value in inputs.items():
        if isinstance(value, bool):
            array, kind = np.array([value]), "BOOL"
        elif isinstance(value, int):
            array, kind = np.array([value], dtype=np.int32), "INT32"
        elif isinstance(value, list):
            array, kind = np.array(value, dtype=np.int32), "INT32"
        else:
            array, kind = np.array([str(value).encode()], dtype=np.object_), "BYTES"
        tensor = InferInput(name, array.shape, kind)
        tensor.set_data_from_numpy(array)
        made.append(tensor)
    return made
