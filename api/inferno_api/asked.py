"""What a body asks for, whichever surface it came by: so much of it is looked at before it is queued."""

from typing import Annotated

from msgspec import Meta, Struct


class Asked(Struct, kw_only=True, omit_defaults=True):
    """The fields that every surface has, and what the log is told of a body.

    A surface's type answers for its own fields: what the properties here say is true of one that doesn't generate.
    """

    model: Annotated[str, Meta(min_length=1, max_length=256, description="Name of a model in /v1/models.")]
    user: str | None = None
    priority: Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)] | None = None

    @property
    def choices(self) -> int:
        """How many answers are asked for in all: the choices of every prompt, or the inputs that are embedded."""
        return 1

    @property
    def own_seed(self) -> int | None:
        """The seed that the client chose; None: any."""
        return None

    @property
    def streams(self) -> bool:
        """Whether the answer is told as it comes."""
        return False

    @property
    def include_usage(self) -> bool:
        """Whether the stream ends with a chunk that counts tokens."""
        return False

    @property
    def allowance(self) -> int | None:
        """The most tokens of each choice; None: what fits."""
        return None

    @property
    def allowance_field(self) -> str:
        """Which field says so."""
        return "max_tokens"
