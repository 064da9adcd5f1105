"""The turns of a conversation: each role with the fields that it may have."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct

from inferno_api.requests import images
from inferno_api.requests.fault import Fault
from inferno_api.requests.limits import MAX_CALLS, MAX_LABEL_CHARS, MAX_PARTS
from inferno_api.requests.tools import CalledFunction, FunctionName, ToolCall

ParticipantName = Annotated[str, Meta(pattern=r"^[^\s<|\\/>]{1,64}$(?!\n)")]


class TextPart(Struct, tag_field="type", tag="text"):
    """Text."""

    text: str


class ImageSource(Struct, kw_only=True, omit_defaults=True):
    """Where an image stands: in the request itself, as a data URI. Nothing is fetched for a client."""

    url: str
    detail: Literal["auto", "low", "high"] | None = None

    def __post_init__(self) -> None:
        images.check_place(self.url)


class ImagePart(Struct, tag_field="type", tag="image_url"):
    """An image, for models that see."""

    image_url: ImageSource


class RefusalPart(Struct, tag_field="type", tag="refusal"):
    """What an assistant refused with."""

    refusal: str


TextContent = str | Annotated[list[TextPart], Meta(min_length=1, max_length=MAX_PARTS)]
SeenContent = str | Annotated[list[TextPart | ImagePart], Meta(min_length=1, max_length=MAX_PARTS)]
SaidContent = str | Annotated[list[TextPart | RefusalPart], Meta(min_length=1, max_length=MAX_PARTS)]


class SystemMessage(Struct, tag_field="role", tag="system", kw_only=True, omit_defaults=True):
    """What the model is told before the conversation."""

    content: TextContent
    name: ParticipantName | None = None


class DeveloperMessage(SystemMessage, tag_field="role", tag="developer", kw_only=True, omit_defaults=True):
    """OpenAI's newer name of the system's message."""


class UserMessage(Struct, tag_field="role", tag="user", kw_only=True, omit_defaults=True):
    """What a person said or showed."""

    content: SeenContent
    name: ParticipantName | None = None


class AssistantMessage(Struct, tag_field="role", tag="assistant", kw_only=True, omit_defaults=True):
    """What the model said before, or called."""

    content: SaidContent | None = None
    name: ParticipantName | None = None
    refusal: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    tool_calls: Annotated[list[ToolCall], Meta(max_length=MAX_CALLS)] | None = None
    function_call: CalledFunction | None = None
    audio: None = None


class ToolMessage(Struct, tag_field="role", tag="tool", kw_only=True, omit_defaults=True):
    """What a tool answered to a call."""

    content: TextContent
    tool_call_id: Annotated[str, Meta(min_length=1, max_length=MAX_LABEL_CHARS)]
    name: ParticipantName | None = None


class FunctionMessage(Struct, tag_field="role", tag="function", kw_only=True, omit_defaults=True):
    """What a function answered, before there were tools."""

    content: str | None
    name: FunctionName


Message = SystemMessage | DeveloperMessage | UserMessage | AssistantMessage | ToolMessage | FunctionMessage


def chars(messages: Sequence[Message]) -> int:
    """Say how many characters of text there are."""
    return sum(_chars(message) for message in messages)


def seen(messages: Sequence[Message]) -> Iterator[tuple[str, str]]:
    """Give the images of a conversation, each with the path of its part and its URL."""
    for index, message in enumerate(messages):
        for place, part in enumerate(message.content if isinstance(message.content, list) else ()):
            if isinstance(part, ImagePart):
                yield f"messages[{index}].content[{place}]", part.image_url.url


def check_images(images_: Sequence[tuple[str, str]], most: int) -> None:
    """Refuse more than `most` images. Raises `Fault`."""
    if len(images_) > most:
        raise Fault("messages", f"they have {len(images_)} images, and at most {most} are taken; send fewer")


def _chars(message: Message) -> int:
    content = message.content
    if isinstance(content, list):
        return sum(len(part.text) for part in content if isinstance(part, TextPart))
    return len(content or "")
