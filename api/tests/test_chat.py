from typing import Any

import msgspec
import pytest

from inferno_api.requests.chat import ChatBody

FUNCTION = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


def chat(**fields: Any) -> ChatBody:
    return msgspec.convert({"model": "m", "messages": [{"role": "user", "content": "Hi"}], **fields}, ChatBody)


def test_the_newer_name_of_the_allowance_comes_first() -> None:
    assert chat(max_tokens=5).allowance == 5
    assert chat(max_tokens=5, max_completion_tokens=6).allowance == 6
    assert chat().allowance is None


def test_template_arguments_come_from_a_list() -> None:
    body = chat(chat_template_kwargs={"enable_thinking": False})
    assert msgspec.to_builtins(body)["chat_template_kwargs"] == {"enable_thinking": False}
    with pytest.raises(msgspec.ValidationError, match="`evil`"):
        chat(chat_template_kwargs={"evil": "{{ loop }}"})


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"top_logprobs": 2}, "`logprobs`: true"),
        ({"continue_final_message": True, "add_generation_prompt": True}, "leave one of them out"),
        ({"tool_choice": "required"}, "with `tools`"),
        ({"tools": [], "tool_choice": "required"}, "with `tools`"),
        ({"tools": [FUNCTION], "tool_choice": "required", "min_tokens": 4}, "given form"),
        ({"response_format": {"type": "json_object"}, "ignore_eos": True}, "given form"),
        ({"response_format": {"type": "json_object"}, "structured_outputs": {"regex": "a"}}, "leave one of them out"),
        ({"min_tokens": 4, "max_completion_tokens": 3}, "`max_completion_tokens`, which is 3"),
        ({"documents": [{"text": "x" * 70_000}]}, "at most 65536"),
    ],
)
def test_fields_that_do_not_go_together(fields: dict[str, Any], why: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=why):
        chat(**fields)


def test_what_asks_for_nothing_is_no_fault() -> None:
    assert chat(top_logprobs=0).top_logprobs == 0
    assert chat(tools=[], tool_choice="auto").tools is None
    assert chat(response_format={"type": "text"}, ignore_eos=True).has_form is False


def test_a_long_conversation_has_its_least_number_of_tokens() -> None:
    parts = [{"type": "text", "text": "a" * 256}] * 3
    assert chat(messages=[{"role": "user", "content": parts}, {"role": "assistant"}]).least_tokens == 3
