"""Examples. A test sends each request, and reads each answer by the type that it is an example of."""

from typing import Any

_MODEL = "smollm2"
_QUESTION = [{"role": "user", "content": "What is the capital of France?"}]
_WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tells the weather of a town.",
        "parameters": {"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]},
    },
}
_CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "inhabitants": {"type": "integer"}},
    "required": ["city", "inhabitants"],
    "additionalProperties": False,
}
_CALLED = [
    {"role": "user", "content": "How is the weather in Paris?"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"town":"Paris"}'}}
        ],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "22 degrees, clear"},
]

_REQUESTS: dict[str, dict[str, tuple[str, dict[str, Any]]]] = {
    "/chat/completions": {
        "question": ("A question", {"messages": _QUESTION, "temperature": 0, "max_tokens": 32}),
        "streamed": (
            "The same as a stream that counts its tokens",
            {"messages": _QUESTION, "max_tokens": 32, "stream": True, "stream_options": {"include_usage": True}},
        ),
        "several": (
            "Three answers, the same ones each time",
            {"messages": _QUESTION, "n": 3, "seed": 7, "max_tokens": 16},
        ),
        "schema": (
            "JSON that is valid under a schema",
            {
                "messages": [{"role": "user", "content": "Describe Paris."}],
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "city", "schema": _CITY, "strict": True},
                },
            },
        ),
        "tool": (
            "A call of a function, which has to come",
            {
                "messages": [_CALLED[0]],
                "tools": [_WEATHER],
                "tool_choice": {"type": "function", "function": {"name": "weather"}},
            },
        ),
        "called": ("What the function said", {"messages": _CALLED, "tools": [_WEATHER], "max_tokens": 32}),
        "probabilities": (
            "The log-probabilities of what was said, and of the runners-up",
            {"messages": _QUESTION, "logprobs": True, "top_logprobs": 2, "max_tokens": 4},
        ),
    },
    "/completions": {
        "text": ("A text to go on with", {"prompt": "Once upon a time", "max_tokens": 16, "temperature": 0}),
        "streamed": (
            "The same as a stream, ended by a full stop",
            {"prompt": "Once upon a time", "max_tokens": 16, "stop": ["."], "stream": True},
        ),
        "expression": (
            "A text that matches an expression",
            {"prompt": "The year is ", "structured_outputs": {"regex": "(19|20)[0-9]{2}"}},
        ),
        "batch": ("Two texts at once", {"prompt": ["Once upon a time", "It was late"], "max_tokens": 8}),
    },
    "/embeddings": {
        "texts": ("The vectors of two texts", {"input": ["a fox", "a bear"]}),
        "bytes": ("As bytes, which take a third of the room", {"input": "a fox", "encoding_format": "base64"}),
    },
}

_ANSWER = "The capital of France is Paris."
_CHAT = {"id": "chatcmpl-0a1b2c3d4e5f", "created": 1_760_000_000, "model": _MODEL, "system_fingerprint": "fp_1a2b3c4d"}
_TEXT = {**_CHAT, "id": "cmpl-0a1b2c3d4e5f", "object": "text_completion"}
_COUNTS = {
    "prompt_tokens": 36,
    "completion_tokens": 8,
    "total_tokens": 44,
    "prompt_tokens_details": {"cached_tokens": 32},
}
_CARD = {"id": _MODEL, "object": "model", "created": 1_760_000_000, "owned_by": "inferno", "max_model_len": 8192}


def _choice(finish: str | None, **said: Any) -> list[dict[str, Any]]:
    return [{"index": 0, **said, "logprobs": None, "finish_reason": finish}]


_ANSWERS: dict[str, dict[str, Any]] = {
    "ChatCompletion": {
        **_CHAT,
        "object": "chat.completion",
        "choices": _choice("stop", message={"role": "assistant", "content": _ANSWER, "refusal": None}),
        "usage": _COUNTS,
    },
    "TextCompletion": {**_TEXT, "choices": _choice("stop", text=", there was a fox."), "usage": _COUNTS},
    "EmbeddingList": {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.6, -0.8]}],
        "model": "embedder",
        "usage": {"prompt_tokens": 3, "total_tokens": 3},
    },
    "ModelCard": _CARD,
    "ModelList": {"object": "list", "data": [_CARD]},
}


def _chat_chunk(index: int | None, finish: str | None, **delta: str) -> dict[str, Any]:
    chunk = {"object": "chat.completion.chunk", "choices": _choice(finish, delta=delta), "token_index": index}
    return {**_CHAT, **chunk}


def _text_chunk(index: int | None, finish: str | None, text: str) -> dict[str, Any]:
    return {**_TEXT, "choices": _choice(finish, text=text), "token_index": index}


CHUNKS: dict[str, list[dict[str, Any]]] = {
    "ChatChunk": [
        _chat_chunk(None, None, role="assistant", content=""),
        _chat_chunk(0, None, content="Paris"),
        _chat_chunk(1, "stop", content="."),
    ],
    "TextChunk": [_text_chunk(0, None, ", there"), _text_chunk(1, "length", " was")],
}
"""The events of a stream, in order, by the name of their type."""

FAILURE = {
    "error": {
        "message": "The engine failed. Try again.",
        "type": "server_error",
        "param": None,
        "code": "engine_failed",
    }
}
"""The event that ends a stream which failed."""


def requests(path: str) -> dict[str, Any]:
    """Give the examples of a path's requests."""
    return {
        name: {"summary": summary, "value": {"model": _MODEL, **body}}
        for name, (summary, body) in _REQUESTS[path].items()
    }


def answers(type_: type) -> dict[str, Any]:
    """Give the example of an answer."""
    return {"answer": {"value": _ANSWERS[type_.__name__]}}
