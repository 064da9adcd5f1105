"""The body of `POST /v1/embeddings`."""

from typing import Annotated, Literal

from msgspec import Meta

from inferno_api.requests import texts
from inferno_api.requests.asked import Asked
from inferno_api.requests.limits import MAX_DIMENSIONS, MAX_INPUTS
from inferno_api.requests.texts import Texts


class EmbeddingBody(Asked, kw_only=True, omit_defaults=True):
    """Texts whose meaning is asked for as vectors, one for each."""

    input: Texts
    dimensions: Annotated[int, Meta(ge=1, le=MAX_DIMENSIONS)] | None = None
    encoding_format: Literal["float", "base64"] | None = None
    use_activation: bool | None = None

    # Known, and refused: `refused` says why.
    embed_dtype: Literal["float32"] | None = None
    endianness: Literal["native", "little"] | None = None
    mm_processor_kwargs: None = None
    padding: Literal["do_not_pad"] | None = None
    request_id: None = None

    def __post_init__(self) -> None:
        texts.check("input", self.input, MAX_INPUTS)

    @property
    def choices(self) -> int:
        """How many vectors are asked for."""
        return texts.count(self.input)

    @property
    def prompt_field(self) -> str:
        """Which field has what is read."""
        return "input"

    @property
    def least_tokens(self) -> int:
        """How many tokens the longest input has at least."""
        return texts.least_tokens(self.input)
