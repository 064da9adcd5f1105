"""The body of `POST /v1/completions`."""

from typing import Annotated

from msgspec import Meta

from inferno_api.requests import texts
from inferno_api.requests.fault import Fault
from inferno_api.requests.limits import MAX_CHOICES, MAX_LOGPROBS
from inferno_api.requests.sampling import Sampling
from inferno_api.requests.texts import Texts

DEFAULT_TOKENS = 16
"""How many tokens an answer has at most where the request says nothing, as OpenAI has it."""


class CompletionBody(Sampling, kw_only=True, omit_defaults=True):
    """Texts that are to be continued. Choice `index` continues prompt `index // n`."""

    prompt: Texts
    logprobs: Annotated[int, Meta(ge=0, le=MAX_LOGPROBS)] | None = None
    echo: bool | None = None
    suffix: Annotated[str, Meta(max_length=0)] | None = None
    best_of: Annotated[int, Meta(ge=1, le=MAX_CHOICES)] | None = None

    def __post_init__(self) -> None:
        if self.max_tokens is None:
            self.max_tokens = DEFAULT_TOKENS
        super().__post_init__()
        texts.check("prompt", self.prompt, MAX_CHOICES)
        if self.choices > MAX_CHOICES:
            raise Fault("n", f"with `prompt` it asks for {self.choices} answers, and at most {MAX_CHOICES} are given")
        if self.best_of not in {None, self.n or 1}:
            raise Fault("best_of", f"it has to be `n`, which is {self.n or 1}: all answers are given")

    @property
    def choices(self) -> int:
        """How many answers are asked for, those to all prompts together."""
        return (self.n or 1) * texts.count(self.prompt)

    @property
    def least_tokens(self) -> int:
        """How many tokens the longest prompt has at least."""
        return texts.least_tokens(self.prompt)
