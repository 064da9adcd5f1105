"""What both completion surfaces understand: OpenAI's documented parameters and vLLM's own, with their ranges.

These types validate requests and are the schema in /openapi.json. Fields that are not here are ignored, as OpenAI's
clients expect; a field that is here and can't be honoured is refused by name. What is unset never reaches the engine.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from inferno_api.asked import Asked
from inferno_api.texts import TokenId

MAX_CHOICES = 128
Penalty = Annotated[float, Meta(ge=-2, le=2)]
Positive = Annotated[int, Meta(ge=1)]
StopText = Annotated[str, Meta(min_length=1, max_length=1024)]


MAX_GRAMMAR_BYTES = 64 << 10
"""What a schema, a grammar or the tools of a request may take as JSON: an engine compiles them."""


def bound_size(name: str, value: object) -> None:
    """Refuse what would cost the engine too much to compile. Raises `ValueError`, which validation shows."""
    size = 0 if value is None else len(msgspec.json.encode(value))
    if size > MAX_GRAMMAR_BYTES:
        raise ValueError(f"`{name}` has {size} bytes; at most {MAX_GRAMMAR_BYTES} are taken")


class StreamOptions(Struct, frozen=True, omit_defaults=True):
    """What a stream says besides words."""

    include_usage: bool | None = None


class Sampling(Asked, kw_only=True, omit_defaults=True):
    """The parameters that chat and plain completions share."""

    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: Annotated[int, Meta(ge=1, le=128)] | None = None
    max_tokens: Annotated[int, Meta(ge=1, le=2**31 - 1)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(gt=0, le=1)] | None = None
    stop: StopText | Annotated[list[StopText], Meta(max_length=4)] | None = None
    seed: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    logit_bias: Annotated[dict[str, Annotated[float, Meta(ge=-100, le=100)]], Meta(max_length=1024)] | None = None

    top_k: Annotated[int, Meta(ge=-1, le=2**31 - 1)] | None = None
    min_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    repetition_penalty: Annotated[float, Meta(gt=0, le=10)] | None = None
    min_tokens: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    ignore_eos: bool | None = None
    stop_token_ids: Annotated[list[TokenId], Meta(max_length=128)] | None = None
    bad_words: Annotated[list[StopText], Meta(max_length=128)] | None = None
    include_stop_str_in_output: bool | None = None
    skip_special_tokens: bool | None = None
    spaces_between_special_tokens: bool | None = None
    structured_outputs: dict[str, Any] | None = None
    response_format: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.stream_options is not None and not self.stream:
            raise ValueError("`stream_options` is only allowed with `stream`: true")
        bound_size("structured_outputs", self.structured_outputs)
        bound_size("response_format", self.response_format)

    @property
    def own_seed(self) -> int | None:
        """The seed that the client chose; None: any."""
        return self.seed

    @property
    def streams(self) -> bool:
        """Whether the answer is told as it comes."""
        return bool(self.stream)

    @property
    def choices(self) -> int:
        """How many answers are asked for."""
        return self.n or 1

    @property
    def allowance(self) -> int | None:
        """The most tokens of each answer; None: what fits."""
        return self.max_tokens

    @property
    def allowance_field(self) -> str:
        """Which field says so."""
        return "max_tokens"

    @property
    def include_usage(self) -> bool:
        """Whether the stream ends with a chunk that counts tokens."""
        return self.stream_options is not None and bool(self.stream_options.include_usage)
