"""What both completion surfaces understand: OpenAI's documented parameters and vLLM's own, with their ranges.

These types validate requests and are the schema in /openapi.json. Fields that are not here are ignored, as OpenAI's
clients expect; a field that is here and can't be honoured is refused by name. What is unset never reaches the engine.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from inferno_api.requests import formats
from inferno_api.requests.fault import Fault
from inferno_api.requests.formats import ResponseFormat, StructuredOutputs
from inferno_api.requests.limits import (
    MAX_CHOICES,
    MAX_PATTERN,
    MAX_STOP_CHARS,
    MAX_STOPS,
    MAX_TOKEN_IDS,
    MAX_TOKENS,
    MAX_WORDS,
)
from inferno_api.requests.refused import Refusing, refuse_flags
from inferno_api.requests.texts import TokenId

Count = Annotated[int, Meta(ge=1, le=MAX_TOKENS)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]
StopText = Annotated[str, Meta(min_length=1, max_length=MAX_STOP_CHARS)]


class StreamOptions(Struct, frozen=True, omit_defaults=True):
    """What a stream says besides words."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None
    continuous_usage_stats: bool | None = None

    def __post_init__(self) -> None:
        refuse_flags(self, "include_obfuscation", "continuous_usage_stats", within="stream_options.")


class RepetitionDetection(Struct, frozen=True, omit_defaults=True):
    """When an answer that repeats itself is ended: after `min_count` times the same tokens, so many at once."""

    max_pattern_size: Annotated[int, Meta(ge=0, le=MAX_PATTERN)] = 0
    min_pattern_size: Annotated[int, Meta(ge=0, le=MAX_PATTERN)] = 0
    min_count: Annotated[int, Meta(ge=0, le=MAX_PATTERN)] = 0

    def __post_init__(self) -> None:
        if self.min_pattern_size > self.max_pattern_size:
            raise Fault("min_pattern_size", f"it may be at most `max_pattern_size`, which is {self.max_pattern_size}")
        if self.max_pattern_size and self.min_count < 2:
            raise Fault("min_count", "a repetition is at least 2 times the same")


class SyntheticFault(Struct, frozen=True, omit_defaults=True):
    """A failure that a test asks the synthetic engine for. Any other engine, and one that serves users, refuses it."""

    kind: Literal["crash", "hang", "slow", "error"]
    token: Annotated[int, Meta(ge=0, le=MAX_TOKENS)] = 0
    seconds: Annotated[float, Meta(ge=0, le=3600)] = 0.0
    once: bool = False


class Sampling(Refusing, kw_only=True, omit_defaults=True):
    """The parameters that chat and plain completions share."""

    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: Annotated[int, Meta(ge=1, le=MAX_CHOICES)] | None = None
    max_tokens: Count | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(gt=0, le=1)] | None = None
    stop: StopText | Annotated[list[StopText], Meta(max_length=MAX_STOPS)] | None = None
    seed: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    logit_bias: dict[str, Annotated[float, Meta(ge=-100, le=100)]] | None = None

    top_k: Annotated[int, Meta(ge=-1, le=MAX_TOKENS)] | None = None
    min_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    repetition_penalty: Annotated[float, Meta(gt=0, le=10)] | None = None
    min_tokens: Annotated[int, Meta(ge=0, le=MAX_TOKENS)] | None = None
    ignore_eos: bool | None = None
    stop_token_ids: Annotated[list[TokenId], Meta(max_length=MAX_WORDS)] | None = None
    allowed_token_ids: Annotated[list[TokenId], Meta(min_length=1, max_length=MAX_TOKEN_IDS)] | None = None
    bad_words: Annotated[list[StopText], Meta(max_length=MAX_WORDS)] | None = None
    include_stop_str_in_output: bool | None = None
    skip_special_tokens: bool | None = None
    spaces_between_special_tokens: bool | None = None
    return_tokens_as_token_ids: bool | None = None
    thinking_token_budget: Annotated[int, Meta(ge=-1, le=MAX_TOKENS)] | None = None
    repetition_detection: RepetitionDetection | None = None
    structured_outputs: StructuredOutputs | None = None
    response_format: ResponseFormat | None = None
    synthetic_fault: SyntheticFault | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.stream_options is not None and not self.stream:
            raise Fault("stream_options", "it is only allowed with `stream`: true")
        if self.logit_bias:
            _check_bias(self.logit_bias)
        if self.min_tokens and self.allowance is not None and self.min_tokens > self.allowance:
            raise Fault("min_tokens", f"it may be at most `{self.allowance_field}`, which is {self.allowance}")
        if self.structured_outputs is not None and formats.constrains(self.response_format):
            raise Fault("structured_outputs", "`response_format` asks for a form as well; leave one of them out")
        if self.has_form:
            self._check_form()

    @property
    def has_form(self) -> bool:
        """Whether the answer has to have a form, so that it ends where that is complete."""
        return self.structured_outputs is not None or formats.constrains(self.response_format)

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
    def include_usage(self) -> bool:
        """Whether the stream ends with a chunk that counts tokens."""
        return self.stream_options is not None and bool(self.stream_options.include_usage)

    def _check_form(self) -> None:
        for name in ("min_tokens", "ignore_eos"):
            if getattr(self, name):
                raise Fault(name, "an answer of a given form ends where that is complete; leave it out")


def _check_bias(bias: dict[str, float]) -> None:
    if len(bias) > MAX_TOKEN_IDS:
        raise Fault("logit_bias", f"it has {len(bias)} tokens, and at most {MAX_TOKEN_IDS} are taken; send fewer")
    for token in bias:
        if not (token.isascii() and token.isdigit() and len(token) <= 10 and int(token) <= MAX_TOKENS):
            raise Fault("logit_bias", f"its keys are token ids, and {token[:40]!r} is none")
