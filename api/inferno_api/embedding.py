"""The body of `POST /v1/embeddings`."""

from typing import Annotated, Literal

from msgspec import Meta

from inferno_api import texts
from inferno_api.asked import Asked
from inferno_api.texts import Texts

MAX_INPUTS = 2048


class EmbeddingBody(Asked, kw_only=True, omit_defaults=True):
    """Texts whose meaning is asked for as vectors, one for each."""

    input: Texts
    dimensions: Annotated[int, Meta(ge=1, le=65536)] | None = None
    encoding_format: Literal["float", "base64"] | None = None

    def __post_init__(self) -> None:
        texts.check("input", self.input, MAX_INPUTS)

    @property
    def choices(self) -> int:
        """How many vectors are asked for."""
        return texts.count(self.input)
