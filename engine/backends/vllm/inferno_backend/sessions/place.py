"""An attach as Triton has it: a request that is answered until one side has enough."""

import logging
from collections.abc import Sequence
from typing import Any

import triton_python_backend_utils as pb_utils

from inferno_backend.contract import strings
from inferno_core.session import MESSAGE_OUTPUT

_log = logging.getLogger(__name__)


class Place:
    """Used by the desk's thread alone, so that no question to Triton ever overlaps with the last answer."""

    def __init__(self, sender: Any) -> None:
        self._sender = sender
        self._closed = False

    def send(self, messages: Sequence[bytes], *, final: bool) -> bool:
        """Send messages in one response, and FINAL with the last one; blocks. Says whether it could be sent."""
        if self._closed:
            return True
        self._closed = final
        if self._try(messages, final=final):
            return True
        if messages and final:
            # Without FINAL the model could never be unloaded.
            self._try((), final=True)
        return False

    def _try(self, messages: Sequence[bytes], *, final: bool) -> bool:
        flags = int(pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL) if final else 0
        try:
            if messages:
                tensor = pb_utils.Tensor(MESSAGE_OUTPUT, strings(messages))
                self._sender.send(pb_utils.InferenceResponse([tensor]), flags=flags)
            else:
                self._sender.send(flags=flags)
        except Exception:
            _log.exception("Messages of a session could not be sent.")
            return False
        return True

    def is_cancelled(self) -> bool:
        """Ask Triton whether the worker has gone; costs 0.1 to 0.2 ms."""
        return not self._closed and bool(self._sender.is_cancelled())
