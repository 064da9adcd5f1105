"""Everything that differs, or may differ, between versions of vLLM: where its parts are, how they are made and asked.

Run with 0.32.0; docs/engine.md says what is known of others. Only this module, the subclasses that go on from tokens
(`scheduler`, `worker`, `output`) and that which adds adapters on a CPU (`adapted`) import vLLM.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import msgspec
import pydantic
from starlette.datastructures import State
from vllm import SamplingParams
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.entrypoints.launchers.api_server.app_state import init_app_state
from vllm.entrypoints.launchers.cli_args import make_arg_parser
from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
from vllm.entrypoints.openai.completion.protocol import CompletionRequest
from vllm.entrypoints.pooling.embed.protocol import EmbeddingRequest
from vllm.entrypoints.serve.engine.protocol import ErrorResponse
from vllm.entrypoints.serve.exception_handling.error_response import create_error_response
from vllm.logprobs import Logprob
from vllm.lora.request import LoRARequest
from vllm.outputs import CompletionOutput, RequestOutput
from vllm.platforms import current_platform
from vllm.renderers import renderer_from_config
from vllm.renderers.inputs.preprocess import parse_model_prompt
from vllm.sampling_params import RequestOutputKind
from vllm.tokenizers.detokenizer_utils import convert_ids_list_to_tokens
from vllm.tool_parsers import ToolParserManager
from vllm.usage.usage_lib import UsageContext
from vllm.utils.argparse_utils import FlexibleArgumentParser
from vllm.v1.engine import EngineCoreEventType, EngineCoreOutputs, EngineCoreRequest
from vllm.v1.engine.core_client import AsyncMPClient, EngineCoreClient
from vllm.v1.engine.detokenizer import IncrementalDetokenizer
from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError
from vllm.v1.engine.input_processor import InputProcessor
from vllm.v1.executor import Executor

from inferno_backend.lora import FIELD
from inferno_backend.refusal import misfit, refusal
from inferno_backend.vllm_engine.accepted import KEY
from inferno_backend.vllm_engine.output import ResumingOutputProcessor
from inferno_core.errors import EngineFailed, InfernoError, InvalidRequest

PREEMPTED = EngineCoreEventType.PREEMPTED
SCHEDULED = EngineCoreEventType.SCHEDULED
_ENGINE_FIELDS = frozenset(field.name for field in fields(AsyncEngineArgs))
# Fields of vLLM's sampling parameters that are its own business, or would carry code or state.
_NOT_ASKED_FOR = frozenset({"output_kind", "extra_args", "logits_processors", "skip_clone"})
_STOCK_FIELDS = frozenset(SamplingParams.__struct_fields__) - _NOT_ASKED_FOR
_embeddings: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(EmbeddingRequest)

__all__ = [
    "PREEMPTED",
    "SCHEDULED",
    "AsyncMPClient",
    "EngineCoreOutputs",
    "EngineCoreRequest",
    "EngineDeadError",
    "ErrorResponse",
    "IncrementalDetokenizer",
    "InputProcessor",
    "RequestOutput",
    "ResumingOutputProcessor",
    "SamplingParams",
    "State",
    "init_app_state",
    "parse_model_prompt",
    "renderer_from_config",
]


def served_arguments(name: str, arguments: Mapping[str, Any]) -> Any:
    """Give the arguments of vLLM's server, as its command line has them. Raises ValueError for an unknown one."""
    served = make_arg_parser(FlexibleArgumentParser()).parse_args([])
    for key, value in arguments.items():
        if not hasattr(served, key):
            raise ValueError(f"model.json: vLLM knows no argument {key!r}.")
        setattr(served, key, value)
    served.served_model_name = [name]
    served.enable_prompt_tokens_details = True
    if served.tool_call_parser is not None:
        served.enable_auto_tool_choice = arguments.get("enable_auto_tool_choice", True)
    if served.tool_parser_plugin:
        ToolParserManager.import_tool_parser(served.tool_parser_plugin)
    return served


def engine_config(arguments: Mapping[str, Any]) -> Any:
    """Make vLLM's configuration of those arguments that are its engine's; others are its server's."""
    chosen = {key: value for key, value in arguments.items() if key in _ENGINE_FIELDS}
    return AsyncEngineArgs(**chosen).create_engine_config(UsageContext.ENGINE_CONTEXT)


def adapters(folders: Mapping[str, Path]) -> dict[str, LoRARequest]:
    """Make of each adapter's folder what a request of the engine names it by."""
    return {name: LoRARequest(name, number, str(folder)) for number, (name, folder) in enumerate(folders.items(), 1)}


