import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inferno_api import failures
from inferno_api.requests import validation
from inferno_api.requests.chat import ChatBody
from inferno_api.requests.completion import CompletionBody
from inferno_api.requests.limits import MAX_VALUES
from inferno_core.errors import InvalidRequest, TooLarge

CHAT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
TEXT: dict[str, Any] = {"model": "m", "prompt": "Hi"}
decode_chat = msgspec.json.Decoder(ChatBody).decode
decode_text = msgspec.json.Decoder(CompletionBody).decode


def refusal(body: Any, decode: Any = decode_chat) -> InvalidRequest:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(InvalidRequest) as caught:
        validation.read(data, decode)
    return caught.value


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_tokens", 0),
        ("max_tokens", -1),
        ("max_tokens", "ten"),
        ("max_tokens", 1.5),
        ("max_completion_tokens", 0),
        ("temperature", -0.1),
        ("temperature", 2.1),
        ("temperature", "hot"),
        ("top_p", 0),
        ("top_p", 1.1),
        ("n", 0),
        ("n", 129),
        ("n", True),
        ("seed", 2**63),
        ("stop", ["a", "b", "c", "d", "e"]),
        ("stop", ""),
        ("stop", 1),
        ("messages", []),
        ("messages", "Hi"),
        ("stream", "yes"),
        ("top_logprobs", 21),
        ("logit_bias", []),
        ("model", ""),
        ("model", None),
        ("modalities", ["audio"]),
        ("reasoning_effort", "most"),
        ("tools", {}),
        ("response_format", "json"),
    ],
)
def test_a_wrong_value_is_named_and_shown(field: str, value: Any) -> None:
    error = refusal({**CHAT, field: value})
    assert error.param is not None
    assert error.param.split("[")[0] == field
    shown = json.dumps(value[0] if error.param.endswith("[0]") else value)
    assert error.message.startswith(f"'{error.param}' is {shown}: ")


@pytest.mark.parametrize("field", ["model", "messages"])
def test_a_missing_field_is_named(field: str) -> None:
    error = refusal({name: value for name, value in CHAT.items() if name != field})
    assert (error.param, error.message) == (field, f"'{field}' is missing: add it to the request.")


def test_a_fault_deep_inside_is_named_by_its_path() -> None:
    assert refusal({**CHAT, "messages": [CHAT["messages"][0], {"role": "king"}]}).param == "messages[1].role"
    assert refusal({**CHAT, "messages": [{"role": "user", "content": 5}]}).param == "messages[0].content"
    image = {"type": "image_url", "image_url": {"url": "http://inside"}}
    error = refusal({**CHAT, "messages": [{"role": "user", "content": [image]}]})
    assert error.param == "messages[0].content[0].image_url.url"
    assert error.message.startswith(f"'{error.param}' is \"http://inside\": an image has to be ")
    sound = {"type": "input_audio", "input_audio": {}}
    assert refusal({**CHAT, "messages": [{"role": "user", "content": [sound]}]}).param == "messages[0].content[0].type"
    assert refusal({**CHAT, "messages": [{"content": "x"}]}).param == "messages[0].role"
    assert refusal({**CHAT, "messages": [{"role": "user"}]}).param == "messages[0].content"
    assert refusal({**CHAT, "chat_template_kwargs": {"evil": "{{ x }}"}}).param == "chat_template_kwargs.evil"
    assert refusal({**CHAT, "logit_bias": {"5": 101}}).param == "logit_bias"
    assert refusal({**CHAT, "metadata": {"a" * 65: ""}}).param == "metadata"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({**CHAT, "stream_options": {"include_usage": True}}, "stream_options"),
        ({**CHAT, "top_logprobs": 2}, "top_logprobs"),
        ({**CHAT, "min_tokens": 9, "max_tokens": 8}, "min_tokens"),
        ({**CHAT, "tool_choice": "required"}, "tool_choice"),
    ],
)
def test_fields_that_need_each_other(body: Any, field: str) -> None:
    error = refusal(body)
    assert error.param == field
    assert field in error.message


def test_a_long_value_is_cut() -> None:
    assert len(refusal({**CHAT, "temperature": "x" * 10_000}).message) < 300


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'"text"',
        b'{"model": NaN}',
        b'{"model":"\\ud800","messages":[]}',
        b'{"model":"m","messages":[{"role":"user","content":"\xff"}]}',
        b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"model":"m","messages":[{"role":"user","content":"a"}],"tools":[{"a":' + b"[" * 5000 + b"]" * 5000 + b"}]}",
        b'{"temperature": 1e999}',
        b'{"model":"m","messages":[{"role":"user","content":"a"}]} trailing',
        b'{"model":"m","messages":[{"role":"user - at `$.model`","content":"a"}]}',
    ],
)
def test_what_is_no_body_at_all(data: bytes) -> None:
    assert refusal(data).status == 400


