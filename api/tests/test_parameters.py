"""Every parameter of every surface, with values that are taken and values that are refused, as stream and as a whole.

A field that gets no row here fails the first test, so that none is forgotten.
"""

import contextlib
import dataclasses
import json
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import httpx
import msgspec
import openai.types.chat.completion_create_params as openai_chat
import openai.types.completion_create_params as openai_completion
import openai.types.embedding_create_params as openai_embedding
import pytest
from msgspec.structs import replace

from inferno_api import admission, app
from inferno_api.requests import validation
from inferno_api.requests.asked import Asked
from inferno_api.requests.chat import ChatBody
from inferno_api.requests.completion import CompletionBody
from inferno_api.requests.embedding import EmbeddingBody
from inferno_api.requests.refused import REFUSED
from inferno_core.errors import InvalidRequest
from inferno_core.settings import ApiSettings

PATHS = {"chat": "/v1/chat/completions", "completion": "/v1/completions", "embedding": "/v1/embeddings"}
BODIES: dict[str, type[Asked]] = {"chat": ChatBody, "completion": CompletionBody, "embedding": EmbeddingBody}
BASES: dict[str, dict[str, Any]] = {
    "chat": {"model": "smollm2", "messages": [{"role": "user", "content": "Hi"}]},
    "completion": {"model": "smollm2", "prompt": "Hi"},
    "embedding": {"model": "smollm2", "input": "Hi"},
}
HUGE = "💥" * 20_000
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
TOOL = {"type": "function", "function": {"name": "f", "parameters": SCHEMA}}
USER = {"role": "user", "content": "Hi"}
NO_BOOLEAN: list[Any] = ["yes", 1, [], {}]
NO_INTEGER: list[Any] = ["1", 1.5, True, [], {}, 2**63, 10**400]
NO_NUMBER: list[Any] = ["1", True, [], {}]
NO_TEXT: list[Any] = [1, True, ["a"], {}]
ANYTHING: list[Any] = ["a", 1, True, [1], {"a": 1}]

Row = tuple[list[Any], list[Any]]
FLAG: Row = ([True, False], NO_BOOLEAN)
REFUSED_FLAG: Row = ([False], [True, *NO_BOOLEAN])
NOTHING: Row = ([None], ANYTHING)
LABEL: Row = (["a", "", "\u0000", "💥" * 500, "\u202e"], [*NO_TEXT, HUGE])
TOKEN_IDS: list[Any] = ["1", [-1], ["1"], [1.5], [2**31], [True]]
TEXTS: Row = (["Hi", "", "\u0000", ["a", "b"], [1, 2], [[1], [2, 3]]], [1, True, {}, [], [""] * 3000, [1, "a"], [[]]])

