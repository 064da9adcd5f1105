import asyncio
import queue
import time
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from inferno_backend.seam import Stats
from inferno_backend.vllm_engine.steps import Steps

from inferno_core.errors import InfernoError

WAIT_S = 5.0


class Core:
    """vLLM's core, client and output processor, by hand: what is put into `steps` comes out as one."""

    preemption, scheduling = 3, 2

    def __init__(self) -> None:
        self.client = self.outputs = self
        self.added: queue.Queue[str] = queue.Queue()
        self.aborted: queue.Queue[Sequence[str]] = queue.Queue()
        self.pinged: queue.Queue[float] = queue.Queue()
        self.answers = True
        self.errored = False
        self._known: list[str] = []

    async def settle(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._steps: asyncio.Queue[Any] = asyncio.Queue()

    def step(self, *ids: str, finished: Sequence[str] = (), by_words: Sequence[str] = ()) -> None:
        made = [SimpleNamespace(request_id=id, finished=id in finished, prompt_token_ids=[1]) for id in ids]
        processed = SimpleNamespace(request_outputs=made, reqs_to_abort=list(by_words))
        self._loop.call_soon_threadsafe(self._steps.put_nowait, processed)

    def die(self) -> None:
        self._loop.call_soon_threadsafe(self._steps.put_nowait, RuntimeError("The core is dead."))

    async def get_output_async(self) -> Any:
        step = await self._steps.get()
        if isinstance(step, Exception):
            raise step
        return SimpleNamespace(outputs=Outputs(step), scheduler_stats=None)

    def process_outputs(self, outputs: "Outputs") -> Any:
        return outputs.processed

    def add_request(self, request: Any, prompt: None, parent: None, index: int, queue: None) -> None:
        self._known.append(request)

    async def add_request_async(self, request: str) -> None:
        if request == "bad":
            raise RuntimeError("It is bad.")
        self.added.put(request)

    def abort_requests(self, ids: Sequence[str], internal: bool) -> list[str]:
        return [id for id in ids if id in self._known]

    async def abort_requests_async(self, ids: Sequence[str]) -> None:
        self.aborted.put(list(ids))

    async def ping(self) -> None:
        self.pinged.put(time.monotonic())
        if not self.answers:
            await asyncio.get_running_loop().create_future()


class Outputs(list[Any]):
    """The core's outputs of a step; the tally finds nothing in them."""

    def __init__(self, processed: Any) -> None:
        super().__init__()
        self.processed = processed


class Seat:
    speaks = True
    place = 0
    asked_s = 1.0
    last_s = 0.0

    def __init__(self, id: str) -> None:
        self.id = self.request = id
        self.over = False
        self.taken: queue.Queue[Any] = queue.Queue()
        self.breaks = self.breaks_at_the_end = False

    def scheduled(self, begun_s: float, first_s: float) -> None:
        pass

    def take(self, output: Any) -> bool:
        if self.breaks:
            raise KeyError("It was cancelled just now.")
        self.taken.put(output)
        return True

    def fail(self, error: InfernoError) -> None:
        self.taken.put(error)
        if self.breaks_at_the_end:
            raise RuntimeError("It is gone.")


@pytest.fixture
def core() -> Core:
    return Core()


@pytest.fixture
def stats() -> Stats:
    return Stats()


@pytest.fixture
def told() -> "queue.Queue[bool]":
    return queue.Queue()


@pytest.fixture
def steps(core: Core, stats: Stats, told: "queue.Queue[bool]") -> Iterator[Steps]:
    steps = Steps(core, stats)  # type: ignore[arg-type]
    steps.begin()
    steps.stepped = lambda: told.put(True)
    yield steps
    steps.close()


def submitted(steps: Steps, core: Core, *ids: str) -> list[Seat]:
    seats = [Seat(id) for id in ids]
    steps.submit(seats)
    for id in ids:
        assert core.added.get(timeout=WAIT_S) == id
    return seats


def test_a_step_is_told_to_its_seats_and_then_once_that_it_is_over(steps: Steps, core: Core, told: "queue.Queue[bool]"):
    a, b = submitted(steps, core, "a", "b")
    core.step("a", "b", "gone")
    assert told.get(timeout=WAIT_S)
    assert (a.taken.qsize(), b.taken.qsize(), told.qsize()) == (1, 1, 0)


def test_what_ended_by_its_words_is_freed_in_the_core(steps: Steps, core: Core):
    submitted(steps, core, "a")
    core.step("a", finished=["a"], by_words=["a"])
    assert core.aborted.get(timeout=WAIT_S) == ["a"]


def test_aborts_go_in_one_batch_and_end_what_is_told(steps: Steps, core: Core, told: "queue.Queue[bool]"):
    a, b = submitted(steps, core, "a", "b")
    steps.abort(["a", "b", "unknown"])
    assert core.aborted.get(timeout=WAIT_S) == ["a", "b"]
    c = submitted(steps, core, "c")[0]
    core.step("a", "b", "c")
    assert told.get(timeout=WAIT_S)
    assert (a.taken.qsize(), b.taken.qsize(), c.taken.qsize()) == (0, 0, 1)


def test_a_seat_that_nobody_wants_any_more_is_not_asked_for(steps: Steps, core: Core):
    dropped = Seat("a")
    dropped.over = True
    steps.submit([dropped])
    submitted(steps, core, "b")


def test_a_request_that_the_core_does_not_take_fails_alone(steps: Steps, core: Core, told: "queue.Queue[bool]"):
    submitted(steps, core, "a")
    bad = Seat("bad")
    steps.submit([bad])
    assert bad.taken.get(timeout=WAIT_S).code == "engine_failed"
    assert told.get(timeout=WAIT_S)
    assert steps.dead is None


def test_a_seat_that_can_not_take_what_it_gained_fails_alone(steps: Steps, core: Core, told: "queue.Queue[bool]"):
    broken, sound = submitted(steps, core, "broken", "sound")
    broken.breaks = broken.breaks_at_the_end = True
    core.step("broken", "sound")
    assert broken.taken.get(timeout=WAIT_S).code == "engine_failed"
    assert core.aborted.get(timeout=WAIT_S) == ["broken"]
    core.step("broken", "sound")
    for _ in range(2):
        assert sound.taken.get(timeout=WAIT_S).request_id == "sound"
    assert steps.dead is None
    assert broken.taken.empty()


def test_that_the_core_is_dying_is_known_before_its_outputs_end(steps: Steps, core: Core):
    core.errored = True
    assert steps.dead
    late = Seat("b")
    steps.submit([late])
    assert late.taken.get(timeout=WAIT_S).code == "engine_failed"


def test_when_the_core_dies_all_fail_and_later_ones_too(steps: Steps, core: Core, told: "queue.Queue[bool]"):
    (seat,) = submitted(steps, core, "a")
    core.die()
    assert seat.taken.get(timeout=WAIT_S).code == "engine_failed"
    assert told.get(timeout=WAIT_S)
    assert steps.dead
    late = Seat("b")
    steps.submit([late])
    assert late.taken.get(timeout=WAIT_S).code == "engine_failed"


def test_the_time_of_the_last_step_is_renewed_while_the_core_answers(steps: Steps, core: Core, stats: Stats):
    first = core.pinged.get(timeout=WAIT_S)
    second = core.pinged.get(timeout=WAIT_S)
    core.answers = False
    third = core.pinged.get(timeout=WAIT_S)
    assert first < second < third
    assert first <= stats.last_step < third
