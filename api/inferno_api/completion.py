"""The body of `POST /v1/completions`."""

from typing import Annotated

from msgspec import Meta

from inferno_api.sampling import Sampling, TokenId


class CompletionBody(Sampling, kw_only=True, omit_defaults=True):
    """A text that is to be continued: as a string, or as its token ids."""

    prompt: str | Annotated[list[str | TokenId | Annotated[list[TokenId], Meta(min_length=1)]], Meta(min_length=1)]
    logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    echo: bool | None = None
    suffix: str | None = None
    best_of: Annotated[int, Meta(ge=1, le=128)] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.prompt = _single(self.prompt)
        if self.best_of not in {None, self.choices}:
            raise ValueError(f"`best_of` is {self.best_of} and `n` {self.choices}, where they have to be equal")


def _single(prompt: str | list[str | int | list[int]]) -> str | list[str | int | list[int]]:
    """Unwrap a list that holds one prompt; token ids stay a list.

    An answer's id is its one generation's, so several prompts are as many requests.
    """
    if isinstance(prompt, str) or all(isinstance(item, int) for item in prompt):
        return prompt
    if len(prompt) > 1:
        raise ValueError(f"`prompt` is a list of {len(prompt)} items; send each prompt as a request of its own")
    only = prompt[0]
    if isinstance(only, list):
        return [*only]
    assert isinstance(only, str), "a list of one number is token ids"
    return only