# What is taken, and what is refused. A field of one surface alone is named with it where the surfaces differ.
ROWS: dict[str, Row] = {
    "model": (["smollm2"], [*NO_TEXT, "", HUGE]),
    "messages": (
        [[USER], [{"role": "tool", "content": "", "tool_call_id": "a"}, USER]],
        ["Hi", [], {}, [5], [USER] * 2049],
    ),
    "prompt": TEXTS,
    "input": TEXTS,
    "stream": FLAG,
    "stream_options": (
        [{"include_usage": True}, {}, {"include_obfuscation": False}],
        ["a", 1, [], {"include_usage": 1}],
    ),
    "n": ([1, 3, 128], [0, -1, 129, *NO_INTEGER]),
    "max_tokens": ([1, 8000], [0, -1, 8193, *NO_INTEGER]),
    "max_completion_tokens": ([1, 8000], [0, -1, 8193, *NO_INTEGER]),
    "temperature": ([0, 0.7, 2], [-0.1, 2.1, *NO_NUMBER]),
    "top_p": ([0.1, 1], [0, 1.1, *NO_NUMBER]),
    "top_k": ([-1, 0, 50], [-2, *NO_INTEGER]),
    "min_p": ([0, 1], [-0.1, 1.1, *NO_NUMBER]),
    "stop": (["a", ["a", "💥"], [], "\u0000"], ["", ["a"] * 5, [""], [1], 1, {}, HUGE]),
    "seed": ([0, -5, 2**63 - 1], [2**63, -(2**63) - 1, "1", 1.5, True, []]),
    "presence_penalty": ([-2, 0, 1.5], [-2.1, 2.1, *NO_NUMBER]),
    "frequency_penalty": ([-2, 0, 1.5], [-2.1, 2.1, *NO_NUMBER]),
    "repetition_penalty": ([0.5, 1, 10], [0, -1, 10.1, *NO_NUMBER]),
    "logit_bias": (
        [{}, {"50256": -100, "0": 1.5}],
        [
            [],
            "a",
            {"a": 1},
            {"-1": 1},
            {"1.5": 1},
            {"٣": 1},
            {"5": 101},
            {"9999999999": 1},
            {str(n): 1 for n in range(1025)},
        ],
    ),
    "chat.logprobs": FLAG,
    "completion.logprobs": ([0, 20], [-1, 21, *NO_INTEGER]),
    "top_logprobs": ([0], [3, -1, 21, *NO_INTEGER]),
    "min_tokens": ([0, 4], [-1, *NO_INTEGER]),
    "ignore_eos": FLAG,
    "stop_token_ids": ([[], [1, 2]], [*TOKEN_IDS, [1] * 129]),
    "allowed_token_ids": ([[1, 2]], [*TOKEN_IDS, [], [1] * 1025]),
    "bad_words": ([[], ["a", "💥"]], ["a", [""], [1], ["a"] * 129]),
    "include_stop_str_in_output": FLAG,
    "skip_special_tokens": FLAG,
    "spaces_between_special_tokens": FLAG,
    "return_tokens_as_token_ids": FLAG,
    "thinking_token_budget": ([-1, 0, 100], [-2, *NO_INTEGER]),
    "repetition_detection": (
        [{}, {"max_pattern_size": 4, "min_count": 3}],
        ["a", {"max_pattern_size": 4}, {"min_pattern_size": 2}, {"max_pattern_size": -1}, {"max_pattern_size": 10**9}],
    ),
    "response_format": (
        [
            {"type": "text"},
            {"type": "json_object"},
            {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}},
        ],
        ["json", [], {}, {"type": "structural_tag"}, {"type": "json_schema"}, {"type": 5}, {"type": HUGE}],
    ),
    "structured_outputs": (
        [{"regex": "a+"}, {"choice": ["a", "b"]}, {"json": SCHEMA}],
        ["a", {}, {"regex": ""}, {"regex": "a{99999}"}, {"regex": "a", "choice": ["a"]}, {"structural_tag": "a"}],
    ),
    "synthetic_fault": (
        [{"kind": "slow", "seconds": 1}],
        ["crash", {}, {"kind": "laugh"}, {"kind": "slow", "token": -1}],
    ),
    "priority": ([0, 7], [-1, *NO_INTEGER]),
    "user": LABEL,
    "session_id": LABEL,
    "cache_salt": (["a", "💥"], ["", "a/b", "a\u0000", "a" * 129, "a\n" * 70, *NO_TEXT]),
    "add_special_tokens": FLAG,
    "truncate_prompt_tokens": ([-1, 0, 5], [-2, *NO_INTEGER]),
    "truncation_side": (["left", "right"], ["up", HUGE, *NO_TEXT]),
    # Chats alone.
    "tools": (
        [[], [TOOL]],
        ["a", {}, [{}], [TOOL, TOOL], [{"type": "custom"}], [{"type": "function", "function": {}}]],
    ),
    "tool_choice": (["none", "auto"], ["required", "any", 1, [], {}, {"type": "function", "function": {"name": "g"}}]),
    "parallel_tool_calls": FLAG,
    "reasoning_effort": (["none", "high"], ["most", HUGE, *NO_TEXT]),
    "include_reasoning": FLAG,
    "modalities": ([[], ["text"]], ["text", ["audio"], [1], {}]),
    "documents": ([[], [{"title": "a", "text": "b"}]], ["a", [1], [{"a": 1}], [{"a": HUGE}], [{}] * 129]),
    "add_generation_prompt": FLAG,
    "continue_final_message": FLAG,
    "chat_template_kwargs": ([{}, {"enable_thinking": False}], ["a", [], {"evil": 1}, {"enable_thinking": "a"}]),
    "metadata": ([{}, {"a": "b"}], ["a", {"a": 1}, {"a" * 65: "b"}, {"a": "b" * 513}, {str(n): "" for n in range(17)}]),
    "store": FLAG,
    "safety_identifier": LABEL,
    "prompt_cache_key": LABEL,
    "prompt_cache_options": ([{}, {"mode": "implicit", "ttl": "30m"}], ["a", [], {"mode": HUGE}]),
    "prompt_cache_retention": (["in_memory", "24h"], ["48h", *NO_TEXT]),
    "service_tier": (["auto", "default"], ["flex", "priority", *NO_TEXT]),
    "verbosity": (["medium"], ["low", "high", *NO_TEXT]),
    # Plain completions alone.
    "completion.echo": FLAG,
    "suffix": ([""], ["a", *NO_TEXT]),
    "best_of": ([1], [2, 0, 129, *NO_INTEGER]),
    # Embeddings alone.
    "dimensions": ([1, 4096], [0, -1, 10**9, *NO_INTEGER]),
    "encoding_format": (["float", "base64"], ["bytes", *NO_TEXT]),
    "use_activation": FLAG,
    "embed_dtype": (["float32"], ["float16", *NO_TEXT]),
    "endianness": (["native", "little"], ["big", *NO_TEXT]),
    "padding": (["do_not_pad"], ["max_length", *NO_TEXT]),
    # Known, and honoured nowhere.
    "audio": NOTHING,
    "chat_template": NOTHING,
    "chat.echo": REFUSED_FLAG,
    "ec_transfer_params": NOTHING,
    "function_call": (["none", "auto"], [{"name": "f"}, *NO_TEXT]),
    "functions": ([[]], [[{"name": "f"}], [1], "a", 1, {}]),
    "kv_transfer_params": NOTHING,
    "length_penalty": ([1, 1.0], [0.5, 2, *NO_NUMBER]),
    "logits_processors": NOTHING,
    "logprob_token_ids": NOTHING,
    "media_io_kwargs": NOTHING,
    "mm_payload": NOTHING,
    "mm_processor_kwargs": NOTHING,
    "moderation": NOTHING,
    "prediction": NOTHING,
    "prompt_embeds": NOTHING,
    "prompt_logprobs": NOTHING,
    "request_id": NOTHING,
    "return_mm_kwargs": NOTHING,
    "return_prompt_text": REFUSED_FLAG,
    "return_token_ids": REFUSED_FLAG,
    "return_token_offsets": REFUSED_FLAG,
    "routed_experts_prompt_start": ([0], [1, -1, *NO_INTEGER]),
    "stream_interval": ([1], [0, 2, *NO_INTEGER]),
    "use_beam_search": REFUSED_FLAG,
    "vllm_xargs": NOTHING,
    "watermarking": REFUSED_FLAG,
    "web_search_options": NOTHING,
}
REQUIRED = {"model", "messages", "prompt", "input"}