@pytest.mark.parametrize("half", [r"\ud83d", r"\uDE00", r"\ud83d\ud83d", r"a\ud83d b"])
def test_half_a_character_is_named(half: str) -> None:
    data = f'{{"model":"m","messages":[{{"role":"user","content":"{half}"}}]}}'.encode()
    assert "half of a character" in refusal(data).message
    assert "half" not in refusal(rb'{"model":"\ud83d\ude00","messages":1}').message


def test_unknown_fields_are_ignored_and_null_is_unset() -> None:
    body = validation.read(json.dumps({**CHAT, "new": 1, "temperature": None, "stop": None}).encode(), decode_chat)
    assert json.loads(msgspec.json.encode(body)) == CHAT


@pytest.mark.parametrize("prompt", [["a", [1]], [[1], 2], [1, "a"], [], [-1], [[]], {"a": 1}, [True]])
def test_prompts_that_are_refused(prompt: Any) -> None:
    error = refusal({**TEXT, "prompt": prompt}, decode_text)
    assert error.param is not None
    assert error.param.startswith("prompt")


@pytest.mark.parametrize("prompt", ["a", ["a", "b"], [1, 2], [[1, 2], [3]]])
def test_prompts_that_are_taken(prompt: Any) -> None:
    body = validation.read(json.dumps({**TEXT, "prompt": prompt}).encode(), decode_text)
    assert body.prompt == prompt


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=600, deadline=None)
@given(st.data())
def test_whatever_a_client_sends_is_a_body_or_a_refusal_that_can_be_shown(data: st.DataObject) -> None:
    kind, base = data.draw(st.sampled_from([(ChatBody, CHAT), (CompletionBody, TEXT)]))
    fields = st.sampled_from([*kind.__struct_fields__, "unknown"])
    body = {**base, **data.draw(st.dictionaries(fields, JSON, min_size=1, max_size=4))}
    try:
        msgspec.json.encode(validation.read(json.dumps(body).encode(), msgspec.json.Decoder(kind).decode))
    except InvalidRequest as error:
        shown = json.loads(failures.encode(error))["error"]
        assert shown["message"].endswith(".")
        assert len(shown["message"]) < 400
        assert shown["param"] is None or shown["param"].split("[")[0].split(".")[0] in kind.__struct_fields__


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60))
def test_whatever_bytes_a_client_sends_are_refused(data: bytes) -> None:
    assert refusal(data).status == 400


def test_a_value_can_not_pass_for_a_place() -> None:
    lie = "x - at `$.model`" * 20_000
    error = refusal({**CHAT, "messages": [{"role": lie, "content": "a"}]})
    assert error.param == "messages[0].role"
    assert len(error.message) < 300


def test_a_value_is_shown_on_one_line() -> None:
    data = b'{"model": "m", "messages": [{"role": "user", "content": [\n  1,\n  2\n]}]}'
    error = refusal(data)
    assert error.message == "'messages[0].content[0]' is 1: expected `object`, got `int`."
    assert refusal(b'{"model":\n[1,\n 2],"messages":[]}').message.startswith("'model' is [1, 2]: ")


@pytest.mark.parametrize("item", [b"[]", b'""', b"{}", b"1"])
def test_what_would_fill_the_memory_is_refused_before_it_is_decoded(item: bytes) -> None:
    def decode(data: bytes) -> ChatBody:
        raise AssertionError("decoded")

    with pytest.raises(TooLarge):
        validation.read(b'{"x":[' + b",".join([item] * (MAX_VALUES + 2)) + b"]}", decode)


def test_a_long_text_is_no_structure() -> None:
    text = 'a, [b] {c} "d" \\ e, ' * 40_000
    body = validation.read(json.dumps({**CHAT, "messages": [{"role": "user", "content": text}]}).encode(), decode_chat)
    assert body.messages[0].content == text


def test_a_mistake_is_told_where_another_stands_behind_it() -> None:
    """The decoder stops at the first; the value that is shown is looked for in the whole text."""
    assert refusal(b'{"model":"m","messages":1,"\x80":1}').param == "messages"
