"""What a program asks of a model by way of OpenAI's API: each is to be answered alike as a whole and as a stream."""

from typing import Any

from tests.answers import CHAT, COMPLETIONS

QUESTION: list[dict[str, Any]] = [{"role": "user", "content": "What is the capital of France?"}]
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 8}, "unit": {"enum": ["C", "F"]}},
    "required": ["city", "unit"],
    "additionalProperties": False,
}
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "weather", "description": "Tells the weather.", "parameters": SCHEMA},
}
NAMED: dict[str, Any] = {"type": "function", "function": {"name": "weather"}}
FORM: dict[str, Any] = {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA, "strict": True}}


def chat(**fields: Any) -> tuple[str, dict[str, Any]]:
    """A chat of which as little as possible is left to chance."""
    return CHAT, {"messages": QUESTION, "temperature": 0, "max_tokens": 24, **fields}


def text(**fields: Any) -> tuple[str, dict[str, Any]]:
    """A text to be continued, likewise."""
    return COMPLETIONS, {"prompt": "One, two, three,", "temperature": 0, "max_tokens": 8, **fields}


FEATURES: dict[str, tuple[str, dict[str, Any]]] = {
    "plain": chat(),
    "stop": chat(stop=["a"]),
    "stop, included": chat(stop=["a"], include_stop_str_in_output=True),
    "length": chat(max_completion_tokens=3),
    "three choices": chat(n=3, temperature=1, seed=7),
    "a seed": chat(temperature=1, seed=7),
    "log-probabilities": chat(logprobs=True, top_logprobs=3),
    "log-probabilities of several choices": chat(n=2, temperature=1, seed=3, logprobs=True),
    "a schema": chat(response_format=FORM, max_tokens=60),
    "any JSON": chat(response_format={"type": "json_object"}, max_tokens=40),
    "an expression": chat(structured_outputs={"regex": "[0-9]{3}-[a-z]{2}"}),
    "a choice": chat(structured_outputs={"choice": ["Rome", "Oslo"]}),
    "a tool that is named": chat(tools=[TOOL], tool_choice=NAMED, max_tokens=90),
    "a tool that is required": chat(tools=[TOOL], tool_choice="required", max_tokens=120),
    "tools that may be used": chat(tools=[TOOL]),
    "tools that may not be used": chat(tools=[TOOL], tool_choice="none"),
    "penalties": chat(presence_penalty=1, frequency_penalty=0.5, repetition_penalty=1.1),
    "sampling": chat(temperature=0.8, top_p=0.9, top_k=20, min_p=0.05, seed=11),
    "a bias": chat(logit_bias={"28": -100, "30": 5}),
    "bad words": chat(bad_words=["Paris"]),
    "a least length": chat(min_tokens=12, max_tokens=16),
    "no end": chat(ignore_eos=True, max_tokens=12),
    "a text": text(),
    "a text, several times": text(n=3, temperature=1, seed=7),
    "several texts": text(prompt=["One, two,", "A, B,", "Do, re,"], n=2, temperature=1, seed=5),
    "token ids": text(prompt=[1, 2, 3, 4]),
    "lists of token ids": text(prompt=[[1, 2, 3], [4, 5]]),
    "an echo": text(echo=True),
    "an echo with log-probabilities": text(echo=True, logprobs=2),
    "a text's log-probabilities": text(logprobs=3),
    "a text until a stop": text(stop=["e", "i"], max_tokens=24),
    "a text of a form": text(structured_outputs={"regex": "[0-9]{4}"}),
}
