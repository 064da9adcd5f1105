from inferno_engine.synthetic import prefixes
from inferno_engine.synthetic.prefixes import BLOCK
from inferno_engine.synthetic.scheduler import Run, Scheduler, Step


def scheduler(slots: int = 4, kv_tokens: int = 1024, prefill_tokens: int = 100) -> Scheduler:
    return Scheduler(slots, kv_tokens, prefill_tokens)


def run(owner: str, tokens: int = 3, prompt: int = 1, **known: int) -> Run:
    return Run(owner, 0, prompt, range(tokens), **known)


def told(step: Step) -> dict[str, int]:
    """Give who gained something, and how many tokens it has by now."""
    return {each.owner: each.made for each in [*step.advanced, *(ended for ended, _ in step.ended)]}


def test_each_step_gives_each_run_a_token():
    batch = scheduler()
    batch.add([run("a"), run("b", tokens=2)])
    assert [told(batch.step()) for _ in range(4)] == [{"a": 1, "b": 1}, {"a": 2, "b": 2}, {"a": 3}, {}]
    assert batch.usage == 0


def test_the_last_token_ends_a_run():
    batch = scheduler()
    batch.add([run("a", tokens=2)])
    assert [[start for _, start in batch.step().ended] for _ in range(3)] == [[], [1], []]


def test_it_goes_on_where_a_run_stands():
    batch = scheduler()
    batch.add([run("a", tokens=9, made=6), run("whole", tokens=5, made=5)])
    first = batch.step()
    assert told(first) == {"a": 7, "whole": 5}
    assert [(each.owner, start) for each, start in first.ended] == [("whole", 5)]
    assert [told(batch.step()) for _ in range(2)] == [{"a": 8}, {"a": 9}]


def test_who_finds_no_slot_waits_in_order():
    batch = scheduler(slots=1)
    batch.add([run(owner, tokens=1) for owner in "abc"])
    assert (batch.running, batch.waiting) == (0, 3)
    assert [list(told(batch.step())) for _ in range(3)] == [["a"], ["b"], ["c"]]


def test_the_lowest_priority_goes_first():
    batch = scheduler(slots=1)
    batch.add([run("late", tokens=1, priority=1), run("first", tokens=1), run("second", tokens=1)])
    batch.add([run("urgent", tokens=1, priority=-5)])
    order = [next(iter(told(batch.step()))) for _ in range(4)]
    assert order == ["urgent", "first", "second", "late"]


def test_who_finds_no_room_in_the_cache_waits_and_is_not_overtaken():
    batch = scheduler(kv_tokens=2 * BLOCK)
    batch.add([run("a", tokens=BLOCK - 1), run("large", prompt=BLOCK + 1), run("small")])
    assert list(told(batch.step())) == ["a"]
    assert batch.waiting == 2
    assert batch.usage == 0.5


def test_a_long_prompt_takes_steps_to_read():
    batch = scheduler(prefill_tokens=10)
    batch.add([run("a", prompt=25), run("b", prompt=5)])
    assert [list(told(batch.step())) for _ in range(3)] == [[], [], ["a", "b"]]


def test_a_known_beginning_needs_no_reading():
    batch = scheduler(prefill_tokens=BLOCK)
    names = prefixes.blocks(range(3 * BLOCK))
    one, other = (Run(owner, 0, 3 * BLOCK, range(9), prefix=names) for owner in "ab")
    batch.add([one])
    assert [list(told(batch.step())) for _ in range(3)] == [[], [], ["a"]]
    batch.add([other])
    assert list(told(batch.step())) == ["a", "b"]
    assert (one.cached, other.cached) == (0, 2 * BLOCK)


def test_without_a_block_left_the_youngest_gives_way_and_is_read_again():
    batch = scheduler(kv_tokens=4 * BLOCK, prefill_tokens=2 * BLOCK)
    old, young = run("old", tokens=2 * BLOCK, prompt=BLOCK), run("young", tokens=2 * BLOCK, prompt=BLOCK)
    batch.add([old, young])
    for _ in range(BLOCK):
        batch.step()
    step = batch.step()
    assert (told(step), [each.owner for each in step.preempted]) == ({"old": BLOCK + 1}, ["young"])
    assert (batch.running, batch.waiting) == (1, 1)
    made = [told(batch.step()) for _ in range(2 * BLOCK)]
    # While the other ran it stood still, and then went on where it had been.
    assert [each["young"] for each in made if "young" in each] == list(range(BLOCK + 1, 2 * BLOCK + 1))
    assert [each["old"] for each in made if "old" in each] == list(range(BLOCK + 2, 2 * BLOCK + 1))
    assert batch.usage == 0


def test_who_gives_way_may_be_the_one_that_needs_a_block():
    batch = scheduler(kv_tokens=3 * BLOCK)
    batch.add([run("old", prompt=2 * BLOCK - 8, tokens=8), run("young", prompt=BLOCK - 2, tokens=9)])
    steps = [batch.step() for _ in range(3)]
    assert [each.owner for step in steps for each in step.preempted] == ["young"]
    assert batch.waiting == 1


def test_the_highest_priority_number_gives_way_first():
    batch = scheduler(kv_tokens=4 * BLOCK)
    batch.add([run("minor", tokens=2 * BLOCK, prompt=BLOCK, priority=3)])
    batch.add([run("major", tokens=2 * BLOCK, prompt=BLOCK)])
    preempted = [each.owner for _ in range(BLOCK + 1) for each in batch.step().preempted]
    assert preempted == ["minor"]


def test_who_was_preempted_goes_before_those_that_came_later():
    batch = scheduler(kv_tokens=4 * BLOCK)
    batch.add([run(owner, tokens=2 * BLOCK, prompt=BLOCK) for owner in "ab"])
    for _ in range(BLOCK + 1):
        batch.step()
    batch.add([run("c")])
    batch.cancel({"a"})
    assert "b" in told(batch.step())


def test_cancelling_frees_the_slot_for_the_next():
    batch = scheduler(slots=1)
    batch.add([run("a", tokens=100), run("b", tokens=100), run("c")])
    batch.step()
    batch.cancel({"a", "b"})
    assert list(told(batch.step())) == ["c"]


def test_a_halt_is_told_when_its_token_is_made():
    batch = scheduler()
    batch.add([run("a", halt=0), run("b", tokens=9, halt=3), run("c", tokens=9, made=5, halt=3)])
    halted = [[each.owner for each in batch.step().halted] for _ in range(6)]
    assert halted == [["a"], [], [], ["b"], [], []]


def test_those_that_begin_are_told_apart():
    batch = scheduler()
    batch.add([run("a", tokens=9)])
    batch.step()
    batch.add([run("b"), run("c", tokens=1)])
    assert [each.owner for each in batch.step().begun] == ["b", "c"]
