"""What successful answers look like; /openapi.json is made from these types."""

from typing import Any, Literal

from msgspec import Struct

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


class ChatCompletion(Struct, frozen=True, kw_only=True):
    """A whole answer of the chat surface. Each choice has `index`, `message`, `logprobs` and `finish_reason`."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[dict[str, Any]]
    usage: TokenCounts | None


class TextCompletion(Struct, frozen=True, kw_only=True):
    """A whole answer of the completion surface. Each choice has `index`, `text`, `logprobs` and `finish_reason`."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    choices: list[dict[str, Any]]
    usage: TokenCounts | None


class ChatChunk(Struct, frozen=True, kw_only=True):
    """One event of a chat stream; after the last comes `data: [DONE]`.

    `token_index` is the ordinal, from 0, of the chunk's last token among all tokens of the answer, all choices
    together; null where it has none. With `stream_options.include_usage` a last chunk without choices carries `usage`.
    """

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: list[dict[str, Any]]
    token_index: int | None
    usage: TokenCounts | None = None


class TextChunk(Struct, frozen=True, kw_only=True):
    """One event of a completion stream; after the last comes `data: [DONE]`. `token_index` is as in `ChatChunk`."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    choices: list[dict[str, Any]]
    token_index: int | None
    usage: TokenCounts | None = None


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
