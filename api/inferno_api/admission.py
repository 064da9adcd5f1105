"""From a client's body to a generation that can be asked for: the model that answers, the seed, the deadlines."""

import secrets

import msgspec

from inferno_api.asked import Asked
from inferno_api.catalogue import Catalogue
from inferno_core.errors import InvalidRequest
from inferno_core.hosts import HostedModel
from inferno_core.keys import Key
from inferno_core.records import Deadlines, Surface
from inferno_stream.edge import Draft

_NOT_FOR_ENGINES = ("stream", "stream_options", "user", "metadata", "store", "best_of", "priority")
"""Fields that the edge itself honours, or that describe the request to its sender; the engine needs none."""


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
            InvalidRequest: the model can't do what is asked.

        """
        model = self._catalogue.resolve(body.model, key.allows_model)
        _check(model, surface, body)
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


def _check(model: HostedModel, surface: Surface, body: Asked) -> None:
    if surface not in model.tasks:
        able = ", ".join(model.tasks) or "none"
        raise InvalidRequest(f"Model {model.name!r} does not do {surface}; it does: {able}.", param="model")
    if model.context and body.allowance is not None and body.allowance > model.context:
        raise InvalidRequest(
            f"'{body.allowance_field}' is {body.allowance}, and prompt and answer of {model.name!r} have "
            f"{model.context} tokens together. Ask for fewer.",
            param=body.allowance_field,
        )


def _engine_body(body: Asked, model: str, seed: int) -> bytes:
    """Write the body that the engine gets: known fields alone, the model resolved, a seed in any case."""
    fields: dict[str, object] = {field: None for field in _NOT_FOR_ENGINES if field in body.__struct_fields__}
    if "seed" in body.__struct_fields__:
        fields["seed"] = seed
    try:
        return msgspec.json.encode(msgspec.structs.replace(body, **fields, model=model))
    except (OverflowError, RecursionError, ValueError) as error:
        raise InvalidRequest(f"The body can't be written as JSON again ({error}). Send plainer values.") from error
