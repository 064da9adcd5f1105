import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from folded import fold

from inferno_api.responses.completion_folding import CompletionFolding


def test_texts_are_joined() -> None:
    pieces = [{"index": 0, "text": text, "logprobs": None, "finish_reason": None} for text in ("He", "llo")]
    pieces[-1]["finish_reason"] = "length"
    whole = fold(CompletionFolding(), *pieces)
    assert whole["choices"] == [{"index": 0, "text": "Hello", "logprobs": None, "finish_reason": "length"}]
    assert (whole["object"], whole["system_fingerprint"]) == ("text_completion", "f")


def test_log_probabilities_are_joined_by_column() -> None:
    pieces = [
        {
            "index": 0,
            "text": text,
            "logprobs": {
                "text_offset": [at],
                "token_logprobs": [None if at == 0 else -1.5],
                "tokens": [text],
                "top_logprobs": [None if at == 0 else {text: -1.5}],
            },
            "finish_reason": None,
        }
        for at, text in enumerate("ab")
    ]
    choice = fold(CompletionFolding(), *pieces)["choices"][0]
    assert choice["text"] == "ab"
    assert choice["logprobs"] == {
        "text_offset": [0, 1],
        "token_logprobs": [None, -1.5],
        "tokens": ["a", "b"],
        "top_logprobs": [None, {"b": -1.5}],
    }


def test_what_ended_a_text_keeps_its_last_word() -> None:
    pieces = [
        {"index": 0, "text": "a", "stop_reason": None},
        {"index": 0, "text": "", "stop_reason": 0},
        {"index": 0, "text": "", "stop_reason": None},
    ]
    assert fold(CompletionFolding(), *pieces)["choices"][0]["stop_reason"] == 0


def test_the_answers_to_several_prompts_come_in_order() -> None:
    whole = fold(CompletionFolding(), *({"index": index, "text": str(index)} for index in (3, 1, 0, 2)))
    assert [choice["text"] for choice in whole["choices"]] == ["0", "1", "2", "3"]
    assert whole["usage"]["total_tokens"] == 3
