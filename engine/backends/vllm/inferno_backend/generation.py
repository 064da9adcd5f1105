"""A request of Triton while it is answered."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import triton_python_backend_utils as pb_utils

from inferno_backend.contract import Contract, Output
from inferno_backend.farewell import Farewell
from inferno_backend.outbox import Outbox
from inferno_backend.rendering import SLOW_S, Rendering
from inferno_backend.seam import MOST_TOKENS
from inferno_backend.tray import End, Tray
from inferno_core.errors import EngineFailed, InfernoError

_log = logging.getLogger(__name__)


class Generation:
    """Carries an engine's words into Triton. Sends FINAL once, with the last words.

    `tray` is what the engine sees; `cancel` has the engine stop at words that can't be told.
    """

    def __init__(
        self, id: str, contract: Contract, sender: Any, outbox: Outbox, cancel: Callable[[Sequence[str]], None]
    ) -> None:
        self.id = id
        self.tray = Tray(outbox.news, self)
        self._contract = contract
        self._sender = sender
        self._outbox = outbox
        self._cancel = cancel
        # Triton frees what a cancellation asks for at the FINAL flag, so the two may never overlap.
        self._lock = threading.Lock()
        self._closed = False
        self._farewell: Farewell | None = None

    def fail(self, error: InfernoError) -> None:
        """End with an error, whatever the engine does."""
        self.tray.fail(error)
        self._outbox.stepped()

    def abandon(self) -> None:
        """End without a word: nobody listens any more."""
        self.tray.close()
        self._outbox.stepped()

    def is_cancelled(self) -> bool:
        """Ask Triton whether the client has gone; costs 0.1 to 0.2 ms."""
        with self._lock:
            return not self._closed and bool(self._sender.is_cancelled())

    def is_closed(self) -> bool:
        """Say whether FINAL has been sent."""
        return self._closed

    def speak(self, hurry: bool = False) -> bool:
        """Send one response of what has come, with the FINAL flag if it is the last. Called by the outbox alone."""
        if self._closed:
            return False
        if self._farewell is None:
            rendering = self.tray.rendering
            if rendering is not None and rendering.is_slow and time.monotonic() < rendering.rested_at and not hurry:
                self.tray.fold()
                return True
            try:
                self._speak(rendering)
            except InfernoError as error:
                self._give_up(error)
            except Exception:
                _log.exception("Words of generation %s could not be sent.", self.id)
                self._give_up(EngineFailed("The engine's words could not be passed on; try again."))
        if self._farewell is not None:
            return self._take_leave(self._farewell)
        return bool(self.tray.gains) and not self._closed

    def _speak(self, rendering: Rendering | None) -> None:
        gains = self.tray.take(MOST_TOKENS if rendering is None else rendering.render.most)
        begun = time.perf_counter()
        words = rendering.push(gains) if gains and rendering is not None else ()
        if rendering is not None and time.perf_counter() - begun > SLOW_S:
            rendering.is_suspect = True
        self._send(words, None if self.tray.gains else self.tray.ending)

    def _give_up(self, error: InfernoError) -> None:
        self._cancel([self.id])
        output = self._contract.encode((), End(error=error))
        self._farewell = Farewell(self._sender, None if output is None else response(output))

    def _take_leave(self, farewell: Farewell) -> bool:
        with self._lock:
            again = farewell.speak()
            if not again:
                self._close()
        return again

    def _send(self, words: Sequence[Any], end: End | None) -> None:
        output = self._contract.encode(words, end)
        with self._lock:
            if output is not None:
                self._sender.send(response(output), flags=_final() if end is not None else 0)
            elif end is not None:
                self._sender.send(flags=_final())
            if end is not None:
                self._close()

    def _close(self) -> None:
        self._closed = True
        self._sender = None


def _final() -> int:
    # Most of Triton's module is not there yet while the configuration is completed, so it is looked up when needed.
    return int(pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)


def response(output: Output) -> Any:
    """Make Triton's response of an output."""
    if output.error is not None:
        kinds = {400: pb_utils.TritonError.INVALID_ARG, 503: pb_utils.TritonError.UNAVAILABLE}
        code = kinds.get(output.error.status, pb_utils.TritonError.INTERNAL)
        return pb_utils.InferenceResponse(error=pb_utils.TritonError(output.error.message, code))
    return pb_utils.InferenceResponse([pb_utils.Tensor(name, array) for name, array in output.tensors])
