"""What the synthetic engine makes of a request: an OpenAI body, or the stock contract's sampling parameters.

What it can't honour it refuses by name, as a real engine does, rather than leave it out silently.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from msgspec import Struct, ValidationError, convert

from inferno_core.errors import ContextLengthExceeded, InvalidRequest
from inferno_engine.synthetic import forms, tools, truncation, vocabulary, words
from inferno_engine.synthetic.forms import Form
from inferno_engine.synthetic.prompts import converted, prompts
from inferno_engine.synthetic.text import Answer, Sampling, answer
from inferno_engine.synthetic.truncation import NONE, Truncation

MOST_CHOICES, MOST_LOGPROBS = 128, 20
_LARGE = (1 << 31) - 1
_UNABLE = ("prompt_logprobs", "suffix")
_NOT_WITH_FORM = ("min_tokens", "ignore_eos", "logit_bias", "bad_words", "allowed_token_ids")
USUAL_TOKENS = 16
"""How many tokens a completion has at most where nobody said it, as OpenAI has it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was understood: which field has its prompts, how many answers to each, and how to make them.

    `logprobs`: how many tokens of each place are told with their log-probabilities; None: not even the drawn one.
    `echo`: the prompt is told before the answer. `usual_tokens`: how many an answer has at most where nobody said it;
    None: what fits. `numbered`: with their log-probabilities, tokens are spelt as their ids.
    """

    field: str
    prompts: tuple[str, ...]
    n: int
    sampling: Sampling
    form: Form | None = None
    logprobs: int | None = None
    echo: bool = False
    usual_tokens: int | None = None
    numbered: bool = False
    truncation: Truncation = NONE

    def within(self, context: int) -> "Asked":
        """Give the same request with its prompts cut, if that was asked for. Raises InvalidRequest."""
        if self.truncation.tokens is None:
            return self
        room = context - (self.sampling.max_tokens or 1)
        return replace(self, prompts=tuple(self.truncation.cut(prompt, room) for prompt in self.prompts))

    def answers(self, context: int, allowance: int | None = None) -> list[Answer]:
        """Give all answers, in the order of their choice index, each of at most `allowance` tokens.

        Raises ContextLengthExceeded if a prompt leaves no room for an answer, or not for the one that is asked for, and
        InvalidRequest if an answer can't have the form that it is to have.
        """
        if self.sampling.max_tokens is None and self.usual_tokens is not None:
            allowance = min(self.usual_tokens, _LARGE if allowance is None else allowance)
        for prompt in self.prompts:
            _fit(self.field, len(prompt.split()), self.sampling.max_tokens, context)
        return [
            answer(prompt, self.sampling, choice, context, self.form, allowance)
            for prompt in self.prompts
            for choice in range(self.n)
        ]

    def prompt(self, choice: int) -> str:
        """Give the prompt that a choice answers."""
        return self.prompts[choice // self.n]


def chat(body: Mapping[str, Any]) -> Asked:
    """Understand the body of a chat completion. Raises InvalidRequest."""
    prompt = _template(body)
    limit = "max_tokens" if body.get("max_completion_tokens") is None else "max_completion_tokens"
    form = tools.form(body) or forms.form(body)
    asks = body.get("logprobs") not in (None, False)
    logprobs = (_integer(body, "top_logprobs", 0, MOST_LOGPROBS) or 0) if asks else None
    sampling, numbered = _sampling(body, limit, form), bool(body.get("return_tokens_as_token_ids"))
    return Asked(
        "messages",
        (prompt,),
        _choices(body),
        sampling,
        form,
        logprobs,
        numbered=numbered,
        truncation=truncation.read(body),
    )


def completion(body: Mapping[str, Any]) -> Asked:
    """Understand the body of a completion. Raises InvalidRequest."""
    return _plain("prompt", prompts(body.get("prompt"), "prompt"), body)


def stock(prompt: str | Sequence[int], parameters: Mapping[str, Any]) -> Asked:
    """Understand a request of Triton's own vLLM backend: numbers may be strings."""
    text = prompt if isinstance(prompt, str) else words.decode(prompt)
    read = {name: _read(name, value) for name, value in parameters.items()} | {"echo": None}
    return _plain("text_input", (text,), read)


