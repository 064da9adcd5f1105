from typing import Any

import pytest
from inferno_backend.seam import Call, OpenAICall, Reply, Usage
from inferno_backend.vllm_engine.warm_up import warm_up

from inferno_core.errors import EngineFailed, InfernoError, InvalidRequest


class Engine:
    """Answers at once, and refuses what it is told to."""

    context = 100

    def __init__(self, tasks: tuple[str, ...], refusals: dict[str, InfernoError]) -> None:
        self.tasks = tasks
        self.asked: list[OpenAICall] = []
        self.rendered = 0
        self._refusals = refusals

    def start(self, call: Call, reply: Reply) -> None:
        assert isinstance(call, OpenAICall)
        self.asked.append(call)
        refusal = self._refusals.get(call.surface)
        if refusal is not None:
            reply.fail(refusal)
            return
        reply.begin(self._render)
        reply.end(Usage(1, 1))

    def _render(self, gains: Any) -> list[Any]:
        self.rendered += 1
        return []


def warmed(engine: Engine, *, tools: bool = False) -> tuple[str, ...]:
    return warm_up(engine, tools=tools)  # type: ignore[arg-type]


def test_what_users_will_ask_for_is_asked_for():
    engine = Engine(("chat", "completion"), {})
    assert warmed(engine, tools=True) == ("chat", "completion")
    asked = [set(call.body) for call in engine.asked]
    for field in ("logprobs", "structured_outputs", "response_format", "tools"):
        assert any(field in fields for fields in asked)
    assert max(len(call.body.get("prompt", "")) for call in engine.asked) == engine.context // 2
    assert engine.rendered == len(engine.asked)


def test_an_adapter_is_used_once():
    engine = Engine(("completion",), {})
    warm_up(engine, tools=False, adapter="poet")  # type: ignore[arg-type]  # as little of one as is needed
    assert [call.body["lora_name"] for call in engine.asked if "lora_name" in call.body] == ["poet"]


def test_an_embedding_is_asked_of_a_model_that_embeds():
    engine = Engine(("embedding",), {})
    warmed(engine, tools=True)
    assert [call.surface for call in engine.asked] == ["embedding"]


def test_a_surface_that_the_model_refuses_is_not_offered():
    engine = Engine(("chat", "completion"), {"chat": InvalidRequest("It has no template.")})
    assert warmed(engine) == ("completion",)


def test_an_engine_that_fails_is_not_called_ready():
    engine = Engine(("chat", "completion"), {"completion": EngineFailed("No.")})
    with pytest.raises(RuntimeError, match="completion"):
        warmed(engine)
