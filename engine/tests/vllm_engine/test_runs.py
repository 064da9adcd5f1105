import threading

from inferno_backend.seam import OpenAICall
from inferno_backend.vllm_engine.run import Run
from inferno_backend.vllm_engine.runs import Runs


def a_run(id: str = "a") -> Run:
    return Run(OpenAICall(id, "chat", {}), None, lambda run: None)  # type: ignore[arg-type]  # it is told nothing


def test_what_is_taken_is_here_no_more():
    runs, run = Runs(), a_run()
    runs.add(run)
    assert runs.take(["unknown", "a"]) == [run]
    assert runs.take(["a"]) == runs.all() == []


def test_another_of_the_same_id_is_not_forgotten_with_it():
    runs, older, newer = Runs(), a_run(), a_run()
    runs.add(older)
    runs.add(newer)
    runs.forget(older)
    assert runs.all() == [newer]
    runs.forget(newer)
    assert runs.all() == []


class Slow(str):
    """An id that lets another thread have a turn whenever a dictionary looks for it."""

    def __hash__(self) -> int:
        if threading.current_thread() is threading.main_thread():
            self.turn()
        return str.__hash__(self)

    turn = staticmethod(lambda: None)


def test_a_cancel_may_meet_an_end():
    runs, run = Runs(), a_run(Slow("a"))
    runs.add(run)
    canceller = threading.Thread(target=lambda: runs.take(["a"]))
    turns = []

    def turn() -> None:
        turns.append(1)
        if len(turns) == 2:
            canceller.start()
            canceller.join(0.2)

    run.call.id.turn = turn  # type: ignore[attr-defined]
    runs.forget(run)
    canceller.join()
    assert runs.all() == []