# The fields of vLLM 0.32's request classes: what it would take, this platform honours or refuses by name.
VLLM_BOTH = """
    add_special_tokens allowed_token_ids bad_words cache_salt ec_transfer_params echo frequency_penalty ignore_eos
    include_stop_str_in_output kv_transfer_params length_penalty logit_bias logprob_token_ids logprobs max_tokens min_p
    min_tokens mm_payload model n presence_penalty priority prompt_logprobs repetition_detection repetition_penalty
    request_id response_format return_mm_kwargs return_token_ids return_token_offsets return_tokens_as_token_ids
    routed_experts_prompt_start seed session_id skip_special_tokens spaces_between_special_tokens stop stop_token_ids
    stream stream_interval stream_options structured_outputs temperature thinking_token_budget top_k top_p
    truncate_prompt_tokens truncation_side use_beam_search user vllm_xargs watermarking
"""
VLLM: dict[str, str] = {
    "chat": VLLM_BOTH
    + """
        add_generation_prompt chat_template chat_template_kwargs continue_final_message documents include_reasoning
        max_completion_tokens media_io_kwargs messages mm_processor_kwargs parallel_tool_calls reasoning_effort
        return_prompt_text tool_choice tools top_logprobs
    """,
    "completion": VLLM_BOTH + "prompt prompt_embeds suffix",
    "embedding": """
        add_special_tokens cache_salt dimensions embed_dtype encoding_format endianness input mm_processor_kwargs model
        padding priority request_id truncate_prompt_tokens truncation_side use_activation user
    """,
}
OPENAI: dict[str, set[str]] = {
    "chat": {*openai_chat.CompletionCreateParamsBase.__annotations__, "stream"},
    "completion": {*openai_completion.CompletionCreateParamsBase.__annotations__, "stream"},
    "embedding": {*openai_embedding.EmbeddingCreateParams.__annotations__},
}


def row(surface: str, field: str) -> Row:
    return ROWS.get(f"{surface}.{field}") or ROWS[field]


