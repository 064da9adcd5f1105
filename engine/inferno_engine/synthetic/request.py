"""What the synthetic engine makes of a request: an OpenAI body, or the stock contract's sampling parameters.

What it can't honour it refuses by name, as a real engine does, rather than leave it out silently.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from msgspec import Meta, Struct, ValidationError, convert

from inferno_core.errors import ContextLengthExceeded, InvalidRequest
from inferno_engine.synthetic import words
from inferno_engine.synthetic.text import Answer, Sampling, answer

_T = TypeVar("_T")
_Token = Annotated[int, Meta(ge=0)]

MOST_CHOICES = 128
_UNABLE = ("logprobs", "prompt_logprobs", "logit_bias", "response_format", "structured_outputs", "echo", "suffix")
_NEUTRAL: dict[str, object] = {"response_format": {"type": "text"}, "logit_bias": {}}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was understood: which field has its prompts, how many answers to each, and how to make them."""

    field: str
    prompts: tuple[str, ...]
    n: int
    sampling: Sampling

    def answers(self, context: int) -> list[Answer]:
        """Give all answers, in the order of their choice index.

        Raises ContextLengthExceeded if a prompt leaves no room for an answer, or not for the one that is asked for.
        """
        for prompt in self.prompts:
            _fit(self.field, len(prompt.split()), self.sampling.max_tokens, context)
        return [answer(prompt, self.sampling, choice, context) for prompt in self.prompts for choice in range(self.n)]


def chat(body: Mapping[str, Any]) -> Asked:
    """Understand the body of a chat completion. Raises InvalidRequest."""
    messages = _messages(body.get("messages"))
    if isinstance(body.get("tool_choice"), dict) or body.get("tool_choice") == "required":
        raise InvalidRequest("The synthetic engine calls no tools; leave tool_choice out.", param="tool_choice")
    prompt = "".join(message.render() for message in messages) + "<assistant>"
    limit = "max_tokens" if body.get("max_completion_tokens") is None else "max_completion_tokens"
    return Asked("messages", (prompt,), _choices(body), _sampling(body, limit))


def completion(body: Mapping[str, Any]) -> Asked:
    """Understand the body of a completion. Raises InvalidRequest."""
    return Asked("prompt", _prompts(body.get("prompt")), _choices(body), _sampling(body, "max_tokens"))


def stock(prompt: str | Sequence[int], parameters: Mapping[str, Any]) -> Asked:
    """Understand a request of Triton's own vLLM backend: numbers may be strings, and 16 tokens are the default."""
    text = prompt if isinstance(prompt, str) else words.decode(prompt)
    read = {"max_tokens": 16} | {name: _read(value) for name, value in parameters.items()}
    return Asked("text_input", (text,), _choices(read), _sampling(read, "max_tokens"))


def _read(value: Any) -> Any:
    """Take a number in a string for the number."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


class _Part(Struct):
    """A part of a message's content; text is the only kind that this engine reads."""

    type: Literal["text"]
    text: str


class _Message(Struct):
    """What of a message shapes the answer."""

    role: str
    content: str | list[_Part] | None = None

    def render(self) -> str:
        content = self.content
        text = "".join(part.text for part in content) if isinstance(content, list) else content or ""
        return f"<{self.role}> {text}\n"


def _messages(value: Any) -> list[_Message]:
    """Read the messages of a chat."""
    try:
        messages = convert(value, list[_Message])
    except ValidationError as error:
        raise InvalidRequest(
            f"messages can't be read by the synthetic engine, which takes text alone: {error}.", param="messages"
        ) from error
    if not messages:
        raise InvalidRequest("messages must be a list of at least one message.", param="messages")
    return messages


def _prompts(value: Any) -> tuple[str, ...]:
    """Read any of the four forms of a completion's prompt."""
    if isinstance(value, str):
        return (value,)
    if tokens := _as(value, list[_Token]):
        return (words.decode(tokens),)
    if texts := _as(value, list[str]):
        return tuple(texts)
    if lists := _as(value, list[list[_Token]]):
        return tuple(words.decode(each) for each in lists)
    raise InvalidRequest(
        "prompt must be a string, a list of strings, a list of token ids, or a list of such lists.", param="prompt"
    )


def _as(value: Any, kind: type[_T]) -> _T | None:
    try:
        return convert(value, kind)
    except ValidationError:
        return None


def _choices(body: Mapping[str, Any]) -> int:
    return _integer(body, "n", 1, MOST_CHOICES) or 1


def _sampling(body: Mapping[str, Any], limit: str) -> Sampling:
    """Read what shapes the answer, and refuse what this engine can't do."""
    for name in _UNABLE:
        value = body.get(name)
        if value not in (None, False, _NEUTRAL.get(name)):
            raise InvalidRequest(f"The synthetic engine does not know {name}; leave it out.", param=name)
    return Sampling(
        max_tokens=_integer(body, limit, 1, 1 << 31),
        stop=_stops(body.get("stop")),
        include_stop=bool(body.get("include_stop_str_in_output")),
        temperature=_number(body, "temperature", 0.0, 2.0),
        top_p=_number(body, "top_p", 0.0, 1.0),
        seed=_integer(body, "seed", -(1 << 63), (1 << 64) - 1) or 0,
    )


def _stops(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    stops = _as([value] if isinstance(value, str) else value, list[str])
    if stops is None:
        raise InvalidRequest("stop must be a string or a list of strings.", param="stop")
    return tuple(stops)


def _integer(body: Mapping[str, Any], name: str, least: int, most: int) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InvalidRequest(f"{name} is {value!r}; it must be an integer from {least} to {most}.", param=name)
    return value


def _number(body: Mapping[str, Any], name: str, least: float, most: float) -> float:
    value = body.get(name)
    if value is None:
        return 1.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise InvalidRequest(f"{name} is {value!r}; it must be a number from {least} to {most}.", param=name)
    return float(value)


def _fit(field: str, prompt_tokens: int, max_tokens: int | None, context: int) -> None:
    """Refuse what does not fit the context."""
    if prompt_tokens + (max_tokens or 1) > context:
        raise ContextLengthExceeded(
            f"This model's context is {context} tokens; the prompt has {prompt_tokens}, and "
            f"{max_tokens or 'at least 1'} were asked for in the answer. Shorten one of them.",
            param="max_tokens" if prompt_tokens < context else field,
        )


def chat_text(messages: Sequence[Mapping[str, Any]], **parameters: Any) -> str:
    """Foretell what the model `synthetic` answers to a chat: the content of its first choice."""
    return chat({"messages": list(messages), **parameters}).answers(context=8192)[0].text


def completion_text(prompt: str, **parameters: Any) -> str:
    """Foretell what the model `synthetic` answers to a prompt: the text of its first choice."""
    return completion({"prompt": prompt, **parameters}).answers(context=8192)[0].text
