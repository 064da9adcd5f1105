"""Every parameter, right, of a wrong type, out of range, huge, null and as a trick with Unicode, streamed and whole.

The parameters are those of the committed document, which is made from the types that validate: none can be forgotten.
The document also says what has to be refused; what it takes may be refused for a reason that no schema tells.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import pytest
from tests.hostile import values
from tests.hostile.conftest import Target
from tests.hostile.raw import Caller, request
from tests.openapi import Body, Path_, Schema, accepts, bodies, changed, within

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]

LINES = 16

USER = {"role": "user", "content": "Hi."}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
PLAIN: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"model": "synthetic", "messages": [USER], "max_tokens": 2},
    "/v1/completions": {"model": "synthetic", "prompt": "Once", "max_tokens": 2},
    "/v1/embeddings": {"model": "synthetic", "input": "Once"},
}
"""A request that is right, of each surface."""

RIGHT: dict[str, list[Any]] = {
    "model": ["synthetic"],
    "messages": [
        [USER],
        [
            {"role": "system", "content": "Be brief.", "name": "host"},
            {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
            {"role": "user", "content": [{"type": "text", "text": "Hi."}], "name": "ann"},
            {
                "role": "assistant",
                "content": None,
                "reasoning": "Why?",
                "reasoning_content": "Why?",
                "tool_calls": [
                    {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
                ],
            },
            {"role": "tool", "content": "Rain.", "tool_call_id": "call_1"},
            {"role": "assistant", "content": "No.", "refusal": None},
            {"role": "function", "content": "1", "name": "weather"},
            USER,
        ],
    ],
    "prompt": ["Once", ["Once", "upon"], [1, 2], [[1, 2], [3]]],
    "input": ["Once", ["Once", "upon"], [1, 2], [[1, 2], [3]]],
    "cache_salt": ["pepper"],
    "n": [1, 3],
    "max_tokens": [1, 3],
    "max_completion_tokens": [1, 3],
    "min_tokens": [0, 2],
    "best_of": [1],
    "top_k": [-1, 0, 1, 2**31 - 1],
    "top_p": [0.5, 1],
    "repetition_penalty": [0.5, 1, 10],
    "stop": ["a", ["a", "b"]],
    "stop_token_ids": [[], [1, 2]],
    "allowed_token_ids": [[1, 2, 3]],
    "bad_words": [[], ["bad"]],
    "logit_bias": [{}, {"1": 100, "2": -100}],
    "truncate_prompt_tokens": [-1, 1, 100],
    "thinking_token_budget": [-1],
    "repetition_detection": [{"max_pattern_size": 2, "min_count": 2}],
    "structured_outputs": [{"regex": "[ab]{3}"}, {"choice": ["a", "b"]}, {"json": {"type": "integer"}}],
    "response_format": [
        {"type": "text"},
        {"type": "json_object"},
        {
            "type": "json_schema",
            "json_schema": {"name": "a", "description": "A.", "strict": True, "schema": {"type": "integer"}},
        },
    ],
    "stream_options": [{}, {"include_usage": True}, {"include_obfuscation": False}],
    "tools": [[], [TOOL]],
    "tool_choice": ["auto", "none", "required", {"type": "function", "function": {"name": "weather"}}],
    "modalities": [["text"]],
    "documents": [[], [{"title": "A", "text": "B"}]],
    "chat_template_kwargs": [{}, {"enable_thinking": False, "thinking": None}],
    "metadata": [{}, {"a": "b"}],
    "prompt_cache_options": [{}, {"mode": "auto"}],
    "functions": [[]],
    "dimensions": [1, 8],
    "suffix": [""],
}
"""What is right where a schema's ends are not, or say too little."""

BESIDE: dict[str, dict[str, Any]] = {
    "top_logprobs": {"logprobs": True},
    "stream_options": {"stream": True},
    "tool_choice": {"tools": [TOOL]},
    "parallel_tool_calls": {"tools": [TOOL]},
    "min_tokens": {"max_tokens": 4},
    "continue_final_message": {"messages": [USER, {"role": "assistant", "content": "Well"}]},
    "add_generation_prompt": {"continue_final_message": None},
    "response_format": {"max_tokens": 200},
    "structured_outputs": {"max_tokens": 200},
    "max_completion_tokens": {"max_tokens": None},
}
"""What has to be sent beside a parameter, for it to be right."""

REFUSED_FLAGS = frozenset(
    ("return_token_ids", "return_token_offsets", "use_beam_search", "watermarking", "return_prompt_text")
)
"""Switches that may be said to be off."""

REFUSED = REFUSED_FLAGS | {"synthetic_fault"}
CHAT_REFUSED = frozenset(("echo",))


class Case(NamedTuple):
    """A request: the place that is tried, how, and with what."""

    body: Body
    path: Path_
    kind: str
    value: Any
    sent: dict[str, Any]
    expected: frozenset[int]

    def __str__(self) -> str:
        place = ".".join(map(str, self.path))
        return f"{self.body.path} {place} {self.kind} {json.dumps(self.value)[:60]}"


class Verdict(NamedTuple):
    """What was answered, apart from words."""

    status: int
    code: str | None
    param: str | None


