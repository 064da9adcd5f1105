"""Work in the background: where it fails, the process ends, since all that hangs on it would wait for ever."""

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Coroutine

logger = logging.getLogger(__name__)

_SOFTWARE_FAILURE = 70
"""The exit code, as sysexits has it."""


def end_process(reason: str, error: BaseException | None = None) -> None:
    """End this process at once; what it held is taken over by others, as if it had been killed."""
    logger.critical("%s; this process ends itself", reason, exc_info=error)
    os._exit(_SOFTWARE_FAILURE)


def thread(name: str, work: Callable[[], None]) -> threading.Thread:
    """Begin `work` in a thread of its own."""

    def run() -> None:
        try:
            work()
        except Exception as error:
            end_process(f"the thread {name} failed", error)

    begun = threading.Thread(target=run, name=name, daemon=True)
    begun.start()
    return begun


def is_cancelled() -> bool:
    """Whether the current task was told to end. A call of gRPC that ends just then may raise its own error instead."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class Tasks:
    """The tasks that an object has begun in the loop."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[object, object, None]) -> None:
        """Begin `work`."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    async def cancel(self) -> None:
        """End what goes on."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            end_process(f"the task {task.get_coro()} failed", error)
