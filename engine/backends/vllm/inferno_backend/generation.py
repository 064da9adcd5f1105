"""A request of Triton while it is answered."""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

import triton_python_backend_utils as pb_utils

from inferno_backend.contract import Contract, End, Output
from inferno_backend.outbox import Outbox
from inferno_backend.seam import Choice, Delta, Usage
from inferno_core.errors import EngineFailed, InfernoError

_log = logging.getLogger(__name__)


class Generation:
    """Carries an engine's words to the outbox, and from there into Triton. Sends FINAL once, with the last words.

    `cancel` has the engine stop at words that can't be sent.
    """

    def __init__(self, id: str, contract: Contract, sender: Any, outbox: Outbox, cancel: Callable[[str], None]) -> None:
        self.id = id
        self._contract = contract
        self._sender = sender
        self._outbox = outbox
        self._cancel = cancel
        # Triton frees what a cancellation asks for at the FINAL flag, so the two may never overlap.
        self._lock = threading.Lock()
        self._closed = False

    def put(self, words: Sequence[Choice] | Sequence[Delta]) -> None:
        """Take the words of one engine step."""
        self._outbox.add(self, words, None)

    def end(self, words: Sequence[Choice] | Sequence[Delta], usage: Usage) -> None:
        """Take the last words."""
        self._outbox.add(self, words, End(usage=usage))

    def fail(self, error: InfernoError) -> None:
        """Take the news that there will be no more words."""
        self._outbox.add(self, (), End(error=error))

    def abandon(self) -> None:
        """End without a word: nobody listens any more."""
        self._outbox.add(self, (), End())

    def is_cancelled(self) -> bool:
        """Ask Triton whether the client has gone; costs 0.1 to 0.2 ms."""
        with self._lock:
            return not self._closed and bool(self._sender.is_cancelled())

    def is_closed(self) -> bool:
        """Say whether FINAL has been sent."""
        return self._closed

    def send(self, words: Sequence[Choice] | Sequence[Delta], end: End | None) -> None:
        """Send one response, with the FINAL flag if it is the last. Called by the outbox alone."""
        if self._closed:
            return
        try:
            self._send(words, end)
        except Exception:
            _log.exception("Words of generation %s could not be sent.", self.id)
            self._cancel(self.id)
            self._send((), End(error=EngineFailed("The engine's words could not be passed on; try again.")))

    def _send(self, words: Sequence[Choice] | Sequence[Delta], end: End | None) -> None:
        output = self._contract.encode(words, end)
        with self._lock:
            if output is not None:
                self._sender.send(_response(output), flags=_final() if end is not None else 0)
            elif end is not None:
                self._sender.send(flags=_final())
            self._closed = end is not None


def _final() -> int:
    # Most of Triton's module is not there yet while the configuration is completed, so it is looked up when needed.
    return int(pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)


def _response(output: Output) -> Any:
    if output.error is not None:
        kinds = {400: pb_utils.TritonError.INVALID_ARG, 503: pb_utils.TritonError.UNAVAILABLE}
        code = kinds.get(output.error.status, pb_utils.TritonError.INTERNAL)
        return pb_utils.InferenceResponse(error=pb_utils.TritonError(output.error.message, code))
    return pb_utils.InferenceResponse([pb_utils.Tensor(name, array) for name, array in output.tensors])
