"""Asks for an answer twice, as a whole and as a stream, and folds the stream as a client does."""

import asyncio
import json
from typing import Any, NamedTuple

import httpx

Json = dict[str, Any]

CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"


class Both(NamedTuple):
    """The same answer in both forms, each as a whole, without what differs from request to request."""

    whole: Json
    streamed: Json
    chunks: list[Json]

    @property
    def choices(self) -> list[Json]:
        """The whole answer's choices."""
        return list(self.whole["choices"])


WITH_USAGE: Json = {"stream": True, "stream_options": {"include_usage": True}}
_answered: dict[str, httpx.Response] = {}


async def once(client: httpx.AsyncClient, path: str, body: Json) -> httpx.Response:
    """Give the answer to this body, which is asked for once in a run of the tests: a real model takes its time."""
    key = f"{client.base_url} {path} {json.dumps(body, sort_keys=True)}"
    if key not in _answered:
        _answered[key] = await client.post(path, json=body)
    return _answered[key]


async def both(client: httpx.AsyncClient, path: str, body: Json) -> Both:
    """Ask as a whole and as a stream, at the same time."""
    answer, chunks = await asyncio.gather(once(client, path, body), stream(client, path, body))
    assert answer.status_code == 200, answer.text
    whole = answer.json()
    for field in ("id", "created"):
        del whole[field]
    streamed = fold(chunks)
    for usage in (whole["usage"], streamed["usage"]):
        # Whoever comes second may find the prompt in the engine's cache.
        del usage["prompt_tokens_details"]
    return Both(whole, streamed, chunks)


async def stream(client: httpx.AsyncClient, path: str, body: Json) -> list[Json]:
    """Give the chunks of a streamed answer, which has to come to its end."""
    answer = await once(client, path, {**body, **WITH_USAGE})
    assert answer.status_code == 200, answer.text
    lines = [line for line in answer.text.splitlines() if line.startswith("data: ")]
    assert lines[-1] == "data: [DONE]", lines[-1]
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]


def fold(chunks: list[Json]) -> Json:
    """Join the chunks of a stream into the form of a whole answer, without id and time."""
    first, last = chunks[0], chunks[-1]
    choices: dict[int, Json] = {}
    for piece in (piece for chunk in chunks for piece in chunk["choices"]):
        _add(choices.setdefault(piece["index"], {"index": piece["index"]}), piece)
    kind = {"chat.completion.chunk": "chat.completion"}.get(first["object"], first["object"])
    return {
        "object": kind,
        "model": first["model"],
        "system_fingerprint": first["system_fingerprint"],
        "choices": [_closed(choices[index]) for index in sorted(choices)],
        "usage": last["usage"],
    }


def _add(choice: Json, piece: Json) -> None:
    if "text" in piece:
        choice["text"] = choice.get("text", "") + piece["text"]
    if "delta" in piece:
        message = choice.setdefault("message", {"content": "", "refusal": None, "tool_calls": {}})
        _say(message, piece["delta"])
    known = choice.setdefault("logprobs", None)
    if piece.get("logprobs") is not None:
        choice["logprobs"] = _joined(known, piece["logprobs"])
    for field in ("finish_reason", "stop_reason"):
        if field in piece and (piece[field] is not None or field not in choice):
            choice[field] = piece[field]


def _say(message: Json, delta: Json) -> None:
    for field, value in delta.items():
        if field == "role":
            message["role"] = value or message.get("role")
        elif field == "tool_calls":
            for call in value or ():
                _call(message["tool_calls"].setdefault(call["index"], {"function": {"arguments": ""}}), call)
        elif value is not None:
            message[field] = (message.get(field) or "") + value


def _call(known: Json, call: Json) -> None:
    known.update({field: call[field] for field in ("id", "type") if call.get(field)})
    function = call.get("function") or {}
    if function.get("name"):
        known["function"]["name"] = function["name"]
    known["function"]["arguments"] += function.get("arguments") or ""


def _joined(known: Json | None, more: Json) -> Json:
    if known is None:
        return {"content": None, "refusal": None} | more if "content" in more else more
    return {name: (known.get(name) or []) + values if values else known.get(name) for name, values in more.items()} | {
        name: value for name, value in known.items() if name not in more
    }


def _closed(choice: Json) -> Json:
    message = choice.get("message")
    if message is not None:
        calls = message.pop("tool_calls")
        if calls:
            message["tool_calls"] = [calls[index] for index in sorted(calls)]
            message["content"] = message["content"] or None
    return choice
