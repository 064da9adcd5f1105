"""vLLM's own OpenAI serving layer, unchanged, cut where it asks its engine to generate.

So templates, tools, reasoning, grammars, log-probabilities and choice objects are its own. What it would have asked of
an engine is handed to the caller instead, who makes as many requests of it as there are choices.
"""

import contextvars
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from inferno_backend.vllm_engine import compat
from inferno_backend.vllm_engine.core import Core
from inferno_backend.vllm_engine.lane import Feed, Lane
from inferno_core.errors import InvalidRequest

# Fields that would carry code or state, or ask for what has no stream.
_NEVER = (
    "prompt_embeds",
    "kv_transfer_params",
    "ec_transfer_params",
    "vllm_xargs",
    "use_beam_search",
    "chat_template",
    "media_io_kwargs",
    "mm_processor_kwargs",
    "synthetic_fault",
)
# What a frame holds is ours to say, so vLLM is not asked for it.
_FORCED: Mapping[str, Any] = {
    "stream": True,
    "stream_options": None,
    "stream_interval": None,
    "return_token_ids": False,
    "return_prompt_text": False,
    "priority": 0,
}
Encode = Callable[[Any, Any], Awaitable[Any]]


@dataclass(slots=True)
class Asked:
    """What the serving layer asked its engine for: a rendered prompt and parameters, those of reasoning apart."""

    prompt: Any
    params: compat.SamplingParams
    reasoning: dict[str, Any]
    feed: Feed


class Vectors(msgspec.Struct):
    """An answer with embeddings, of which the objects are cut out as they stand."""

    data: list[msgspec.Raw]
    usage: dict[str, Any]


_asked: contextvars.ContextVar[list[Asked]] = contextvars.ContextVar("asked")
_encode: contextvars.ContextVar[Encode] = contextvars.ContextVar("encode")
_vectors = msgspec.json.Decoder(Vectors)


class Serving:
    """Makes lanes of OpenAI bodies. Opened in the event loop that then calls it."""

    def __init__(self, core: Core, state: compat.State) -> None:
        self._core = core
        self._state = state

    @classmethod
    async def open(cls, core: Core) -> "Serving":
        """Set vLLM's serving layer up; the core must be settled."""
        state = compat.State()
        await compat.init_app_state(_Client(core), state, core.served, core.tasks)
        return cls(core, state)

    @property
    def surfaces(self) -> tuple[str, ...]:
        """What can be asked of this model."""
        if "generate" in self._core.tasks:
            return ("chat", "completion")
        return ("embedding",) if getattr(self._state, "serving_embedding", None) is not None else ()

    async def lane(self, surface: str, body: Mapping[str, Any], id: str, n: int) -> tuple[Lane, Asked]:
        """Render the prompt of a body that has one, and open the stream of its `n` choices. Raises what vLLM does."""
        _check(body)
        request = compat.openai_request(surface, {**body, **_FORCED, "model": self._core.name, "request_id": id})
        asked: list[Asked] = []
        _asked.set(asked)
        # Choices are requests of their own, to vLLM as well: it refuses several at temperature 0.
        request.n = 1
        create = self._state.openai_serving_chat.create_chat_completion
        if surface == "completion":
            create = self._state.openai_serving_completion.create_completion
        answer = await create(request)
        if isinstance(answer, compat.ErrorResponse):
            raise self._core.refusal(answer.error.model_dump(), body)
        # The stream has not run yet: it reads only now how many choices there are.
        request.n = n
        return Lane(answer, asked[0].feed, lambda error: self._core.refusal(error, body)), asked[0]

    async def vectors(self, body: Mapping[str, Any], id: str, encode: Encode) -> Vectors:
        """Have the embeddings of a body; `encode` gives the engine's output for a rendered prompt and parameters."""
        if body.get("encoding_format", "float") not in ("float", "base64"):
            raise InvalidRequest("encoding_format must be float or base64.", param="encoding_format")
        asked = {**body, "model": self._core.name, "request_id": id, "priority": 0}
        _encode.set(encode)
        answer = await self._state.serving_embedding(compat.openai_request("embedding", asked))
        return _vectors.decode(answer.body)


class _Client:
    """What vLLM's serving layer takes for an engine: it only writes down what is asked."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.vllm_config = core.config
        self.model_config = core.config.model_config
        self.renderer = core.renderer
        self.input_processor = core.inputs

    @property
    def errored(self) -> bool:
        return self._core.errored

    @property
    def dead_error(self) -> Exception:
        error: Exception = compat.EngineDeadError()
        return error

    def check_admission(self, n: int = 1, request_id: str | None = None) -> None:
        """The host's slots are its admission."""

    def generate(
        self,
        prompt: Any,
        sampling_params: Any,
        request_id: str,
        *,
        reasoning_ended: bool | None = None,
        reasoning_parser_kwargs: dict[str, Any] | None = None,
        **_: Any,
    ) -> Feed:
        reasoning = {"reasoning_ended": reasoning_ended, "reasoning_parser_kwargs": reasoning_parser_kwargs}
        feed = Feed()
        _asked.get().append(Asked(prompt, sampling_params, reasoning, feed))
        return feed

    async def encode(self, prompt: Any, pooling_params: Any, request_id: str, **_: Any) -> AsyncGenerator[Any, None]:
        yield await _encode.get()(prompt, pooling_params)


def _check(body: Mapping[str, Any]) -> None:
    for field in _NEVER:
        if body.get(field):
            raise InvalidRequest(f"{field} is never accepted here; leave it out.", param=field)
