"""What a body asks for, whichever surface it came by: so much of it is looked at before it is queued."""

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct

from inferno_api.requests.limits import MAX_LABEL_CHARS, MAX_TOKENS

Label = Annotated[str, Meta(max_length=MAX_LABEL_CHARS)]


class Asked(Struct, kw_only=True, omit_defaults=True):
    """The fields that every surface has, and what the log is told of a body.

    A surface's type answers for its own fields: what the properties here say is true of one that doesn't generate.
    """

    model: Annotated[str, Meta(min_length=1, max_length=256, description="Name of a model in /v1/models.")]
    user: Label | None = None
    session_id: Label | None = None
    priority: Annotated[int, Meta(ge=0, le=MAX_TOKENS, description="Lower goes first; 0 is the default.")] | None = None
    cache_salt: Annotated[str, Meta(pattern=r"^[^@/\\\x00]{1,128}$(?!\n)")] | None = None
    add_special_tokens: bool | None = None
    truncate_prompt_tokens: Annotated[int, Meta(ge=-1, le=MAX_TOKENS)] | None = None
    truncation_side: Literal["left", "right"] | None = None

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

    @property
    def limits(self) -> Sequence[tuple[str, int]]:
        """The fields that bound the answer, as they are given: only one counts, and all must make sense."""
        return () if self.allowance is None else ((self.allowance_field, self.allowance),)

    @property
    def prompt_field(self) -> str:
        """Which field has what is read."""
        return "prompt"

    @property
    def least_tokens(self) -> int:
        """How many tokens the longest prompt has at least, as far as that can be told without a tokenizer."""
        return 0

    @property
    def images(self) -> Sequence[tuple[str, str]]:
        """The images that are shown, each with the path of its part and its URL."""
        return ()
