from collections.abc import Mapping, Sequence
from typing import Any

from inferno_engine.tuning import agreement, prompts

EXPECTED = [[1, 2], [3, 4], [5, 6]]


class FakeEngine:
    """Answers with a token for the prompt and one for how many were asked at once."""

    async def answers(self, bodies: Sequence[Mapping[str, Any]]) -> Sequence[Sequence[int]]:
        return [[len(body["messages"][0]["content"]), len(bodies)] for body in bodies]


async def test_prompts_are_asked_alone_and_at_once():
    alone, together = await agreement.ask(FakeEngine())
    assert {answer[1] for answer in alone} == {1}
    assert {answer[1] for answer in together} == {len(prompts.bodies())}


def test_the_same_words_agree():
    assert agreement.disagreement(EXPECTED, [(1, 2), (3, 4), (5, 6)], EXPECTED) == ""


def test_what_differs_is_counted_apart():
    said = agreement.disagreement(EXPECTED, EXPECTED, [[1, 2], [3, 9], [5]])
    assert said == "0 of 3 answers differ alone, 2 in a batch"


def test_prompts_are_greedy_and_short():
    assert len(prompts.bodies()) >= 10
    assert all(body["temperature"] == 0 and body["max_tokens"] == prompts.TOKENS for body in prompts.bodies())
