"""What successful answers look like; /openapi.json is made from these types."""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from inferno_core.records import Usage


class CachedTokens(Struct, frozen=True):
    """How many prompt tokens the engine did not have to compute again."""

    cached_tokens: int


class TokenCounts(Struct, frozen=True):
    """What the engine counted, in tokens."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: CachedTokens


class PromptCounts(Struct, frozen=True):
    """What the engine counted, in tokens, where it wrote nothing."""

    prompt_tokens: int
    total_tokens: int


class TopLogprob(Struct, frozen=True):
    """A token that might have stood at a place, and the natural logarithm of its probability."""

    token: str
    logprob: float
    bytes: list[int] | None = None


class TokenLogprob(TopLogprob, frozen=True, kw_only=True):
    """The token that stands at a place, and the likeliest of that place."""

    top_logprobs: list[TopLogprob]


class ChatLogprobs(Struct):
    """Log-probabilities of a chat's answer, token by token."""

    content: list[TokenLogprob] | None = None
    refusal: list[TokenLogprob] | None = None


class TextLogprobs(Struct):
    """Log-probabilities of a completion, in columns. The first token of an echoed prompt has none: null."""

    text_offset: list[int]
    token_logprobs: list[float | None]
    tokens: list[str]
    top_logprobs: list[dict[str, float] | None]


class FunctionCall(Struct):
    """Which function the model wants called. `arguments` is JSON as the model wrote it; check it before use."""

    name: str
    arguments: str


class ChatToolCall(Struct):
    """A call that the model wants made; answer it in a message of role `tool` with this `id`."""

    id: str
    type: Literal["function"]
    function: FunctionCall


class ChatMessage(Struct, kw_only=True):
    """What the model says. Its reasoning stands under both names that clients read, if it told any."""

    role: Literal["assistant"] = "assistant"
    content: str | None
    refusal: str | None = None
    reasoning: str | UnsetType = UNSET
    reasoning_content: str | UnsetType = UNSET
    tool_calls: list[ChatToolCall] | UnsetType = UNSET


class ChatChoice(Struct, kw_only=True):
    """One answer to a chat. `stop_reason` is the stop string or token that ended it."""

    index: int
    message: ChatMessage
    logprobs: ChatLogprobs | None
    finish_reason: str | None
    stop_reason: int | str | UnsetType | None = UNSET


class TextChoice(Struct, kw_only=True):
    """One continuation; `index // n` is the place of the prompt that it continues."""

    index: int
    text: str
    logprobs: TextLogprobs | None
    finish_reason: str | None
    stop_reason: int | str | UnsetType | None = UNSET


class ChatCompletion(Struct, frozen=True, kw_only=True):
    """A whole answer of the chat surface."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    system_fingerprint: str | None
    choices: list[ChatChoice]
    usage: TokenCounts | None


class TextCompletion(Struct, frozen=True, kw_only=True):
    """A whole answer of the completion surface."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    system_fingerprint: str | None
    choices: list[TextChoice]
    usage: TokenCounts | None


class Embedding(Struct, frozen=True, kw_only=True):
    """The vector of one input: its numbers, or their 32-bit floats in base64 where that was asked for."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class EmbeddingList(Struct, frozen=True, kw_only=True):
    """The vectors of all inputs, in their order."""

    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: PromptCounts | None


class FunctionCallDelta(Struct):
    """What a step adds to a call: its function's name with the first, then more of its arguments."""

    name: str | UnsetType | None = UNSET
    arguments: str | UnsetType | None = UNSET


class ToolCallDelta(Struct, kw_only=True):
    """What a step adds to the call that has this `index` in its message; `id` and `type` come with its first."""

    index: int
    id: str | UnsetType | None = UNSET
    type: Literal["function"] | UnsetType | None = UNSET
    function: FunctionCallDelta | UnsetType | None = UNSET


class Delta(Struct):
    """What a step adds to a message: its role with the first, then what stands in `ChatMessage`, bit by bit."""

    role: Literal["assistant"] | UnsetType = UNSET
    content: str | UnsetType | None = UNSET
    reasoning: str | UnsetType | None = UNSET
    reasoning_content: str | UnsetType | None = UNSET
    tool_calls: list[ToolCallDelta] | UnsetType | None = UNSET


class LogprobsDelta(Struct):
    """Log-probabilities of the tokens that a step adds."""

    content: list[TokenLogprob] | None
    refusal: list[TokenLogprob] | UnsetType | None = UNSET


class ChatChunkChoice(Struct, kw_only=True):
    """What a step adds to one answer; the last of an answer says why it ended."""

    index: int
    delta: Delta
    logprobs: LogprobsDelta | UnsetType | None = UNSET
    finish_reason: str | None
    stop_reason: int | str | UnsetType | None = UNSET


class ChatChunk(Struct, frozen=True, kw_only=True):
    """One event of a chat stream; after the last comes `data: [DONE]`.

    `token_index` is the ordinal, from 0, of the chunk's last token among all tokens of the answer, all choices
    together; null where it has none. With `stream_options.include_usage` a last chunk without choices carries `usage`.
    """

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    system_fingerprint: str | None = None
    choices: list[ChatChunkChoice]
    token_index: int | None
    usage: TokenCounts | UnsetType | None = UNSET


class TextChunk(Struct, frozen=True, kw_only=True):
    """One event of a completion stream; after the last comes `data: [DONE]`. `token_index` is as in `ChatChunk`."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    system_fingerprint: str | None = None
    choices: list[TextChoice]
    token_index: int | None
    usage: TokenCounts | UnsetType | None = UNSET


class ModelCard(Struct, frozen=True, kw_only=True):
    """A model that serves. `max_model_len` bounds prompt and answer together, in tokens."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "inferno"
    max_model_len: int


class ModelList(Struct, frozen=True, kw_only=True):
    """The models that this key may call, the default first."""

    object: Literal["list"] = "list"
    data: list[ModelCard]


def counts(usage: Usage | None) -> TokenCounts | None:
    """Translate the engine's counts; None where it could give none."""
    if usage is None:
        return None
    return TokenCounts(
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        total_tokens=usage.prompt_tokens + usage.completion_tokens,
        prompt_tokens_details=CachedTokens(usage.cached_tokens),
    )
