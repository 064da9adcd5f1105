"""What the synthetic engine costs of a core: by the token in its step loop and in its words, by the request at start.

python -m inferno_engine.measuring.synthetic_cost [--streams 512] [--tokens 400]

That is what is left of a core for everything around an engine, which is what this engine is there to measure.
"""

import argparse
import gc
import importlib
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from inferno_engine import bundle


class Cost(NamedTuple):
    """CPU time, in µs: of a token in the step loop, of a token put into words, and of starting a request."""

    step_us: float
    words_us: float
    start_us: float

    def __str__(self) -> str:
        return (
            f"step loop {self.step_us:.2f} µs a token ({1e6 / self.step_us:,.0f} tokens/s on a core), "
            f"words {self.words_us:.2f} µs a token, start {self.start_us:.0f} µs a request"
        )


class _Kept:
    """A reply that keeps what it is told."""

    def __init__(self, ended: Callable[[], None]) -> None:
        self.gains: deque[Any] = deque()
        self.put = self.gains.append
        self.render: Any = None
        self._ended = ended

    def begin(self, render: Any) -> None:
        self.render = render

    def end(self, _: Any) -> None:
        self._ended()

    def fail(self, error: Exception) -> None:
        raise error


def measure(streams: int, tokens: int) -> Cost:
    """Generate `tokens` for each of `streams` at once, as fast as it goes, and put each token into words by itself."""
    sys.path.insert(0, str(bundle.SOURCE / "vllm"))
    backend: Any = importlib.import_module("inferno_backend.synthetic_engine")
    seam: Any = importlib.import_module("inferno_backend.seam")
    engine = backend.SyntheticEngine(
        step_ms=0, max_num_seqs=streams, kv_cache_tokens=streams * (tokens + 64) + 8192, prefill_tokens_per_step=1 << 20
    )
    over = threading.Semaphore(0)
    replies = [_Kept(over.release) for _ in range(streams)]
    # What is kept for the measurement would be looked through again and again.
    gc.collect()
    gc.disable()
    engine.open(lambda: None)
    process, own = time.process_time(), time.thread_time()
    for number, reply in enumerate(replies):
        body = {"messages": [{"role": "user", "content": f"Tell me {number}."}], "max_tokens": tokens}
        engine.start(seam.OpenAICall(str(number), "chat", body), reply)
    start = time.thread_time() - own
    for _ in replies:
        over.acquire()
    loop = time.process_time() - process - (time.thread_time() - own)
    engine.close()
    own = time.thread_time()
    for reply in replies:
        for gain in reply.gains:
            reply.render((gain,))
    words = time.thread_time() - own
    gc.enable()
    made = streams * tokens
    return Cost(loop / made * 1e6, words / made * 1e6, start / streams * 1e6)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="CPU time of the synthetic engine.")
    parser.add_argument("--streams", type=int, default=512)
    parser.add_argument("--tokens", type=int, default=400)
    asked = parser.parse_args()
    print(measure(asked.streams, asked.tokens))  # noqa: T201 - this is what the command is for


if __name__ == "__main__":
    main()
