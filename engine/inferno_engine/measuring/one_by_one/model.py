"""What sessions are measured against: a decoupled model of Triton that sends one response a token, as a plain one does.

Every request gets `tokens` responses. One thread sends them, a token of each request in turn, as fast as they go.
"""

import importlib
import queue
import threading
from typing import Any

import numpy as np

# The stub of Triton's Python backend puts this module together; it is no file.
pb_utils: Any = importlib.import_module("triton_python_backend_utils")

_WORD = b'{"index":0,"text":" word","logprobs":null,"finish_reason":null}'


class TritonPythonModel:
    """The model."""

    @staticmethod
    def auto_complete_config(auto_complete_model_config: Any) -> Any:
        """Complete the configuration."""
        config = auto_complete_model_config
        config.add_input({"name": "tokens", "data_type": "TYPE_INT32", "dims": [1]})
        config.add_output({"name": "choice", "data_type": "TYPE_STRING", "dims": [1]})
        config.set_max_batch_size(0)
        config.set_model_transaction_policy({"decoupled": True})
        return config

    def initialize(self, args: dict[str, str]) -> None:
        """Begin to send."""
        self._new: queue.SimpleQueue[tuple[Any, int]] = queue.SimpleQueue()
        threading.Thread(target=self._run, daemon=True).start()

    def execute(self, requests: list[Any]) -> None:
        """Take requests."""
        for request in requests:
            tokens = pb_utils.get_input_tensor_by_name(request, "tokens").as_numpy()[0]
            self._new.put((request.get_response_sender(), int(tokens)))

    def _run(self) -> None:
        running: list[tuple[Any, int]] = []
        while True:
            while not running or not self._new.empty():
                running.append(self._new.get())
            running = [(sender, left - 1) for sender, left in running if _send(sender, left)]


def _send(sender: Any, left: int) -> bool:
    """Send one token, with FINAL if it is the last; say whether there are more."""
    tensor = pb_utils.Tensor("choice", np.array([_WORD], dtype=np.object_))
    final = pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL if left == 1 else 0
    sender.send(pb_utils.InferenceResponse([tensor]), flags=final)
    return left > 1
