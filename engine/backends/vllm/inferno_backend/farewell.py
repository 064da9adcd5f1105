"""The last response to a request, with Triton's FINAL flag: without that its model could never be unloaded."""

import logging
from typing import Any

import triton_python_backend_utils as pb_utils

_TRIES = 50
_log = logging.getLogger(__name__)


class Farewell:
    """Sends `response`, if there is one, and FINAL through `sender`; where that fails, FINAL alone, again and again.

    Triton takes a sender for closed once it was asked for FINAL, even if it then had no room for the response. So after
    many tries the sender is let go of, by which Triton frees the request. Nobody else may keep it.
    """

    def __init__(self, sender: Any, response: Any = None) -> None:
        self._sender = sender
        self._response = response
        self._tries = 0

    def speak(self, hurry: bool = False) -> bool:
        """Try to send it; blocks. Says whether it has to be tried again, a little later."""
        if self._sender is None:
            return False
        try:
            self._send(int(pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL))
        except Exception:
            self._response = None
            self._tries += 1
            if self._tries == 1:
                _log.exception("The last response to a request could not be sent.")
            if self._tries < _TRIES:
                return True
            _log.error("The last response to a request could not be sent %d times; it is given up.", _TRIES)
        self._sender = self._response = None
        return False

    def _send(self, final: int) -> None:
        if self._response is None:
            self._sender.send(flags=final)
        else:
            self._sender.send(self._response, flags=final)
