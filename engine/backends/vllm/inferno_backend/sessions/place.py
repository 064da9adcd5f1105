"""An attach as Triton has it: a request that is answered until one side has enough."""

import logging
from collections.abc import Sequence
from typing import Any

import triton_python_backend_utils as pb_utils

from inferno_backend.contract import strings
from inferno_backend.farewell import Farewell
from inferno_core.session import MESSAGE_OUTPUT

_log = logging.getLogger(__name__)


class Place:
    """Used by the desk's thread alone, so that no question to Triton ever overlaps with the last answer."""

    def __init__(self, sender: Any) -> None:
        self._sender = sender
        self._farewell: Farewell | None = None

    def send(self, messages: Sequence[bytes], *, final: bool) -> bool:
        """Send messages in one response, and FINAL with the last one; blocks. Says whether it could be sent."""
        if self._farewell is not None:
            return True
        response = _response(messages) if messages else None
        if final:
            self._farewell, self._sender = Farewell(self._sender, response), None
            return not self._farewell.speak()
        try:
            self._sender.send(response, flags=0)
        except Exception:
            _log.exception("Messages of a session could not be sent.")
            return False
        return True

    def leave(self) -> bool:
        """Try once more to send FINAL; say whether that is over and done with."""
        return self._farewell is None or not self._farewell.speak()

    def is_cancelled(self) -> bool:
        """Ask Triton whether the worker has gone; costs 0.1 to 0.2 ms."""
        return self._farewell is None and bool(self._sender.is_cancelled())


def _response(messages: Sequence[bytes]) -> Any:
    return pb_utils.InferenceResponse([pb_utils.Tensor(MESSAGE_OUTPUT, strings(messages))])