def cells(refused: bool) -> Iterator[tuple[str, str, Any]]:
    for surface, body in BODIES.items():
        for field in body.__struct_fields__:
            for value in row(surface, field)[refused]:
                yield surface, field, value


def needs(field: str) -> dict[str, Any]:
    """What has to be said besides, for a field to be taken at all."""
    return {"stream": True} if field == "stream_options" else {}


@pytest.mark.parametrize("surface", BODIES)
def test_every_parameter_has_its_row(surface: str) -> None:
    assert [field for field in BODIES[surface].__struct_fields__ if not any(row(surface, field))] == []


def test_no_row_is_left_over() -> None:
    fields = {field for body in BODIES.values() for field in body.__struct_fields__}
    assert {name.rpartition(".")[2] for name in ROWS} == fields


@pytest.mark.parametrize("surface", BODIES)
def test_every_parameter_that_openai_documents_is_known(surface: str) -> None:
    assert OPENAI[surface] - set(BODIES[surface].__struct_fields__) == set()


@pytest.mark.parametrize("surface", BODIES)
def test_every_field_that_vllm_takes_is_known(surface: str) -> None:
    assert set(VLLM[surface].split()) - set(BODIES[surface].__struct_fields__) == set()


def test_what_is_refused_is_a_field() -> None:
    fields = {field for body in BODIES.values() for field in body.__struct_fields__}
    assert {name for name in REFUSED if "." not in name} <= fields
    assert fields >= admission.LABELS


@pytest.fixture
async def everything(world: Any) -> AsyncGenerator[httpx.AsyncClient]:
    """A platform whose model does all, and that reads longer bodies than other tests send."""
    await world.show(replace(world.models[1], tasks=("chat", "completion", "embedding")))
    world.parts = dataclasses.replace(world.parts, settings=ApiSettings(max_body_bytes=1 << 20))
    world.app = app.build(world.parts)
    async with world.client() as client:
        yield client


@pytest.mark.parametrize("stream", [False, True])
async def test_what_is_right_is_taken(everything: httpx.AsyncClient, stream: bool) -> None:
    for surface, field, value in cells(refused=False):
        body = {**BASES[surface], "stream": stream, **needs(field), field: value}
        answer = await everything.post(PATHS[surface], content=json.dumps(body))
        assert answer.status_code == 200, (surface, field, value, answer.text)


@pytest.mark.parametrize("stream", [False, True])
async def test_null_is_unset(everything: httpx.AsyncClient, world: Any, stream: bool) -> None:
    for surface, body in BODIES.items():
        unset = {field: None for field in body.__struct_fields__ if field not in REQUIRED}
        answer = await everything.post(
            PATHS[surface], content=json.dumps({**unset, **BASES[surface], "stream": stream})
        )
        assert answer.status_code == 200, answer.text
        told = json.loads(world.edge.submitted[-1].body)
        assert told.keys() - {"seed"} == BASES[surface].keys() | ({"max_tokens"} if surface == "completion" else set())


@pytest.mark.parametrize("stream", [False, True])
async def test_what_is_wrong_is_refused_by_name(everything: httpx.AsyncClient, world: Any, stream: bool) -> None:
    for surface, field, value in cells(refused=True):
        body = {**BASES[surface], "stream": stream, **needs(field), field: value}
        answer = await everything.post(PATHS[surface], content=json.dumps(body))
        assert answer.status_code == 400, (surface, field, value, answer.text)
        error = answer.json()["error"]
        assert named(error["param"]) == field, (surface, field, value, error)
        assert field in error["message"]
        assert error["message"].endswith(".")
        assert len(error["message"]) < 500
    assert world.edge.submitted == []


@pytest.mark.parametrize("surface", BODIES)
def test_no_value_of_another_field_takes_one_by_surprise(surface: str) -> None:
    decode = msgspec.json.Decoder(BODIES[surface]).decode
    every = {json.dumps(value) for taken, refused in ROWS.values() for value in (*taken, *refused)}
    short = [value for value in every if len(value) < 1000]
    for field in BODIES[surface].__struct_fields__:
        for value in short:
            data = json.dumps({**BASES[surface], field: "VALUE"}).replace('"VALUE"', value).encode()
            with contextlib.suppress(InvalidRequest):
                validation.read(data, decode)


def named(param: str | None) -> str:
    return (param or "").split(".")[0].split("[")[0]
