"""Reads a Triton request: which contract it speaks, and what it asks for."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

import triton_python_backend_utils as pb_utils

from inferno_backend import stock, stock_embedding, stock_sampling
from inferno_backend.openai import OpenAIContract
from inferno_backend.seam import OpenAICall, StockCall
from inferno_backend.stock import StockContract
from inferno_backend.stock_embedding import EmbeddingContract
from inferno_core.errors import InvalidRequest

_SURFACES = ("chat", "completion", "embedding")


def speaks_openai(request: Any) -> bool:
    """Say whether the request carries an OpenAI body."""
    return pb_utils.get_input_tensor_by_name(request, "openai_body") is not None


def openai(request: Any, id: str) -> tuple[OpenAICall, OpenAIContract]:
    """Read a request of our own contract. Raises InvalidRequest."""
    surface = _text(request, "openai_surface") or "chat"
    if surface not in _SURFACES:
        raise InvalidRequest(
            f"openai_surface is {surface!r}; it must be one of {', '.join(_SURFACES)}.", param="openai_surface"
        )
    text = _text(request, "openai_body") or ""
    kind = cast("Literal['chat', 'completion', 'embedding']", surface)
    return OpenAICall(id, kind, mapping(text, "openai_body"), _number(request, "priority")), OpenAIContract()


def stock_call(request: Any, id: str) -> tuple[StockCall, StockContract]:
    """Read a request of the stock contract. Raises InvalidRequest."""
    if pb_utils.get_input_tensor_by_name(request, "image") is not None:
        raise InvalidRequest("image is not read: this model takes text alone.", param="image")
    prompt = _prompt(request)
    stream = _flag(request, "stream") or False
    # Of a prompt in tokens there is no text to repeat.
    repeated = prompt if isinstance(prompt, str) else ""
    sampling = _sampling(request)
    contract = StockContract(
        n=_choices(sampling),
        stream=stream,
        prefix=stock.prefix(repeated, stream, _flag(request, "exclude_input_in_output")),
        wanted=frozenset(name for name in stock.ADDITIONAL if _flag(request, f"return_{name}")),
    )
    return StockCall(id, prompt, sampling, stream, _number(request, "priority")), contract


def wants_embedding(request: Any) -> bool:
    """Say whether the request asks for a vector by the stock contract."""
    return pb_utils.get_input_tensor_by_name(request, "embedding_request") is not None


def stock_embedding_call(request: Any, id: str) -> tuple[OpenAICall, EmbeddingContract]:
    """Read a request for a vector by the stock contract. Raises InvalidRequest."""
    asked = mapping(_text(request, "embedding_request") or "", "embedding_request")
    wanted = frozenset(name for name in stock_embedding.ADDITIONAL if _flag(request, f"return_{name}"))
    call = OpenAICall(id, "embedding", stock_embedding.body(asked), _number(request, "priority"))
    return call, EmbeddingContract(wanted)


def generation_id(request: Any) -> str:
    """Give the caller's name of the generation, or "" if it has none."""
    return _text(request, "generation_id") or request.request_id() or ""


def data(request: Any, name: str) -> bytes | None:
    """Give the bytes of a STRING tensor's first element, or None if it is not there."""
    value = _first(request, name)
    return value if isinstance(value, bytes) or value is None else str(value).encode()


def mapping(text: str | bytes, name: str) -> dict[str, Any]:
    """Read a JSON object. Raises InvalidRequest."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"{name} is not JSON: {error}.", param=name) from error
    if not isinstance(value, dict):
        raise InvalidRequest(f"{name} must be a JSON object.", param=name)
    return value


def _prompt(request: Any) -> str | Sequence[int]:
    prompt = _text(request, "text_input")
    tokens = pb_utils.get_input_tensor_by_name(request, "input_ids")
    if (prompt is None) == (tokens is None):
        raise InvalidRequest(
            "Give the prompt as text_input or as input_ids, and only as one of them.",
            param="text_input" if prompt is None else "input_ids",
        )
    if tokens is None:
        return prompt or ""
    return [int(token) for token in tokens.as_numpy().reshape(-1)]


def _sampling(request: Any) -> Mapping[str, Any]:
    """Read the sampling parameters from their tensor, else from the request's own parameters."""
    text = _text(request, "sampling_parameters")
    if text is not None:
        return stock_sampling.read(mapping(text, "sampling_parameters"))
    return stock_sampling.read(mapping(request.parameters() or "{}", "parameters"))


def _choices(sampling: Mapping[str, Any]) -> int:
    try:
        n = int(sampling.get("n") or 1)
    except (TypeError, ValueError, OverflowError):
        n = 0
    if not 1 <= n <= 128:
        raise InvalidRequest(f"n is {sampling.get('n')!r}; it must be an integer from 1 to 128.", param="n")
    return n


def _first(request: Any, name: str) -> Any:
    tensor = pb_utils.get_input_tensor_by_name(request, name)
    if tensor is None:
        return None
    values = tensor.as_numpy().reshape(-1)
    return values[0] if len(values) else None


def _text(request: Any, name: str) -> str | None:
    value = _first(request, name)
    if value is None:
        return None
    try:
        return value.decode("utf-8") if isinstance(value, bytes) else str(value)
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{name} is not UTF-8.", param=name) from error


def _flag(request: Any, name: str) -> bool | None:
    value = _first(request, name)
    return None if value is None else bool(value)


def _number(request: Any, name: str) -> int:
    value = _first(request, name)
    return 0 if value is None else int(value)
