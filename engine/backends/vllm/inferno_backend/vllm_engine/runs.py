"""The generations at an engine, by their ids: who ends one and who cancels it may be two threads at the same time."""

import threading
from collections.abc import Sequence

from inferno_backend.vllm_engine.run import Run


class Runs:
    """What an engine works at. Safe to be called by any thread."""

    def __init__(self) -> None:
        self._runs: dict[str, Run] = {}
        self._lock = threading.Lock()

    def add(self, run: Run) -> None:
        """Keep a run under its call's id."""
        with self._lock:
            self._runs[run.call.id] = run

    def take(self, ids: Sequence[str]) -> list[Run]:
        """Give those of these that are here, and keep them no longer."""
        with self._lock:
            return [run for id in ids if (run := self._runs.pop(id, None)) is not None]

    def forget(self, run: Run) -> None:
        """Keep this one no longer; another of the same id stays."""
        with self._lock:
            if self._runs.get(run.call.id) is run:
                del self._runs[run.call.id]

    def all(self) -> list[Run]:
        """Give all that are here."""
        with self._lock:
            return list(self._runs.values())
