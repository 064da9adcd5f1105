"""What generations are asked for, in order to be cut and gone on with. Needs nothing but Python."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class Case(NamedTuple):
    """A generation. `lag`: how many gains are put into words together, which makes frames of several tokens."""

    name: str
    surface: str
    body: Mapping[str, Any]
    lag: int = 1


class Setting(NamedTuple):
    """An engine and what it is asked for; `arguments` go on top of those that all have."""

    arguments: Mapping[str, Any]
    cases: Sequence[Case]


# A KV cache that is too small for what runs at once: some are preempted, and are taken up again.
ARGUMENTS: Mapping[str, Any] = {
    "dtype": "float32",
    "enforce_eager": True,
    "max_model_len": 1024,
    "max_num_seqs": 32,
    "max_num_batched_tokens": 256,
    "block_size": 32,
    "kv_cache_memory_bytes": 52_000_000,
    "enable_prefix_caching": True,
}
TOKENS = 40
STORY = "Write a short story about a lighthouse keeper and a storm."
CAPITAL = "What is the capital of France?"
ANIMALS = "List five animals, one a line."
LONG = "Sum up: " + " ".join(f"Item {i} costs {i * 7 % 13} coins and weighs {i * 3 % 17} grams." for i in range(30))
GREEDY: Mapping[str, Any] = {"temperature": 0, "max_tokens": TOKENS}
SEEDED: Mapping[str, Any] = {"temperature": 1.0, "seed": 7, "max_tokens": TOKENS}
PERSON: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 20},
        "age": {"type": "integer", "maximum": 120},
        "tags": {"type": "array", "items": {"type": "string", "maxLength": 8}, "maxItems": 3},
    },
    "required": ["name", "age", "tags"],
    "additionalProperties": False,
}
WEATHER: Mapping[str, Any] = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "maxLength": 24}, "days": {"type": "integer", "maximum": 14}},
            "required": ["city", "days"],
            "additionalProperties": False,
        },
    },
}
NAMED: Mapping[str, Any] = {"type": "function", "function": {"name": "weather"}}
# What a model says that calls a tool in hermes' way, for one that would not by itself.
CALLS = (
    r'(Let me see\. )?(<tool_call>\n\{"name": "weather", "arguments": \{"city": "[A-Z][a-zé]{3,9}", "days": [1-9]\}\}'
    r"\n</tool_call>\n?){1,2}"
)
EMOJI = "(🦄|🧑‍🚀|🏳️‍🌈|👩🏽‍🔬)"
CJK = "[東京龍鬱葛飾齋藤]{8,14}"


def _chat(name: str, said: str, *parts: Mapping[str, Any], lag: int = 1, **more: Any) -> Case:
    body: dict[str, Any] = {"messages": [{"role": "user", "content": said}]}
    for part in (*parts, more):
        body |= part
    return Case(name, "chat", body, lag)


def _completion(name: str, prompt: Any, *parts: Mapping[str, Any], lag: int = 1, **more: Any) -> Case:
    body: dict[str, Any] = {"prompt": prompt}
    for part in (*parts, more):
        body |= part
    return Case(name, "completion", body, lag)


def _held_to(regex: str) -> Mapping[str, Any]:
    return {"structured_outputs": {"regex": regex}}


_SAMPLING = (
    _chat("greedy", STORY, GREEDY),
    _chat("greedy, to its end", CAPITAL, GREEDY),
    _chat("presence penalty", ANIMALS, GREEDY, presence_penalty=1.5),
    _chat("frequency penalty", ANIMALS, GREEDY, frequency_penalty=1.2),
    _chat("repetition penalty", ANIMALS, GREEDY, repetition_penalty=1.3),
    _chat("min_tokens", CAPITAL, GREEDY, min_tokens=20),
    _chat("bad_words", CAPITAL, GREEDY, bad_words=["Paris", "capital of France"]),
    _chat("logit_bias", CAPITAL, GREEDY, logit_bias={"7042": -100, "3575": -100}),
    _chat("seed", STORY, SEEDED),
    _chat("seed, top_p", STORY, SEEDED, top_p=0.8),
    _chat("seed, top_k", STORY, SEEDED, top_k=20),
    _chat("seed, min_p", STORY, SEEDED, min_p=0.1),
    _chat("seed, all of it", STORY, SEEDED, top_p=0.9, top_k=50, min_p=0.02, presence_penalty=0.5, seed=2**62 + 3),
    _chat("n = 2", STORY, SEEDED, n=2),
    _chat("n = 2, one ends first", CAPITAL, SEEDED, n=2, lag=2),
    _chat("prefill in chunks", LONG, GREEDY),
    _chat("prefill in chunks, seed", LONG, SEEDED),
    _chat("log-probabilities", STORY, GREEDY, logprobs=True, top_logprobs=2),
    _chat("log-probabilities, seed", STORY, SEEDED, logprobs=True, top_logprobs=2, top_p=0.95),
)
_STOPS = (
    _chat("stop, excluded", STORY, GREEDY, stop=["night, and the light", "keeper had"], lag=2),
    _chat("stop, included", STORY, GREEDY, stop=["night, and the light"], include_stop_str_in_output=True),
    _chat("stop, across words", CAPITAL, GREEDY, stop=["rance is Par"]),
    _chat("stop, across words, included", CAPITAL, GREEDY, stop=["rance is Par"], include_stop_str_in_output=True),
    _chat("stop, never", STORY, GREEDY, stop=["lighthouse keeper nobody ever was", "zzz"]),
    _chat("stop after min_tokens", STORY, GREEDY, stop=[" the", "ea"], min_tokens=12),
    _chat("stop at a token", CAPITAL, GREEDY, stop_token_ids=[7042]),
    _chat("stop in emoji", "Emoji!", SEEDED, _held_to(EMOJI + "{7}"), max_tokens=90, stop=["🔬👩🏽\u200d🔬👩", "🦄🦄"]),
)
_GRAMMARS = (
    _chat(
        "JSON schema",
        "Describe a person as JSON.",
        GREEDY,
        response_format={"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON}},
        max_tokens=80,
    ),
    _chat(
        "JSON schema, seed",
        "Describe a person as JSON.",
        SEEDED,
        response_format={"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON}},
        max_tokens=80,
    ),
    _chat("JSON object", "Describe a cat as JSON.", SEEDED, response_format={"type": "json_object"}),
    _chat("regex", "Give a phone number.", SEEDED, _held_to(r"\+[0-9]{2} [0-9]{3}-[0-9]{4,8}( ext\. [0-9]{2})?")),
    _chat(
        "choice",
        "Pick.",
        SEEDED,
        structured_outputs={"choice": ["a magnificent unicorn in the garden", "a magnificent dragon", "nothing"]},
    ),
    _chat("emoji", "Say emoji.", SEEDED, _held_to(EMOJI + "{3,4}"), max_tokens=60, logprobs=True, top_logprobs=1),
    _chat("CJK", "漢字", SEEDED, _held_to(CJK), logprobs=True, top_logprobs=1),
)
_TOOLS = (
    _chat("tool, named", "Weather in Paris?", SEEDED, tools=[WEATHER], tool_choice=NAMED, max_tokens=90),
    _chat("tool, required", "Weather in Paris?", SEEDED, tools=[WEATHER], tool_choice="required", max_tokens=90),
    _chat("tool, hermes", "Weather in Paris?", SEEDED, _held_to(CALLS), tools=[WEATHER], max_tokens=170),
    _chat("tool, hermes, lagging", "Weather in Oslo?", SEEDED, _held_to(CALLS), tools=[WEATHER], max_tokens=170, lag=3),
)
_COMPLETIONS = (
    _completion("completion", "Once upon a time", SEEDED),
    _completion("completion of token ids, echo", [3725, 2238, 253, 655], GREEDY, echo=True),
    _completion("completion with log-probabilities", "Once upon a time", SEEDED, logprobs=2, lag=2),
    _completion("completion of two prompts, n = 2", ["One, two,", "A, B,"], SEEDED, n=2, max_tokens=12),
)
_NOT_THINKING = {"chat_template_kwargs": {"enable_thinking": False}}
# The model does not think by itself: its thoughts are begun for it, and a budget ends them.
_THOUGHTS: Mapping[str, Any] = {"continue_final_message": True, "add_generation_prompt": False}


def _thought(name: str, said: str, *parts: Mapping[str, Any], lag: int = 1, **more: Any) -> Case:
    messages = [{"role": "user", "content": said}, {"role": "assistant", "content": "<think>\nLet"}]
    return _chat(name, said, *parts, _THOUGHTS, {"messages": messages}, lag=lag, **more)


_THINKING = (
    _thought("reasoning", STORY, SEEDED, thinking_token_budget=14),
    _thought("reasoning, lagging", STORY, GREEDY, thinking_token_budget=11, lag=3),
    _thought("reasoning, never ending", STORY, SEEDED, thinking_token_budget=400),
    _thought(
        "reasoning, then words of a set", CAPITAL, SEEDED, _held_to("(red|green|blue){4}"), thinking_token_budget=9
    ),
    _thought(
        "reasoning, then JSON",
        "Describe a person as JSON.",
        SEEDED,
        thinking_token_budget=12,
        response_format={"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON}},
        max_tokens=80,
    ),
    _thought(
        "reasoning, then a tool",
        "Weather in Paris?",
        SEEDED,
        thinking_token_budget=9,
        tools=[WEATHER],
        tool_choice="required",
        max_tokens=90,
    ),
)


def _speaks(case: Case) -> Case:
    return case._replace(body={**case.body, **_NOT_THINKING}) if case.surface == "chat" else case


_TALK = (*_SAMPLING, *_STOPS, *_GRAMMARS, *_TOOLS)
SETTINGS: Mapping[str, Setting] = {
    "qwen3": Setting(
        {"reasoning_parser": "qwen3", "tool_call_parser": "hermes"},
        (*map(_speaks, _TALK), *_COMPLETIONS, *_THINKING),
    ),
    "deepseek_r1": Setting({"reasoning_parser": "deepseek_r1", "tool_call_parser": "hermes"}, _THINKING),
    "guidance": Setting(
        {"structured_outputs_config": {"backend": "guidance"}, "tool_call_parser": "hermes"}, _GRAMMARS
    ),
}