def _plain(field: str, prompts: tuple[str, ...], body: Mapping[str, Any]) -> Asked:
    form, echo = forms.form(body), bool(body.get("echo"))
    logprobs = None if body.get("logprobs") is False else _integer(body, "logprobs", 0, MOST_LOGPROBS)
    sampling = _sampling(body, "max_tokens", form, echo)
    numbered = bool(body.get("return_tokens_as_token_ids"))
    cut = truncation.read(body)
    return Asked(field, prompts, _choices(body), sampling, form, logprobs, echo, USUAL_TOKENS, numbered, cut)


def _read(name: str, value: Any) -> Any:
    """Take a number in a string for the number."""
    try:
        return json.loads(value) if isinstance(value, str) and name != "stop" else value
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
    tool_calls: list[dict[str, Any]] | None = None

    def render(self) -> str:
        content = self.content
        text = "".join(part.text for part in content) if isinstance(content, list) else content or ""
        return f"<{self.role}> {text}" + (json.dumps(self.tool_calls) if self.tool_calls else "")


def _template(body: Mapping[str, Any]) -> str:
    """Write the conversation as one prompt, as a chat template does."""
    turns = [message.render() for message in _messages(body.get("messages"))]
    if body.get("documents"):
        turns.insert(0, f"<documents> {json.dumps(body['documents'])}")
    if body.get("tools") and body.get("tool_choice") != "none":
        turns.insert(0, f"<tools> {json.dumps(body['tools'])}")
    if body.get("continue_final_message"):
        return "\n".join(turns)
    return "\n".join([*turns, "" if body.get("add_generation_prompt") is False else "<assistant>"])


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


def _choices(body: Mapping[str, Any]) -> int:
    return _integer(body, "n", 1, MOST_CHOICES) or 1


def _sampling(body: Mapping[str, Any], limit: str, form: Form | None, echo: bool = False) -> Sampling:
    """Read what shapes the answer, and refuse what this engine can't do."""
    for name in _UNABLE:
        if body.get(name) not in (None, False, "", {}, []):
            raise InvalidRequest(f"The synthetic engine does not know {name}; leave it out.", param=name)
    for name in _NOT_WITH_FORM:
        if form is not None and body.get(name):
            raise InvalidRequest(f"{name} does not go with an answer whose form is given; leave it out.", param=name)
    return Sampling(
        # Who has the prompt repeated may want nothing else.
        max_tokens=_integer(body, limit, 0 if echo else 1, _LARGE),
        min_tokens=_integer(body, "min_tokens", 0, _LARGE) or 0,
        endless=bool(body.get("ignore_eos")),
        stop=_stops(body.get("stop")),
        stop_tokens=_tokens(body, "stop_token_ids"),
        vocabulary=vocabulary.read(body),
        include_stop=bool(body.get("include_stop_str_in_output")),
        temperature=_number(body, "temperature", 0.0, 2.0, 1.0),
        seed=_integer(body, "seed", -(1 << 63), (1 << 64) - 1) or 0,
        penalties=(
            _number(body, "presence_penalty", -2.0, 2.0, 0.0),
            _number(body, "frequency_penalty", -2.0, 2.0, 0.0),
            _number(body, "repetition_penalty", 0.0, 10.0, 1.0),
        ),
        filters=(
            _number(body, "top_p", 0.0, 1.0, 1.0),
            _number(body, "top_k", -1, _LARGE, -1),
            _number(body, "min_p", 0.0, 1.0, 0.0),
        ),
    )


def _stops(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    stops = converted([value] if isinstance(value, str) else value, list[str])
    if stops is None:
        raise InvalidRequest("stop must be a string or a list of strings.", param="stop")
    return tuple(stops)


def _tokens(body: Mapping[str, Any], name: str) -> tuple[int, ...]:
    value = body.get(name)
    tokens = [] if value is None else converted(value, list[int])
    if tokens is None:
        raise InvalidRequest(f"{name} must be a list of integers.", param=name)
    return tuple(tokens)


def _integer(body: Mapping[str, Any], name: str, least: int, most: int) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InvalidRequest(f"{name} is {value!r}; it must be an integer from {least} to {most}.", param=name)
    return value


def _number(body: Mapping[str, Any], name: str, least: float, most: float, default: float) -> float:
    value = body.get(name)
    if value is None:
        return default
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
