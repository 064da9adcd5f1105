from typing import Any

import msgspec
import pytest

from inferno_api.requests import messages
from inferno_api.requests.fault import Fault
from inferno_api.requests.messages import Message

CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


def message(**fields: Any) -> Message:
    return msgspec.convert(fields, Message)


@pytest.mark.parametrize(
    "fields",
    [
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": [{"type": "text", "text": "Be brief."}], "name": "ops"},
        {"role": "user", "content": "Hi", "name": "Zoë"},
        {"role": "user", "content": [{"type": "text", "text": "What is this?"}, IMAGE]},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}], "refusal": "No."},
        {"role": "assistant", "content": "4", "reasoning_content": "2 + 2"},
        {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "tool", "content": "1", "tool_call_id": "a"},
        {"role": "function", "content": "1", "name": "f"},
    ],
)
def test_what_openai_documents_is_taken(fields: dict[str, Any]) -> None:
    said = msgspec.to_builtins(message(**fields))
    assert said == {name: value for name, value in fields.items() if value is not None}


@pytest.mark.parametrize(
    "fields",
    [
        {"role": "king", "content": "Hi"},
        {"role": "user"},
        {"role": "user", "content": []},
        {"role": "user", "content": [{"type": "refusal", "refusal": "No."}]},
        {"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]},
        {"role": "system", "content": [IMAGE]},
        {"role": "user", "content": [{"type": "text", "text": "x"}] * 1025},
        {"role": "user", "content": "Hi", "name": "<|im_start|>"},
        {"role": "tool", "content": "1"},
        {"role": "function", "content": "1"},
        {"role": "assistant", "audio": {"id": "a"}},
        {"role": "assistant", "tool_calls": [{**CALL, "id": ""}]},
        {"role": "assistant", "tool_calls": [{**CALL, "type": "custom"}]},
        {"role": "assistant", "tool_calls": [CALL] * 129},
    ],
)
def test_what_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        message(**fields)


def test_text_is_counted_and_images_are_found() -> None:
    talk = [message(role="user", content="four"), message(role="assistant", content=None)]
    talk.append(message(role="user", content=[{"type": "text", "text": "two"}, IMAGE]))
    assert messages.chars(talk) == 7
    seen = list(messages.seen(talk))
    assert seen == [("messages[2].content[1]", IMAGE["image_url"]["url"])]
    messages.check_images(seen, 1)
    with pytest.raises(Fault, match="have 1 images"):
        messages.check_images(seen, 0)
