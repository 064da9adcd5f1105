"""From a client's body to a generation that can be asked for: the model that answers, the seed, the deadlines."""

import copy
import secrets
from functools import cache

import msgspec

from inferno_api.catalogue import Catalogue
from inferno_api.requests import images
from inferno_api.requests.asked import Asked
from inferno_api.requests.chat import ChatBody
from inferno_api.requests.fault import Fault
from inferno_api.requests.refused import Refusing
from inferno_api.requests.sampling import Sampling
from inferno_core.errors import ContextLengthExceeded, InvalidRequest
from inferno_core.hosts import HostedModel
from inferno_core.keys import Key
from inferno_core.records import Deadlines, Surface
from inferno_stream.edge import Draft

LABELS = frozenset(
    {
        "metadata",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "safety_identifier",
        "service_tier",
        "session_id",
        "store",
        "user",
        "verbosity",
    }
)
"""Fields that describe a request to its sender, or wish for what is done anyway: taken, and without effect."""

_EDGE = frozenset({"stream", "stream_options", "best_of", "priority", "modalities", "function_call", "functions"})
"""Fields that the edge itself honours."""

_NOT_FOR_ENGINES = LABELS | _EDGE | (frozenset(Refusing.__struct_fields__) - frozenset(Asked.__struct_fields__))


class Admission:
    """Decides what is asked of the log; nothing is queued before."""

    def __init__(self, catalogue: Catalogue, deadlines: Deadlines) -> None:
        self._catalogue = catalogue
        self._deadlines = deadlines

    def draft(self, surface: Surface, body: Asked, key: Key) -> Draft:
        """Make the draft of a validated body's generation.

        Raises:
            ModelNotFound: the model is not here, or not for this key.
            Unavailable: it doesn't serve yet.
            ContextLengthExceeded: prompt and answer can't fit the model.
            InvalidRequest: the model can't do what is asked.

        """
        model = self._catalogue.resolve(body.model, key.allows_model)
        _check_task(model, surface)
        _check_length(model, body)
        _check_images(model, body)
        seed = secrets.randbits(63) if body.own_seed is None else body.own_seed
        return Draft(
            surface=surface,
            body=_engine_body(body, model.name, seed),
            model=model.name,
            version=model.version,
            tenant=key.tenant,
            seed=seed,
            n=body.choices,
            max_tokens=body.allowance,
            include_usage=body.include_usage,
            deadlines=self._deadlines,
            store=key.store,
            priority=body.priority or 0,
        )


def _check_task(model: HostedModel, surface: Surface) -> None:
    if surface not in model.tasks:
        able = ", ".join(model.tasks) or "none"
        raise InvalidRequest(f"Model {model.name!r} does not do {surface}; it does: {able}.", param="model")


def _check_length(model: HostedModel, body: Asked) -> None:
    """Refuse what can't fit for sure; without a tokenizer all else is for the engine to judge."""
    if not model.context:
        return
    room = f"prompt and answer of {model.name!r} have {model.context} tokens together"
    for field, value in body.limits:
        if value > model.context:
            raise InvalidRequest(f"'{field}' is {value}, and {room}. Ask for fewer.", param=field)
    if body.truncate_prompt_tokens is not None:
        return
    least, wanted = body.least_tokens, body.allowance or 0
    if least + wanted > model.context:
        raise ContextLengthExceeded(
            f"'{body.prompt_field}' has at least {least} tokens, {wanted} are asked for in the answer, and {room}. "
            "Shorten one of them.",
            param=body.prompt_field,
        )


def _check_images(model: HostedModel, body: Asked) -> None:
    for path, url in body.images:
        if "image" not in model.modalities:
            raise InvalidRequest(
                f"'{path}' is an image, and model {model.name!r} reads text alone. Leave it out, or choose a model "
                "that sees.",
                param=f"{path}.type",
            )
        try:
            images.check(url)
        except Fault as fault:
            param = f"{path}.image_url.{fault.field}"
            raise InvalidRequest(f"'{param}' can't be taken: {fault}.", param=param) from fault


def _engine_body(body: Asked, model: str, seed: int) -> bytes:
    """Write the body that the engine gets: what it is to honour alone, the model resolved, a seed in any case."""
    mine = copy.copy(body)
    mine.model = model
    for field in _dropped(type(body)):
        setattr(mine, field, None)
    if isinstance(mine, Sampling):
        mine.seed = seed
    if isinstance(mine, ChatBody) and mine.continue_final_message:
        # A template can't both leave the last message open and begin another one.
        mine.add_generation_prompt = False
    try:
        return msgspec.json.encode(mine)
    except (OverflowError, RecursionError, ValueError) as error:
        raise InvalidRequest(f"The body can't be written as JSON again ({error}). Send plainer values.") from error


@cache
def _dropped(kind: type[Asked]) -> tuple[str, ...]:
    return tuple(field for field in kind.__struct_fields__ if field in _NOT_FOR_ENGINES)
