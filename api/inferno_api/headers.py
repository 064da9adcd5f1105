"""What Inferno's own headers tell of an answer: which version gave it, and what of its time was not the engine's."""

from inferno_api.exchange import Exchange

Headers = list[tuple[bytes, bytes]]

MODEL_VERSION = b"x-inferno-model-version"
QUEUE_MS = b"x-inferno-queue-ms"
OVERHEAD_MS = b"x-inferno-overhead-ms"
SHOULD_RETRY = "x-should-retry"


def answered(exchange: Exchange) -> Headers:
    """Give the headers of an answer, or of an error that came behind admission; before that there are none.

    `queue-ms` is how long the request stood in the log until an engine took it; it is left out where the status line
    goes out before one has. `overhead-ms` is from the body's last byte until the request stood in the log.
    """
    if not exchange.version:
        return []
    headers = [(MODEL_VERSION, exchange.version.encode())]
    if exchange.head is not None:
        headers.append((QUEUE_MS, b"%d" % exchange.head.waited_ms))
    if (overhead_s := exchange.overhead_s) is not None:
        headers.append((OVERHEAD_MS, b"%d" % round(overhead_s * 1000)))
    return headers


def failed(exchange: Exchange) -> dict[str, str]:
    """Give the headers of an error: those of an answer, and that words which were made are not to be made again."""
    told = {name.decode(): value.decode() for name, value in answered(exchange)}
    return told | {SHOULD_RETRY: "false"} if exchange.first is not None else told
