"""The body of `POST /v1/chat/completions`."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from inferno_api.sampling import Positive, Sampling, bound_size

Role = Literal["system", "developer", "user", "assistant", "tool", "function"]


class TextPart(Struct, frozen=True):
    """A part of a message. Text is the one kind that is taken for now."""

    text: str
    type: Literal["text"]


class Message(Struct, kw_only=True, omit_defaults=True):
    """One turn of the conversation."""

    role: Role
    content: str | list[TextPart] | None = None
    name: str | None = None
    refusal: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[dict[str, Any]] | None = None
    tool_call_id: str | None = None
    function_call: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.content is None and self.role != "assistant":
            raise ValueError(f"a message of role `{self.role}` needs `content`")


class TemplateArguments(Struct, frozen=True, omit_defaults=True):
    """The arguments of a model's chat template that a client may set; all others are ignored."""

    enable_thinking: bool | None = None
    thinking: bool | None = None


class ChatBody(Sampling, kw_only=True, omit_defaults=True):
    """A conversation that is to be continued."""

    messages: Annotated[list[Message], Meta(min_length=1)]
    max_completion_tokens: Positive | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    tools: Annotated[list[dict[str, Any]], Meta(max_length=128)] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = None
    modalities: list[Literal["text"]] | None = None
    metadata: dict[str, str] | None = None
    store: bool | None = None
    add_generation_prompt: bool | None = None
    continue_final_message: bool | None = None
    chat_template_kwargs: TemplateArguments | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.top_logprobs is not None and not self.logprobs:
            raise ValueError("`top_logprobs` is only allowed with `logprobs`: true")
        bound_size("tools", self.tools)

    @property
    def allowance(self) -> int | None:
        """The most tokens of each answer; None: what fits."""
        return self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens

    @property
    def allowance_field(self) -> str:
        """Which field says so: OpenAI's newer one, where it is given."""
        return "max_tokens" if self.max_completion_tokens is None else "max_completion_tokens"
