from hearing import Heard, call
from inferno_backend.seam import Stats
from inferno_backend.synthetic_calls import Generation, plan
from inferno_backend.synthetic_stats import Observer

from inferno_core.session import Piece
from inferno_engine.synthetic.scheduler import Scheduler


class Observed:
    """A scheduler whose steps take a second each, from second 100."""

    def __init__(self, kv_tokens: int = 1024) -> None:
        self.stats = Stats(last_step=100.0)
        self.scheduler = Scheduler(slots=8, kv_tokens=kv_tokens, prefill_tokens=1000)
        self.observer = Observer(self.stats, self.scheduler)

    def add(self, tokens: int, arrived_s: float, prompt: str = "p", **more: object) -> Generation:
        asked = call("completion", {"prompt": prompt, "max_tokens": tokens}, **more)
        generation = Generation(asked, Heard(), plan(asked, 8192), None, arrived_s)
        self.scheduler.add(generation.runs)
        return generation

    def step(self, times: int = 1) -> None:
        for _ in range(times):
            self.observer.observe(self.scheduler.step(), self.stats.last_step + 1)


def test_first_tokens_and_those_between_are_told_apart():
    observed = Observed()
    observed.add(3, arrived_s=99.5)
    observed.step()
    observed.add(2, arrived_s=101.0)
    observed.step(2)
    stats = observed.stats
    assert (stats.ttft.count, stats.ttft.sum) == (2, 1.5 + 1)
    assert (stats.itl.count, stats.itl.sum) == (3, 3)
    assert (stats.generation_tokens, stats.prompt_tokens, stats.steps) == (5, 2, 3)


def test_what_goes_on_had_its_first_token_elsewhere():
    observed = Observed()
    tokens = observed.add(9, arrived_s=100.0).runs[0].tokens
    observed.add(9, arrived_s=100.0, accepted=[Piece(0, tokens[:4])])
    observed.step()
    assert (observed.stats.ttft.count, observed.stats.prompt_tokens, observed.stats.generation_tokens) == (1, 2, 2)


def test_a_preempted_choice_waited_between_two_tokens():
    observed = Observed(kv_tokens=64)
    for _ in range(2):
        observed.add(32, arrived_s=100.0, prompt="w " * 16)
    observed.step(64)
    stats = observed.stats
    assert (stats.preemptions, stats.ttft.count, stats.prompt_tokens) == (1, 2, 32)
    assert (stats.itl.count, stats.generation_tokens) == (62, 64)
    assert stats.itl.sum == 31 + 15 + 17 + 15


def test_while_nothing_runs_it_shows_that_it_lives():
    observed = Observed()
    observed.observer.idle(500.0)
    assert observed.stats.last_step == 500.0
    assert (observed.stats.running, observed.stats.waiting, observed.stats.kv_cache_usage) == (0, 0, 0)
