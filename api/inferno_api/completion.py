"""The body of `POST /v1/completions`."""

from typing import Annotated

from msgspec import Meta

from inferno_api import texts
from inferno_api.sampling import MAX_CHOICES, Sampling
from inferno_api.texts import Texts

DEFAULT_TOKENS = 16
"""How many tokens an answer has at most where the request says nothing, as OpenAI has it."""


class CompletionBody(Sampling, kw_only=True, omit_defaults=True):
    """Texts that are to be continued. Choice `index` continues prompt `index // n`."""

    prompt: Texts
    logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    echo: bool | None = None
    suffix: str | None = None
    best_of: Annotated[int, Meta(ge=1, le=128)] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        texts.check("prompt", self.prompt, MAX_CHOICES)
        if self.choices > MAX_CHOICES:
            raise ValueError(
                f"`prompt` and `n` ask for {self.choices} answers; at most {MAX_CHOICES} are given at once"
            )
        if self.best_of not in {None, self.n or 1}:
            raise ValueError(f"`best_of` is {self.best_of} and `n` {self.n or 1}, where they have to be equal")
        if self.max_tokens is None:
            self.max_tokens = DEFAULT_TOKENS

    @property
    def choices(self) -> int:
        """How many answers are asked for, those to all prompts together."""
        return (self.n or 1) * texts.count(self.prompt)
