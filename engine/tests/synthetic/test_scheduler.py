from inferno_engine.synthetic.scheduler import Scheduler
from inferno_engine.synthetic.text import Sampling, answer


def scheduler(slots: int = 4, kv_tokens: int = 1000, prefill_tokens: int = 100) -> Scheduler:
    return Scheduler(slots=slots, kv_tokens=kv_tokens, prefill_tokens=prefill_tokens)


def add(to: Scheduler, id: str, tokens: int = 3, prompt: str = "p", n: int = 1) -> None:
    to.add(id, [answer(prompt, Sampling(max_tokens=tokens), choice) for choice in range(n)])


def test_each_step_gives_each_running_sequence_a_token():
    batch = scheduler()
    add(batch, "a")
    add(batch, "b", tokens=2)
    steps = [[(p.id, p.start, p.stop, p.last) for p in batch.step()] for _ in range(4)]
    assert steps == [
        [("a", 0, 1, False), ("b", 0, 1, False)],
        [("a", 1, 2, False), ("b", 1, 2, True)],
        [("a", 2, 3, True)],
        [],
    ]


def test_who_finds_no_slot_waits_in_order():
    batch = scheduler(slots=1)
    for id in "abc":
        add(batch, id, tokens=1)
    assert (batch.running, batch.waiting) == (0, 3)
    assert [batch.step()[0].id for _ in range(3)] == ["a", "b", "c"]


def test_every_choice_takes_a_slot():
    batch = scheduler(slots=2)
    add(batch, "a", n=3)
    batch.step()
    assert (batch.running, batch.waiting) == (2, 1)


def test_who_finds_no_room_in_the_cache_waits_and_is_not_overtaken():
    batch = scheduler(kv_tokens=10)
    add(batch, "a", tokens=6)
    add(batch, "large", tokens=9)
    add(batch, "small", tokens=1)
    assert {p.id for p in batch.step()} == {"a"}
    assert batch.waiting == 2


def test_a_long_prompt_takes_steps_to_read():
    batch = scheduler(prefill_tokens=10)
    add(batch, "a", prompt="w " * 25)
    assert [len(batch.step()) for _ in range(3)] == [0, 0, 1]


def test_cancelling_frees_the_slot_for_the_next():
    batch = scheduler(slots=1)
    add(batch, "a", tokens=100)
    add(batch, "b", tokens=100)
    add(batch, "c")
    batch.step()
    batch.cancel("b")
    batch.cancel("a")
    assert [p.id for p in batch.step()] == ["c"]
