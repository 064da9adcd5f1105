"""Whether Triton still has this model in service, which it tells nobody: neither at unload nor at its own end.

Both refuse every new request and wait for those that run, and so for us.
"""

import http.client
import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Any

ADDRESS = "INFERNO_TRITON_HTTP"
PARAMETER = "triton_http"
PROBE_S = 1.0

_TIMEOUT_S = 2.0
_REFUSALS = 3
_log = logging.getLogger(__name__)


def address(config: dict[str, Any]) -> str:
    """Give `host:port` of this Triton's HTTP: the parameter `triton_http` of config.pbtxt, else the environment's."""
    value = config.get("parameters", {}).get(PARAMETER, {}).get("string_value", "")
    return str(value) or os.environ.get(ADDRESS, "")


class Service:
    """Asks `address` each second after version `version` of `name`.

    `proven` is called with the time (monotonic) before a question that was answered with yes, `ended` once when the
    model is out of service. That it was never in it, as while it loads, is no end.
    """

    def __init__(
        self, address: str, name: str, version: str, proven: Callable[[float], None], ended: Callable[[], None]
    ) -> None:
        self._path = f"/v2/models/{name}/versions/{version}/ready"
        self._connection = http.client.HTTPConnection(address, timeout=_TIMEOUT_S)
        self._proven = proven
        self._ended = ended
        self._was_ready = False
        self._refusals = 0
        self._closing = threading.Event()
        # Until the first answer it is not known to be in service.
        proven(float("-inf"))
        self._thread = threading.Thread(target=self._run, name="service", daemon=True)
        self._thread.start()

    def serves(self) -> None:
        """A request came: so it is in service, or was a moment ago."""
        self._was_ready = True

    def close(self) -> None:
        """Stop asking."""
        self._closing.set()

    def _run(self) -> None:
        while not self._closing.wait(PROBE_S):
            asked_at = time.monotonic()
            if self._is_ready():
                self._was_ready, self._refusals = True, 0
                self._proven(asked_at)
            elif self._was_ready and self._refusals >= _REFUSALS:
                _log.info("Triton has taken this model out of service.")
                self._ended()
                return

    def _is_ready(self) -> bool:
        try:
            self._connection.request("GET", self._path)
            response = self._connection.getresponse()
            response.read()
        except ConnectionRefusedError:
            # At its end Triton closes this port first. One refusal may be something else.
            self._refusals += 1
            # Else http.client takes this request for under way, and refuses the next one itself.
            self._connection.close()
        except (OSError, http.client.HTTPException):
            # Late is not gone: it may be busy.
            self._connection.close()
        else:
            if response.status == http.client.OK:
                return True
            self._refusals = _REFUSALS
        return False
