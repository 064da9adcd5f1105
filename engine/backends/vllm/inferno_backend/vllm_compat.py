"""Everything that differs, or may differ, between versions of vLLM: imports, construction, errors. Run with 0.32."""

import os
from collections.abc import AsyncGenerator, Mapping
from dataclasses import fields
from typing import Any

from inferno_backend.refusal import misfit, refusal
from inferno_core.errors import EngineFailed, InfernoError, InvalidRequest

# Set before vLLM is imported, which reads them once.
os.environ.setdefault("VLLM_WORKER_MULTIPROC_METHOD", "spawn")
# Where one process does all the work, it is the engine's core itself: a process and 2 GB less.
os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
# Threads meet several times a layer, and wait for whichever has no core: so one core is left to the other processes.
os.environ.setdefault("OMP_NUM_THREADS", str(max(1, len(os.sched_getaffinity(0)) - 1)))
# The stub's own logging stays as it is.
os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")

import msgspec
import pydantic
from starlette.datastructures import State
from vllm import SamplingParams
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.entrypoints.launchers.api_server.app_state import init_app_state
from vllm.entrypoints.launchers.cli_args import make_arg_parser
from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
from vllm.entrypoints.openai.completion.protocol import CompletionRequest
from vllm.entrypoints.serve.engine.protocol import ErrorResponse
from vllm.entrypoints.serve.exception_handling.error_response import create_error_response
from vllm.outputs import RequestOutput
from vllm.sampling_params import RequestOutputKind
from vllm.utils.argparse_utils import FlexibleArgumentParser
from vllm.v1.engine.async_llm import AsyncLLM
from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

# Fields of vLLM's sampling parameters that are its own business, or would carry code or state.
_NOT_ASKED_FOR = frozenset({"output_kind", "extra_args", "logits_processors", "skip_clone"})
_STOCK_FIELDS = frozenset(SamplingParams.__struct_fields__) - _NOT_ASKED_FOR
_ENGINE_FIELDS = frozenset(field.name for field in fields(AsyncEngineArgs))


class Serving:
    """vLLM's engine with its own OpenAI serving layer, in this process and without its HTTP server."""

    def __init__(self, name: str, engine: AsyncLLM, state: State) -> None:
        self._name = name
        self._state = state
        self.engine = engine

    @classmethod
    async def open(cls, name: str, arguments: Mapping[str, Any]) -> "Serving":
        """Start the engine. Raises ValueError for an argument that is unknown, and whatever vLLM raises."""
        args = make_arg_parser(FlexibleArgumentParser()).parse_args([])
        for key, value in arguments.items():
            if not hasattr(args, key):
                raise ValueError(f"model.json: vLLM knows no argument {key!r}.")
            setattr(args, key, value)
        if arguments.get("enforce_eager"):
            # vLLM compiles some functions even so, such as that of log-probabilities: half a minute at their first use.
            os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")
        chosen = {key: value for key, value in arguments.items() if key in _ENGINE_FIELDS}
        engine = AsyncLLM.from_engine_args(AsyncEngineArgs(**chosen))
        args.served_model_name = [name]
        args.enable_prompt_tokens_details = True
        state = State()
        await init_app_state(engine, state, args, await engine.get_supported_tasks())
        return cls(name, engine, state)

    @property
    def context(self) -> int:
        """The longest prompt and answer together, in tokens."""
        return int(self.engine.model_config.max_model_len)

    async def openai(self, surface: str, body: Mapping[str, Any], id: str, priority: int) -> AsyncGenerator[str, None]:
        """Give the serving layer's stream of server-sent events. Raises InfernoError."""
        forced = {
            "model": self._name,
            "stream": True,
            "stream_options": {"include_usage": True},
            "return_token_ids": True,
            "request_id": id,
            "priority": self._priority(priority),
        }
        if body.get("prompt_embeds") is not None:
            raise InvalidRequest("prompt_embeds are never accepted; send text.", param="prompt_embeds")
        asked = {**body, **forced}
        if surface == "chat":
            chat = ChatCompletionRequest.model_validate(asked)
            answer = await self._state.openai_serving_chat.create_chat_completion(chat)
        else:
            completion = CompletionRequest.model_validate(asked)
            answer = await self._state.openai_serving_completion.create_completion(completion)
        if isinstance(answer, ErrorResponse):
            raise self.refusal(answer.error.code, answer.error.message, answer.error.param, body)
        stream: AsyncGenerator[str, None] = answer
        return stream

    def stock(
        self, prompt: str, sampling: Mapping[str, Any], stream: bool, id: str, priority: int
    ) -> AsyncGenerator[RequestOutput, None]:
        """Give the engine's outputs for a request of the stock contract. Raises InfernoError."""
        parameters = _stock_parameters(sampling)
        parameters.output_kind = RequestOutputKind.DELTA if stream else RequestOutputKind.FINAL_ONLY
        return self.engine.generate(prompt, parameters, id, priority=self._priority(priority))

    def error(self, error: Exception, asked: Mapping[str, Any]) -> InfernoError:
        """Put an exception that vLLM raised at what was `asked` into the platform's words."""
        if isinstance(error, EngineDeadError | EngineGenerateError):
            return EngineFailed("The engine stopped while it worked on this request; try again.")
        if isinstance(error, pydantic.ValidationError):
            first = error.errors()[0]
            param = next((str(part) for part in first["loc"] if part in asked), None)
            return misfit(param, asked) if param else self.refusal(400, first["msg"], None, asked)
        known = create_error_response(error).error
        return self.refusal(known.code, known.message, known.param, asked)

    def refusal(self, status: int, said: str, param: str | None, asked: Mapping[str, Any]) -> InfernoError:
        """Put an error response of vLLM into the platform's words."""
        return refusal(status, said, param, asked, self.context)

    def _priority(self, priority: int) -> int:
        # vLLM refuses any other unless it schedules by priority.
        by_priority = self.engine.vllm_config.scheduler_config.policy == "priority"
        return priority if by_priority else 0


def _stock_parameters(sampling: Mapping[str, Any]) -> SamplingParams:
    """Read sampling parameters, numbers in strings included, as the stock backend does."""
    unknown = sorted(set(sampling) - _STOCK_FIELDS)
    if unknown:
        raise InvalidRequest(f"Sampling parameter {unknown[0]} is not known here.", param=unknown[0])
    try:
        return msgspec.convert(dict(sampling), SamplingParams, strict=False)
    except ValueError as error:
        raise refusal(400, str(error), None, sampling, 0) from error
