import threading
from collections.abc import Sequence

from inferno_backend.cancellation import Cancellation


class Generation:
    def __init__(self, id: str) -> None:
        self.id = id
        self.cancelled = False
        self.closed = False
        self.asked = threading.Semaphore(0)

    def is_cancelled(self) -> bool:
        self.asked.release()
        return self.cancelled

    def is_closed(self) -> bool:
        return self.closed


def test_one_that_lost_its_client_is_told_once():
    gone: list[str] = []
    told = threading.Event()

    def on_gone(generations: Sequence[Generation]) -> None:
        gone.extend(generation.id for generation in generations)
        told.set()

    watch = Cancellation(on_gone)
    lost, kept = Generation("lost"), Generation("kept")
    watch.watch(lost)
    watch.watch(kept)
    lost.cancelled = True
    assert told.wait(5)
    for _ in range(3):
        assert kept.asked.acquire(timeout=5)
    assert gone == ["lost"]
    assert watch.close() == [kept]


def test_one_that_has_ended_is_asked_no_more():
    watch = Cancellation(lambda generations: None)
    ended, other = Generation("ended"), Generation("other")
    ended.closed = True
    watch.watch(ended)
    watch.watch(other)
    assert other.asked.acquire(timeout=5)
    assert other.asked.acquire(timeout=5)
    assert watch.close() == [other]
    assert not ended.asked.acquire(blocking=False)
