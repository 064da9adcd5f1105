"""Drives a version's engine in this very process, without Triton: what sessions are compared with.

A program for the engine's environment: `python in_process.py BACKEND VERSION_FOLDER vllm|synthetic`. It says `ready`
once, and then answers each line of JSON, `{"bodies": […]}`, with `{"tokens": …, "seconds": …, "error": …}`.
"""

import importlib
import json
import locale
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


class _Reply:
    """Takes what one generation gains, as a session's does."""

    def __init__(self) -> None:
        self.tokens = 0
        self.error: Any = None
        self.over = threading.Event()
        self._render: Any = None
        self._gains: deque[Any] = deque()

    def begin(self, render: Any) -> None:
        self._render = render

    def put(self, gain: Any) -> None:
        self._gains.append(gain)

    def end(self, usage: Any) -> None:
        self.over.set()

    def fail(self, error: Any) -> None:
        self.error = error
        self.over.set()

    def tell(self) -> None:
        """Put into words what has come."""
        gains = [self._gains.popleft() for _ in range(len(self._gains))]
        if gains:
            self._render(gains)
            self.tokens += sum(len(gain.tokens) for gain in gains)


class Drive:
    """An engine, and the thread that puts its words together."""

    def __init__(self, folder: Path, kind: str) -> None:
        engines: Any = importlib.import_module("inferno_backend.engines")
        self._call: Any = importlib.import_module("inferno_backend.seam").OpenAICall
        self._engine: Any = engines.make(
            {"name": folder.parent.name, "parameters": {"engine": {"string_value": kind}}}, folder
        )
        self._stepped = threading.Event()
        self._replies: Sequence[_Reply] = ()
        self._number = 0
        self._engine.open(self._stepped.set)

    def run(self, bodies: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Have the bodies answered at once; give tokens and seconds, or an error."""
        replies = self._replies = [_Reply() for _ in bodies]
        began = time.perf_counter()
        for body, reply in zip(bodies, replies, strict=True):
            self._number += 1
            self._engine.start(self._call(f"drive-{self._number}", "chat", body), reply)
        while True:
            # Looked at before the words are fetched, or the last of them would be missed.
            over = all(reply.over.is_set() for reply in replies)
            for reply in replies:
                reply.tell()
            if over:
                break
            self._stepped.wait(1.0)
            self._stepped.clear()
        seconds = time.perf_counter() - began
        error = next((str(reply.error) for reply in replies if reply.error), None)
        return {"tokens": sum(reply.tokens for reply in replies), "seconds": seconds, "error": error}

    def close(self) -> None:
        """End the engine."""
        self._engine.close()


def main() -> None:
    """Answer line by line until the input ends."""
    locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
    sys.path[:0] = [sys.argv[1]]
    # Whatever libraries and the engine's own processes print must not come between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    drive = Drive(Path(sys.argv[2]), sys.argv[3])
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(drive.run(json.loads(line)["bodies"])), file=answers, flush=True)
    drive.close()


if __name__ == "__main__":
    main()