def core_client(config: Any, renderer: Any) -> AsyncMPClient:
    """Start the engine's core in a process of its own; blocks until its weights are loaded."""
    # The scheduler's statistics come with each step only if they are asked for here.
    return EngineCoreClient.make_async_mp_client(config, Executor.get_class(config), log_stats=True, renderer=renderer)


def openai_request(surface: str, body: Mapping[str, Any]) -> Any:
    """Read an OpenAI body. Raises pydantic's or vLLM's validation error."""
    if surface == "chat":
        return ChatCompletionRequest.model_validate(body)
    if surface == "completion":
        return CompletionRequest.model_validate(body)
    return _embeddings.validate_python(body)


def stock_parameters(sampling: Mapping[str, Any], stream: bool) -> SamplingParams:
    """Read sampling parameters, numbers in strings included, as the stock backend does. Raises InfernoError.

    `lora_name`, which stands among them, is no concern of this.
    """
    unknown = sorted(set(sampling) - _STOCK_FIELDS - {FIELD})
    if unknown:
        raise InvalidRequest(f"Sampling parameter {unknown[0]} is not known here.", param=unknown[0])
    # Choices are requests of their own; vLLM would refuse several at temperature 0.
    asked = {key: value for key, value in sampling.items() if key not in ("n", FIELD)}
    try:
        params = msgspec.convert(asked, SamplingParams, strict=False)
    except ValueError as error:
        raise refusal(400, str(error), None, sampling, 0) from error
    params.output_kind = RequestOutputKind.DELTA if stream else RequestOutputKind.FINAL_ONLY
    return params


def error(raised: Exception, asked: Mapping[str, Any], context: int) -> InfernoError:
    """Put an exception that vLLM raised at what was `asked` into the platform's words."""
    if isinstance(raised, InfernoError):
        return raised
    if isinstance(raised, EngineDeadError | EngineGenerateError):
        return EngineFailed("The engine stopped while it worked on this request; try again.")
    if isinstance(raised, pydantic.ValidationError):
        first = raised.errors()[0]
        param = next((str(part) for part in first["loc"] if part in asked), None)
        return misfit(param, asked) if param else refusal(400, first["msg"], None, asked, context)
    known = create_error_response(raised).error
    return refusal(known.code, known.message, known.param, asked, context)


def choice_request(request: EngineCoreRequest, id: str, seed: int | None, accepted: Sequence[int]) -> EngineCoreRequest:
    """Give the same request for another choice: under its own id, with its own seed, after its own tokens."""
    own = copy.copy(request)
    own.request_id = own.external_req_id = id
    own.sampling_params = request.sampling_params.clone()
    own.sampling_params.seed = seed
    if accepted:
        own.sampling_params.extra_args = {**(own.sampling_params.extra_args or {}), KEY: list(accepted)}
        # What the prompt had to tell was told before what was accepted.
        own.sampling_params.prompt_logprobs = None
    return own


def detokenizer(renderer: Any, request: EngineCoreRequest) -> IncrementalDetokenizer:
    """Make what turns a request's tokens into text, from its first one on."""
    tokenizer = renderer.tokenizer if request.sampling_params.detokenize else None
    return IncrementalDetokenizer.from_new_request(tokenizer=tokenizer, request=request)


def unknown_logprobs(renderer: Any, tokens: Sequence[int]) -> list[dict[int, Logprob]]:
    """Give log-probabilities for tokens whose own are not known any more, with their words."""
    words = convert_ids_list_to_tokens(renderer.tokenizer, list(tokens))
    return [{token: Logprob(0.0, 1, word)} for token, word in zip(tokens, words, strict=True)]


def output(
    request: EngineCoreRequest, index: int | None, tokens: Sequence[int] = (), text: str = "", **more: Any
) -> RequestOutput:
    """Make an output of the engine by hand. `index` None: of no choice; `more`: fields of vLLM's CompletionOutput."""
    more = {"cumulative_logprob": None, "logprobs": None} | more
    gained = [] if index is None else [CompletionOutput(index=index, text=text, token_ids=list(tokens), **more)]
    return RequestOutput(
        request_id=request.request_id,
        prompt=None,
        prompt_token_ids=request.prompt_token_ids,
        prompt_logprobs=[None] * len(request.prompt_token_ids or ()),
        outputs=gained,
        finished=False,
    )


def is_cpu() -> bool:
    """Say whether vLLM runs without an accelerator here."""
    return bool(current_platform.is_cpu())
