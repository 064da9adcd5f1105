import json
from types import SimpleNamespace
from typing import Any

from inferno_backend.seam import FEW_TOKENS, MOST_TOKENS, Choice, Gain
from inferno_backend.vllm_engine.render import ChoiceRender, DeltaRender, VectorRender


class Output:
    """vLLM's output of one choice, as far as it is looked at."""

    def __init__(self, text: str, tokens: list[int], finish: str | None = None) -> None:
        self.prompt_token_ids = [1, 2]
        self.outputs = [
            SimpleNamespace(text=text, token_ids=tokens, finish_reason=finish, cumulative_logprob=-1.0, logprobs=None)
        ]

    def add(self, other: "Output", aggregate: bool) -> None:
        mine, its = self.outputs[0], other.outputs[0]
        mine.text += its.text
        mine.token_ids = mine.token_ids + its.token_ids
        mine.finish_reason = its.finish_reason


class Lane:
    """A serving layer that keeps what begins with a bracket to itself, and calls the end of a tool by its name."""

    def push(self, output: Any) -> list[bytes]:
        gained = output.outputs[0]
        if gained.text.startswith("<") and gained.finish_reason is None:
            return []
        finish = gained.finish_reason and "tool_calls"
        return [
            b'{"index":0,"delta":%s,"finish_reason":%s}' % tuple(json.dumps(x).encode() for x in (gained.text, finish))
        ]


def gain(index: int, text: str, *tokens: int, finish: str = "") -> Gain:
    return Gain(index, tokens, Output(text, list(tokens), finish or None), finish)


def chat(n: int = 1, lanes: int = 1, opening: list[Choice] | None = None) -> ChoiceRender:
    return ChoiceRender([Lane() for _ in range(lanes)], n, opening or [], chat=True)  # type: ignore[misc]


def test_gains_of_several_steps_are_told_as_one():
    (said,) = chat()([gain(0, "a", 1), gain(0, "b", 2, 3)])
    assert (said.tokens, json.loads(said.body)["delta"]) == ([1, 2, 3], "ab")


def test_each_choice_is_told_under_its_own_index():
    said = chat(n=2, lanes=2)([gain(0, "a", 1), gain(3, "b", 2)])
    assert [(choice.index, json.loads(choice.body)["index"]) for choice in said] == [(0, 0), (3, 3)]


def test_the_opening_comes_once_and_first():
    opening = Choice(0, (), b"{}")
    render = chat(opening=[opening])
    assert render([gain(0, "a", 1)])[0] is opening
    assert len(render([gain(0, "b", 2)])) == 1


def test_tokens_that_a_parser_keeps_to_itself_are_told_without_words():
    (said,) = chat(n=2)([gain(1, "<tool", 7)])
    assert said.tokens == [7]
    assert json.loads(said.body) == {"index": 1, "delta": {}, "finish_reason": None}


def test_the_serving_layer_says_how_a_choice_ended():
    (said,) = chat()([gain(0, "a", 1, finish="stop")])
    assert said.finish == "tool_calls"


def test_the_stock_contract_is_told_the_text():
    (said,) = DeltaRender()([gain(0, "a", 1), gain(0, "b", 2, finish="length")])
    assert (said.text, said.tokens, said.prompt_tokens, said.finish) == ("ab", [1, 2], 2, "length")


def test_what_waits_is_joined_and_told_as_if_it_were_not():
    render = DeltaRender()
    joined = render.join(gain(0, "a", 1), gain(0, "b", 2, finish="length"))
    assert joined is not None
    assert (joined.index, joined.tokens, joined.finish) == (0, [1, 2], "length")
    (said,) = render([joined])
    assert (said.text, said.tokens, said.finish) == ("ab", [1, 2], "length")


def test_what_has_log_probabilities_is_not_joined_and_few_are_told_at_once():
    assert DeltaRender().most == MOST_TOKENS
    for render in (DeltaRender(logprobs=True), VectorRender()):
        assert render.join(gain(0, "a", 1), gain(0, "b", 2)) is None
        assert render.most == FEW_TOKENS


def test_an_embedding_is_told_as_it_is():
    assert VectorRender()([Gain(4, (), b"{}", "stop")]) == [Choice(4, (), b"{}", "stop")]
