import threading

from inferno_backend.ticker import Ticker


def test_it_goes_on_until_it_is_closed_whatever_goes_wrong():
    turns = threading.Semaphore(0)

    def act() -> None:
        turns.release()
        raise RuntimeError("This turn went wrong.")

    ticker = Ticker(0.001, act, "test")
    for _ in range(3):
        assert turns.acquire(timeout=5)
    ticker.close(5)
    while turns.acquire(blocking=False):
        pass
    assert not turns.acquire(timeout=0.02)
