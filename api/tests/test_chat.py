from typing import Any

import msgspec
import pytest

from inferno_api.chat import ChatBody


def chat(**fields: Any) -> ChatBody:
    return msgspec.convert({"model": "m", "messages": [{"role": "user", "content": "Hi"}], **fields}, ChatBody)


@pytest.mark.parametrize("role", ["system", "developer", "user", "assistant", "tool", "function"])
def test_every_role_of_openai_is_taken(role: str) -> None:
    assert chat(messages=[{"role": role, "content": [{"type": "text", "text": "Hi"}]}])


def test_only_an_assistant_may_have_said_nothing() -> None:
    calls = [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    assert chat(messages=[{"role": "assistant", "tool_calls": calls}, {"role": "tool", "content": "1"}])
    with pytest.raises(msgspec.ValidationError, match="needs `content`"):
        chat(messages=[{"role": "tool"}])


def test_the_newer_name_of_the_allowance_comes_first() -> None:
    assert chat(max_tokens=5).allowance == 5
    assert chat(max_tokens=5, max_completion_tokens=6).allowance == 6
    assert chat().allowance is None


def test_template_arguments_come_from_a_list() -> None:
    body = chat(chat_template_kwargs={"enable_thinking": False, "evil": "{{ loop }}"})
    assert msgspec.to_builtins(body)["chat_template_kwargs"] == {"enable_thinking": False}
