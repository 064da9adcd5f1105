import base64
import json
from typing import Any

import msgspec
import pytest

from inferno_api.admission import Admission
from inferno_api.requests.chat import ChatBody
from inferno_api.requests.completion import CompletionBody
from inferno_core.errors import ContextLengthExceeded, InvalidRequest, ModelNotFound
from inferno_core.hosts import HostedModel, ModelState
from inferno_core.keys import Key
from inferno_core.records import Deadlines, Tenant
from inferno_stream.edge import Draft

KEY = Key(tenant=Tenant("o", "p", "k"), prefix="inf-x", store="metadata")


PIXEL = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89"
IMAGE = f"data:image/png;base64,{base64.b64encode(PIXEL).decode()}"
SMOLLM2 = HostedModel(name="smollm2", version="1", state=ModelState.READY, since=0.0, context=8192)


def chat(**fields: Any) -> ChatBody:
    body = {"model": "smollm2", "messages": [{"role": "user", "content": "Hi"}], **fields}
    return msgspec.convert(body, ChatBody)


def shown(url: str) -> ChatBody:
    parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": url}}]
    return chat(messages=[{"role": "user", "content": parts}])


@pytest.fixture
def admission(world: Any) -> Admission:
    return Admission(world.parts.catalogue, Deadlines(whole_s=7))


def engine_body(draft: Draft) -> Any:
    return json.loads(draft.body)


def test_the_draft_says_who_asks_and_for_how_long(admission: Admission) -> None:
    draft = admission.draft("chat", chat(), KEY)
    assert (draft.tenant, draft.store, draft.deadlines.whole_s) == (KEY.tenant, "metadata", 7)
    assert (draft.n, draft.max_tokens, draft.include_usage) == (1, None, False)


def test_two_requests_have_two_seeds(admission: Admission) -> None:
    assert admission.draft("chat", chat(), KEY).seed != admission.draft("chat", chat(), KEY).seed


def test_the_engine_is_not_told_what_is_the_edges(admission: Admission) -> None:
    body = chat(stream=True, stream_options={"include_usage": True}, user="u", metadata={"a": "b"}, store=True)
    draft = admission.draft("chat", body, KEY)
    assert draft.include_usage
    assert set(engine_body(draft)) == {"model", "messages", "seed"}


def test_deep_values_reach_the_engine_unchanged(admission: Admission) -> None:
    schema = {
        "type": "json_schema",
        "json_schema": {"name": "n", "schema": {"x": [1, 2.5, None, {"é": True}], "big": 2**70}},
    }
    draft = admission.draft("chat", chat(response_format=schema), KEY)
    assert engine_body(draft)["response_format"] == schema


def test_a_model_does_only_what_it_can(admission: Admission) -> None:
    with pytest.raises(InvalidRequest, match="does not do chat; it does: completion") as caught:
        admission.draft("chat", chat(model="other"), KEY)
    assert caught.value.param == "model"
    body = msgspec.convert({"model": "other", "prompt": "Hi"}, CompletionBody)
    assert admission.draft("completion", body, KEY).version == "3"


def test_an_unknown_model_is_not_found(admission: Admission) -> None:
    with pytest.raises(ModelNotFound):
        admission.draft("chat", chat(model="gpt-4"), KEY)


def test_no_one_gets_more_tokens_than_the_context(admission: Admission) -> None:
    assert admission.draft("chat", chat(max_tokens=8191), KEY).max_tokens == 8191
    with pytest.raises(InvalidRequest, match="8193") as caught:
        admission.draft("chat", chat(max_completion_tokens=8193), KEY)
    assert caught.value.param == "max_completion_tokens"
    with pytest.raises(InvalidRequest) as caught:
        admission.draft("chat", chat(max_completion_tokens=5, max_tokens=8193), KEY)
    assert caught.value.param == "max_tokens"


def test_what_can_not_fit_is_refused_before_it_is_queued(admission: Admission) -> None:
    words = [{"role": "user", "content": "a" * (256 * 8192)}]
    assert admission.draft("chat", chat(messages=words), KEY)
    with pytest.raises(ContextLengthExceeded, match="at least 8192 tokens, 1 are asked for") as caught:
        admission.draft("chat", chat(messages=words, max_tokens=1), KEY)
    assert caught.value.param == "messages"
    tokens = msgspec.convert({"model": "other", "prompt": [7] * 8180, "max_tokens": 13}, CompletionBody)
    with pytest.raises(ContextLengthExceeded) as caught:
        admission.draft("completion", tokens, KEY)
    assert caught.value.param == "prompt"


def test_a_model_that_reads_alone_is_shown_no_image(admission: Admission) -> None:
    with pytest.raises(InvalidRequest, match="reads text alone") as caught:
        admission.draft("chat", shown(IMAGE), KEY)
    assert caught.value.param == "messages[0].content[1].type"


async def test_a_model_that_sees_is_shown_images_that_are_some(admission: Admission, world: Any) -> None:
    await world.show(msgspec.structs.replace(SMOLLM2, modalities=("text", "image")))
    draft = admission.draft("chat", shown(IMAGE), KEY)
    assert engine_body(draft)["messages"][0]["content"][1] == {"type": "image_url", "image_url": {"url": IMAGE}}
    with pytest.raises(InvalidRequest, match=r"is no image/png") as caught:
        admission.draft("chat", shown("data:image/png;base64,AAAA"), KEY)
    assert caught.value.param == "messages[0].content[1].image_url.url"


def test_labels_have_no_effect(admission: Admission) -> None:
    labels = {"safety_identifier": "s", "prompt_cache_key": "k", "service_tier": "auto", "verbosity": "medium"}
    harmless = {
        "functions": [],
        "function_call": "none",
        "use_beam_search": False,
        "length_penalty": 1.0,
        "audio": None,
    }
    draft = admission.draft("chat", chat(session_id="s", **labels, **harmless), KEY)
    assert set(engine_body(draft)) == {"model", "messages", "seed"}


def test_the_priority_goes_with_the_record(admission: Admission) -> None:
    draft = admission.draft("chat", chat(priority=3), KEY)
    assert draft.priority == 3
    assert "priority" not in engine_body(draft)


def test_a_fault_for_tests_reaches_the_engine(admission: Admission) -> None:
    fault = {"kind": "slow", "token": 2, "seconds": 0.5}
    assert engine_body(admission.draft("chat", chat(synthetic_fault=fault), KEY))["synthetic_fault"] == fault


def test_a_message_that_is_continued_opens_no_other(admission: Admission) -> None:
    body = chat(continue_final_message=True)
    assert engine_body(admission.draft("chat", body, KEY))["add_generation_prompt"] is False
    assert body.add_generation_prompt is None