KINDS: dict[str, Callable[[Schema], Iterable[Any]]] = {
    "of a wrong type": values.wrong,
    "out of range": values.out_of_range,
    "huge": values.huge,
    "null": lambda schema: (None,),
    "a trick": values.tricks,
}
TAKEN, REFUSED_BY_SCHEMA = frozenset((200,)), frozenset((400, 413))
ANY = TAKEN | REFUSED_BY_SCHEMA


def cases(body: Body) -> Iterator[Case]:
    """Give all cases of a body: each parameter as a whole, and each place inside of those that have places."""
    for name, schema in body.properties.items():
        plain = PLAIN[body.path] | BESIDE.get(name, {})
        for value in rights(body, name, schema):
            yield Case(body, (name,), "right", value, plain | {name: value}, TAKEN)
        places = {(name,): (schema, RIGHT.get(name, [None])[-1])}
        for value in RIGHT.get(name, ()):
            if isinstance(value, list | dict):
                places |= {path: (inner, value) for path, inner in within(schema, value, (name,))}
        for path, (inner, around) in places.items():
            for kind, make in KINDS.items():
                for new in make(inner):
                    sent = plain | {name: changed(around, path[1:], new) if path[1:] else new}
                    expected = expected_of(body, sent, path, inner, new)
                    yield Case(body, path, kind, new, sent, expected)


def rights(body: Body, name: str, schema: Schema) -> list[Any]:
    """Give the right values of a parameter; there has to be one."""
    if name in REFUSED or (name in CHAT_REFUSED and "messages" in body.properties):
        return [False] if accepts(schema, False) else [None]
    found = RIGHT.get(name) or [value for value in values.right(schema) if accepts(schema, value)] or [None]
    return [value for value in found if accepts(schema, value)]


def expected_of(body: Body, sent: dict[str, Any], path: Path_, schema: Schema, new: object) -> frozenset[int]:
    if not accepts(body.schema, sent):
        return REFUSED_BY_SCHEMA
    if new is None and len(path) == 1:
        # As good as left out; without it what was sent beside it may be too much.
        return ANY if path[0] in BESIDE else TAKEN
    return ANY | {404} if path == ("model",) else ANY


class Asking:
    """Sends cases over some connections, and notes what was not as it should be."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.wrong: list[str] = []
        self.counts: Counter[int] = Counter()

    async def all(self, cases: Iterable[Case]) -> None:
        """Ask all."""
        waiting = iter(list(cases))
        await asyncio.gather(*(self._some(waiting) for _ in range(LINES)))

    async def _some(self, waiting: Iterator[Case]) -> None:
        async with Caller(self.target.address) as caller:
            for case in waiting:
                await self._one(caller, case)

    async def _one(self, caller: Caller, case: Case) -> None:
        whole = await self._ask(caller, case, {})
        self._judge(case, whole)
        if case.body.can_stream and case.path[0] not in {"stream", "stream_options"}:
            streamed = await self._ask(caller, case, {"stream": True})
            if streamed != whole:
                self.wrong.append(f"{case}: {whole} whole, and {streamed} as a stream")

    async def _ask(self, caller: Caller, case: Case, more: dict[str, Any]) -> Verdict:
        reply = await caller.ask(request(case.sent | more, key=self.target.key, path=case.body.path))
        self.counts[reply.status] += 1
        if reply.status != 200:
            error = reply.error
            return Verdict(reply.status, error["code"], error["param"])
        if reply.headers["content-type"].startswith("text/event-stream") and reply.events[-1] != "[DONE]":
            self.wrong.append(f"{case}: the stream ended with {reply.events[-1]}")
        return Verdict(200, None, None)

    def _judge(self, case: Case, verdict: Verdict) -> None:
        if verdict.status not in case.expected:
            self.wrong.append(f"{case}: {verdict}, where {sorted(case.expected)} was due")
        elif verdict.status == 400 and case.expected == REFUSED_BY_SCHEMA:
            named = (verdict.param or "").replace("[", ".").split(".")[0]
            if named != case.path[0]:
                self.wrong.append(f"{case}: {verdict} does not name it")


@pytest.mark.parametrize("path", PLAIN)
async def test_every_parameter_in_every_way(target: Target, path: str) -> None:
    body = next(body for body in bodies() if body.path == path)
    asking = Asking(target)
    await asking.all(cases(body))
    print(f"{path}: {dict(asking.counts)}")
    assert asking.wrong == []
    assert min(asking.counts[200], asking.counts[400]) > 100


@pytest.mark.parametrize("path", PLAIN)
def test_every_parameter_has_a_right_value(path: str) -> None:
    body = next(body for body in bodies() if body.path == path)
    assert [name for name, schema in body.properties.items() if not rights(body, name, schema)] == []


@pytest.mark.parametrize("path", PLAIN)
async def test_names_that_only_look_like_a_parameters_are_ignored(target: Target, path: str) -> None:
    body = next(body for body in bodies() if body.path == path)
    others = {
        other: {"not": "looked at"}
        for name in body.properties
        for other in (name.upper(), f" {name}", f"{name}\x00", name.replace("e", "\u0435"), f"\ufeff{name}")
        if other not in body.properties
    }
    async with Caller(target.address) as caller:
        reply = await caller.ask(request(PLAIN[path] | others, key=target.key, path=path))
    assert reply.status == 200, reply
