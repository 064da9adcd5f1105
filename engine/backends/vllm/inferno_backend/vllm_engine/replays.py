"""A thread in which generations are brought to where they were: to read their past again may take much CPU."""

import asyncio
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from inferno_backend.rendering import MOST_S
from inferno_core.errors import EngineFailed

_TURN_S = 0.01
_Result = TypeVar("_Result")


class Replays:
    """Runs works that yield from time to time, in turns of some 10 ms each, so that a long one holds up no short one.

    There is one thread for all, since the engine's steps and what they say have to share Python with it.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "engine-replays")

    async def run(self, work: Generator[None, None, _Result]) -> _Result:
        """Give what a work comes to. If the caller is cancelled, the work ends with its turn.

        Raises EngineFailed for one that takes as much CPU as reading an answer may, and whatever it raises itself.
        """
        loop = asyncio.get_running_loop()
        spent_s = 0.0
        while spent_s <= MOST_S:
            turn_s, results = await loop.run_in_executor(self._thread, _turn, work)
            spent_s += turn_s
            if results:
                return results[0]
        work.close()
        raise EngineFailed(f"To read again what was said of this answer took more than {MOST_S:.0f} s of CPU.")

    def close(self) -> None:
        """Take no more works; those that run end with their turns."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def _turn(work: Generator[None, None, _Result]) -> tuple[float, list[_Result]]:
    """Go on with a work; give the CPU time that it took, and its result if there is one."""
    begun, results = time.thread_time(), list[_Result]()
    try:
        while time.thread_time() - begun < _TURN_S:
            next(work)
    except StopIteration as stopped:
        results.append(stopped.value)
    return time.thread_time() - begun, results
