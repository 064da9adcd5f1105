import asyncio
import threading

import pytest
from log_platform import Until

from inferno_stream import background
from inferno_stream.background import Tasks


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Why the process would have ended."""
    reasons: list[str] = []
    monkeypatch.setattr(background, "end_process", lambda reason, error=None: reasons.append(f"{reason}: {error}"))
    return reasons


def fail() -> None:
    raise OSError("no way")


async def test_a_thread_that_fails_ends_the_process(ends: list[str]) -> None:
    background.thread("worker", fail).join()
    assert ends == ["the thread worker failed: no way"]


async def test_a_thread_that_returns_does_not(ends: list[str]) -> None:
    done = threading.Event()
    background.thread("worker", done.set).join()
    assert done.is_set()
    assert not ends


async def test_a_task_that_fails_ends_the_process(ends: list[str], until: Until) -> None:
    async def work() -> None:
        fail()

    Tasks().spawn(work())
    await until(lambda: ends)
    assert "work" in ends[0]
    assert "no way" in ends[0]


async def test_tasks_that_are_cancelled_are_over_and_no_failure(ends: list[str]) -> None:
    ended: list[bool] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    tasks = Tasks()
    tasks.spawn(work())
    await asyncio.sleep(0)
    await tasks.cancel()
    assert ended == [True]
    assert not ends
