"""Fields that are known here and can't be honoured: each is refused by name, unless it asks for what is done anyway.

OpenAI documents them, or vLLM takes them. Dropping one silently would give a program another answer than it asked for.
"""

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta, Struct

from inferno_api.requests.asked import Asked
from inferno_api.requests.fault import Fault

_TEMPLATE = "what shapes the prompt comes with the model's version"
_TOKENS = "token ids travel beside the words here, and are not told"
_MEDIA = "how media are read is set with the model"
_TRANSFER = "nothing is carried between engines by a request"

REFUSED: Mapping[str, str] = {
    "audio": "no model here speaks",
    "chat_template": _TEMPLATE,
    "ec_transfer_params": _TRANSFER,
    "embed_dtype": "vectors are told as 32-bit floats",
    "endianness": "vectors are told in little-endian order",
    "function_call": "`tool_choice` is its newer form",
    "functions": "`tools` is its newer form",
    "kv_transfer_params": _TRANSFER,
    "length_penalty": "there is no beam search here",
    "logits_processors": "no code is taken from a request",
    "logprob_token_ids": "`logprobs` tells the likeliest tokens",
    "media_io_kwargs": _MEDIA,
    "mm_payload": _MEDIA,
    "mm_processor_kwargs": _MEDIA,
    "moderation": "there is no moderation here",
    "padding": "vectors are made of the input as it is",
    "prediction": "no model here takes a predicted answer",
    "prompt_embeds": "a prompt is text or token ids",
    "prompt_logprobs": "`echo` with `logprobs` tells those of a prompt",
    "request_id": "send it as the header x-request-id",
    "return_mm_kwargs": _MEDIA,
    "return_prompt_text": _TOKENS,
    "return_token_ids": _TOKENS,
    "return_token_offsets": _TOKENS,
    "routed_experts_prompt_start": "experts are not told here",
    "service_tier": "there is one tier here",
    "stream_interval": "each step of the engine is sent at once",
    "stream_options.continuous_usage_stats": "tokens are counted once, at the end",
    "stream_options.include_obfuscation": "streams are not padded",
    "structured_outputs.structural_tag": "use `json`, `regex`, `choice` or `grammar`",
    "suffix": "no model here fills a gap",
    "use_beam_search": "there is no beam search here",
    "verbosity": "no model here has another than `medium`",
    "vllm_xargs": "nothing is handed to an engine's insides",
    "watermarking": "answers are not marked",
    "web_search_options": "no model here searches the web",
}
"""Why each is refused. A field inside another is named by its path."""


_FLAGS = ("return_token_ids", "return_token_offsets", "use_beam_search", "watermarking")


class Refusing(Asked, kw_only=True, omit_defaults=True):
    """The fields that neither chat nor plain completions honour. What can still be said by them changes nothing."""

    ec_transfer_params: None = None
    kv_transfer_params: None = None
    length_penalty: Annotated[float, Meta(ge=1, le=1)] | None = None
    logits_processors: None = None
    logprob_token_ids: None = None
    mm_payload: None = None
    mm_processor_kwargs: None = None
    prompt_embeds: None = None
    prompt_logprobs: None = None
    request_id: None = None
    return_mm_kwargs: None = None
    return_token_ids: bool | None = None
    return_token_offsets: bool | None = None
    routed_experts_prompt_start: Annotated[int, Meta(ge=0, le=0)] | None = None
    stream_interval: Annotated[int, Meta(ge=1, le=1)] | None = None
    use_beam_search: bool | None = None
    vllm_xargs: None = None
    watermarking: bool | None = None

    def __post_init__(self) -> None:
        refuse_flags(self, *_FLAGS)


def refuse_flags(body: Struct, *names: str, within: str = "") -> None:
    """Refuse fields of a body that may be false alone, if one is true. Raises `Fault`.

    `within` is the path of the object that is looked at, with a dot behind it.
    """
    for name in names:
        if getattr(body, name):
            raise Fault(name, because(f"{within}{name}"))


def because(field: str) -> str:
    """Give the reason for which a field is refused, and the way out."""
    return f"{REFUSED[field]}; leave it out"
