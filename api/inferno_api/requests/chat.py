"""The body of `POST /v1/chat/completions`."""

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct

from inferno_api.requests import messages, structure, texts, tools
from inferno_api.requests.asked import Label
from inferno_api.requests.fault import Fault
from inferno_api.requests.limits import (
    MAX_DOCUMENTS,
    MAX_GRAMMAR_BYTES,
    MAX_IMAGES,
    MAX_LOGPROBS,
    MAX_MESSAGES,
    MAX_METADATA,
    MAX_METADATA_CHARS,
    MAX_NAME_CHARS,
    MAX_TOOLS,
)
from inferno_api.requests.messages import Message
from inferno_api.requests.refused import refuse_flags
from inferno_api.requests.sampling import Count, Sampling
from inferno_api.requests.tools import NamedTool, Tool, ToolChoice

MetadataKey = Annotated[str, Meta(max_length=MAX_NAME_CHARS)]
MetadataValue = Annotated[str, Meta(max_length=MAX_METADATA_CHARS)]


class TemplateArguments(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The arguments of a model's chat template that a client may set; any other is refused."""

    enable_thinking: bool | None = None
    thinking: bool | None = None


class ChatBody(Sampling, kw_only=True, omit_defaults=True):
    """A conversation that is to be continued."""

    messages: Annotated[list[Message], Meta(min_length=1, max_length=MAX_MESSAGES)]
    max_completion_tokens: Count | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=MAX_LOGPROBS)] | None = None
    tools: Annotated[list[Tool], Meta(max_length=MAX_TOOLS)] | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    include_reasoning: bool | None = None
    modalities: list[Literal["text"]] | None = None
    documents: Annotated[list[dict[str, str]], Meta(max_length=MAX_DOCUMENTS)] | None = None
    add_generation_prompt: bool | None = None
    continue_final_message: bool | None = None
    chat_template_kwargs: TemplateArguments | None = None

    metadata: Annotated[dict[MetadataKey, MetadataValue], Meta(max_length=MAX_METADATA)] | None = None
    store: bool | None = None
    safety_identifier: Label | None = None
    prompt_cache_key: Label | None = None
    prompt_cache_options: dict[MetadataKey, MetadataValue | bool | int | float | None] | None = None
    prompt_cache_retention: Literal["in_memory", "in-memory", "24h"] | None = None
    service_tier: Literal["auto", "default"] | None = None
    verbosity: Literal["medium"] | None = None

    # Known, and refused: `refused` says why.
    audio: None = None
    chat_template: None = None
    echo: Annotated[bool | None, Meta(description="Refused if true: it belongs to plain completions.")] = None
    function_call: Literal["none", "auto"] | None = None
    functions: Annotated[list[None], Meta(max_length=0)] | None = None
    media_io_kwargs: None = None
    moderation: None = None
    prediction: None = None
    return_prompt_text: bool | None = None
    web_search_options: None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        refuse_flags(self, "return_prompt_text")
        if self.echo:
            raise Fault("echo", "it belongs to plain completions; leave it out")
        if self.top_logprobs and not self.logprobs:
            raise Fault("top_logprobs", "it is only allowed with `logprobs`: true")
        if self.continue_final_message and self.add_generation_prompt:
            raise Fault("continue_final_message", "it does not go with `add_generation_prompt`; leave one of them out")
        structure.bound("documents", self.documents, most_bytes=MAX_GRAMMAR_BYTES)
        self._check_tools()
        messages.check_images(self.images, MAX_IMAGES)

    @property
    def has_form(self) -> bool:
        """Whether the answer has to have a form: that of a call, if a tool has to be called."""
        return super().has_form or self.tool_choice == "required" or isinstance(self.tool_choice, NamedTool)

    @property
    def allowance(self) -> int | None:
        """The most tokens of each answer; None: what fits."""
        return self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens

    @property
    def allowance_field(self) -> str:
        """Which field says so: OpenAI's newer one, where it is given."""
        return "max_tokens" if self.max_completion_tokens is None else "max_completion_tokens"

    @property
    def limits(self) -> Sequence[tuple[str, int]]:
        """The fields that bound the answer, as they are given."""
        given = (("max_completion_tokens", self.max_completion_tokens), ("max_tokens", self.max_tokens))
        return [(field, value) for field, value in given if value is not None]

    @property
    def prompt_field(self) -> str:
        """Which field has what is read."""
        return "messages"

    @property
    def least_tokens(self) -> int:
        """How many tokens the conversation has at least."""
        return texts.least(messages.chars(self.messages))

    @property
    def images(self) -> Sequence[tuple[str, str]]:
        """The images that are shown, each with the path of its part and its URL."""
        return list(messages.seen(self.messages))

    def _check_tools(self) -> None:
        self.tools = self.tools or None
        if self.tools is not None:
            tools.check(self.tools, self.tool_choice)
        elif self.tool_choice not in (None, "none", "auto"):
            raise Fault("tool_choice", "it is only allowed with `tools`; send those, or leave it out")
