import json
from typing import Any

import msgspec
import pytest

from inferno_api.admission import Admission
from inferno_api.chat import ChatBody
from inferno_api.completion import CompletionBody
from inferno_core.errors import InvalidRequest, ModelNotFound
from inferno_core.keys import Key
from inferno_core.records import Deadlines, Tenant
from inferno_stream.edge import Draft

KEY = Key(tenant=Tenant("o", "p", "k"), prefix="inf-x", store="metadata")


def chat(**fields: Any) -> ChatBody:
    body = {"model": "smollm2", "messages": [{"role": "user", "content": "Hi"}], **fields}
    return msgspec.convert(body, ChatBody)


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
    schema = {"type": "json_schema", "json_schema": {"schema": {"x": [1, 2.5, None, {"é": True}], "big": 2**70}}}
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
    assert admission.draft("chat", chat(max_tokens=8192), KEY).max_tokens == 8192
    with pytest.raises(InvalidRequest, match="8193") as caught:
        admission.draft("chat", chat(max_completion_tokens=8193), KEY)
    assert caught.value.param == "max_completion_tokens"
