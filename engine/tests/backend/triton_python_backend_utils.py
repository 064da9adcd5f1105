"""A stand-in for the module of this name that Triton's stub puts together: what the backend uses of it, in memory."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

TRITONSERVER_RESPONSE_COMPLETE_FINAL = 1


class Tensor:
    """A named array."""

    def __init__(self, name: str, array: Any) -> None:
        self._name = name
        self._array = array

    def name(self) -> str:
        return self._name

    def as_numpy(self) -> Any:
        return self._array


class TritonError:
    """An error that Triton itself reports."""

    INVALID_ARG = "invalid"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"

    def __init__(self, message: str, code: str) -> None:
        self.message = message
        self.code = code


class InferenceResponse:
    """What is sent."""

    def __init__(self, output_tensors: Sequence[Tensor] = (), error: TritonError | None = None) -> None:
        self.values = {tensor.name(): tensor.as_numpy().tolist() for tensor in output_tensors}
        self.error = error


class Sender:
    """Keeps what is sent, and whether it was the last. It refuses the first `refusals` sends."""

    def __init__(self, refusals: int = 0) -> None:
        self.sent: list[tuple[InferenceResponse | None, bool]] = []
        self.cancelled = False
        self._refusals = refusals

    def send(self, response: InferenceResponse | None = None, flags: int = 0) -> None:
        if self._refusals:
            self._refusals -= 1
            raise RuntimeError("No room in shared memory.")
        self.sent.append((response, bool(flags & TRITONSERVER_RESPONSE_COMPLETE_FINAL)))

    def is_cancelled(self) -> bool:
        return self.cancelled


class Request:
    """A request whose tensors hold one text each, or numbers."""

    def __init__(self, sender: Sender, inputs: Mapping[str, str | bytes | Sequence[int]]) -> None:
        self._sender = sender
        self.inputs = {name: Tensor(name, _array(value)) for name, value in inputs.items()}

    def get_response_sender(self) -> Sender:
        return self._sender

    def request_id(self) -> str:
        return ""

    def parameters(self) -> str:
        return ""


def _array(value: str | bytes | Sequence[int]) -> Any:
    if isinstance(value, str | bytes):
        return np.array([value.encode() if isinstance(value, str) else value], dtype=object)
    return np.array(value, dtype=np.int32)


def get_input_tensor_by_name(request: Request, name: str) -> Tensor | None:
    return request.inputs.get(name)


class TritonModelException(Exception):
    """What Triton refuses."""


page: dict[str, float] = {}
"""All metrics, as name and labels."""
messages = 0
"""How often a metric was told something."""


class MetricFamily:
    """The metrics of one name."""

    COUNTER, GAUGE = 0, 1

    def __init__(self, name: str, description: str, kind: int) -> None:
        self._name = name
        self._kind = kind

    def Metric(self, labels: Mapping[str, str]) -> "Metric":  # noqa: N802 - Triton's own name
        return Metric(self._name + "".join(f",{key}={value}" for key, value in labels.items()), self._kind)


class Metric:
    """A metric; one of the same name and labels is the same."""

    def __init__(self, shown: str, kind: int) -> None:
        self._shown = shown
        self._kind = kind
        page.setdefault(shown, 0.0)

    def increment(self, value: float) -> None:
        global messages
        assert value >= 0
        messages += 1
        page[self._shown] += value

    def set(self, value: float) -> None:
        global messages
        assert self._kind == MetricFamily.GAUGE
        messages += 1
        page[self._shown] = value
